import { clip } from "../../base/bounded-text.ts";
import type { Progress } from "./progress.ts";

/** A line of a log may be as long as a package likes; so much of it is shown. */
const MAX_CHARS = 1000;

export interface Echo extends Disposable {
  /** What goes into the log, as it comes: lines may be cut anywhere. */
  write(text: string): void;
}

/**
 * Whole lines of one attempt's log, as they come, above the live rows. Disposed, it shows what is left of the last one.
 * @param label of the attempt, before each line; empty where there is no other.
 */
export function openEcho(progress: Pick<Progress, "say">, label: string): Echo {
  let rest = "";
  const say = (line: string) =>
    progress.say(`${label === "" ? "" : `${label} | `}${clip(line, MAX_CHARS)}`);
  return {
    write(text) {
      const lines = (rest + text).split("\n");
      // Of a line without an end no more is kept than what is shown of it, and that there was more.
      rest = (lines.pop() ?? "").slice(0, MAX_CHARS + 1);
      for (const line of lines) say(line);
    },
    [Symbol.dispose]() {
      if (rest !== "") say(rest);
      rest = "";
    },
  };
}
