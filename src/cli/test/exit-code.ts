import type { AttemptJson } from "../../model/result-json.ts";
import type { MissingCell } from "./missing-cells.ts";
import { causeGroup, parseCause } from "../../model/result-words.ts";

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

/**
 * The exit code of `creamery test` and `creamery reproduce` for what was run:
 *
 * - 0: each attempt is sound
 * - 1: at least one is unsound, whatever the farm did to others: a failure that was seen stays seen
 * - 3: nothing failed, but the farm gave no verdict somewhere: an interpreter that was asked for by more than `all` and that the
 *   image lacks is that too; or nothing was run at all
 *
 * 2 is for what was typed or given, and is thrown long before there are attempts.
 */
export function exitCodeOf(
  attempts: readonly AttemptJson[],
  missing: readonly MissingCell[] = [],
): 0 | 1 | 3 {
  const standings = new Set(attempts.map((attempt) => standingOf(attempt)));
  if (standings.has("unsound")) return 1;
  if (missing.some(({ asked }) => asked)) return 3;
  return standings.has("no-verdict") || standings.size === 0 ? 3 : 0;
}
