import type { Progress } from "./progress.ts";

/** Whole lines of the logs, as they come, above the live rows. */
export function echoTo(progress: Pick<Progress, "say">): (text: string) => void {
  let rest = "";
  return (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) progress.say(line);
  };
}
