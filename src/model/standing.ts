import type { AttemptJson } from "./result-json.ts";
import { causeGroup, parseCause } from "./result-words.ts";

/** What an attempt says of the release, for those who need no more than that. */
export type Standing = "sound" | "unsound" | "no-verdict";

/**
 * `sound`: passed, or had nothing to say (`skip`), or failed on one machine kind and passed on the one that
 * confirms (`machine-difference`, the farm's to explain). `no-verdict`: a cause of the farm's own.
 * `unsound`: all else, a flaky failure and a report that can't be believed among them.
 */
export function standingOf(attempt: Pick<AttemptJson, "outcome" | "cause">): Standing {
  const cause = attempt.cause === null ? null : parseCause(attempt.cause);
  if (cause !== null) {
    if (cause.kind === "machine-difference") return "sound";
    if (causeGroup(cause.kind) === "farm") return "no-verdict";
  }
  switch (attempt.outcome) {
    case "pass":
    case "skip":
      return "sound";
    case "fail":
    case "crash":
    case "killed":
    case "error":
      return "unsound";
  }
}
