import { clip, printableLine } from "../base/bounded-text.ts";
import type { Cause } from "./attempt.ts";
import { causeGroup, formatCause } from "./result-words.ts";

const MAX_ROOT_CHARS = 200;

export interface RootFacts {
  /** Normalised. */
  readonly project: string;
  /** Of the result that made the change, and of the one before. */
  readonly cause: Cause | null;
  readonly beforeCause: Cause | null;
  /** Why it was tested again: `numpy 2.4 is new`. */
  readonly why?: string | undefined;
}

/**
 * What a change of verdict is grouped by: the culprit that its cause names (`cffi`, `removed-api(imp)`), else what was new when it was
 * tested again (`numpy 2.4`), else what the cause named that is gone, else the project itself. One line, bounded.
 */
export function rootOf({ project, cause, beforeCause, why }: RootFacts): string {
  const wasNew = /^(.+) is new$/su.exec(why ?? "")?.[1] ?? null;
  const root = culprit(cause) ?? wasNew ?? (cause === null ? culprit(beforeCause) : null);
  return clip(printableLine(root ?? project), MAX_ROOT_CHARS);
}

/** Whom a cause names, where that is not the package itself. */
function culprit(cause: Cause | null): string | null {
  if (cause?.detail === undefined || cause.detail === "") return null;
  switch (causeGroup(cause.kind)) {
    case "dependency":
      return cause.detail;
    case "interpreter":
    case "toolchain":
      return formatCause(cause);
    case "package":
    case "environment":
    case "limit":
    case "farm":
      return null;
  }
}
