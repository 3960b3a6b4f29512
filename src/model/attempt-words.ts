import type { TestCounts } from "./attempt.ts";
import type { AttemptJson } from "./result-json.ts";
import { standingOf } from "./standing.ts";

/** An attempt in a few words, for whoever reads lines, cells or pages. */

/** `lmdb 3.0.0`; the name alone where a tree could not be built. */
export function releaseOf(attempt: Pick<AttemptJson, "project" | "version">): string {
  return attempt.version === "" ? attempt.project : `${attempt.project} ${attempt.version}`;
}

/** `487 passed, 19 skipped`: what there is any of. */
export function countsOf(tests: TestCounts): string {
  const counts = [
    [tests.passed, "passed"],
    [tests.failed, "failed"],
    [tests.errors, tests.errors === 1 ? "error" : "errors"],
    [tests.skipped, "skipped"],
  ] as const;
  return counts
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${count} ${what}`)
    .join(", ");
}

/** Below the word: counts of a pass; else the cause, of a skip with the smoke result beside, of a difference how many tests. */
export function detailOf(attempt: AttemptJson): string {
  const cause = attempt.cause ?? "no cause is known";
  switch (attempt.outcome) {
    case "pass":
      return attempt.tests === null ? "" : countsOf(attempt.tests);
    case "skip":
      return attempt.smoke === null ? cause : `${cause}, smoke ${attempt.smoke}`;
    case "fail":
    case "crash":
    case "killed":
    case "error":
      return standingOf(attempt) === "sound" && attempt.tests !== null
        ? `${attempt.tests.failed + attempt.tests.errors} of ${attempt.tests.collected}: ${cause}`
        : cause;
  }
}
