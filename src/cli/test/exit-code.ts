import type { AttemptJson } from "../../model/result-json.ts";
import type { MissingCell } from "../../model/missing-cell.ts";
import { standingOf } from "../../model/standing.ts";

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
