import type { MachineKind, TestReport } from "./attempt.ts";
import { causeOf } from "./causes/find.ts";
import type { Verdict } from "./classify.ts";

/** A second run of what failed, in a fresh guest. */
export interface Confirmation {
  readonly machine: MachineKind;
  readonly verdict: Verdict;
  /** Null when it ran no tests. */
  readonly report: TestReport | null;
}

export interface Confirmed {
  readonly verdict: Verdict;
  /** Ids that failed in both runs. */
  readonly failing: readonly string[];
  /** Ids that failed in the first run and passed in the second. */
  readonly differing: readonly string[];
}

/** Limits that a second, longer run of what hung can confirm or take back. */
const HANGS: ReadonlySet<string> = new Set(["timeout", "silent", "deadlock"]);

/** Outcomes that a second run can confirm or take back. */
export function wantsConfirmation({ phase, outcome, cause }: Verdict): boolean {
  if (phase !== "test") return false;
  if (outcome === "killed") return cause !== null && HANGS.has(cause.kind);
  return outcome === "fail" || outcome === "crash";
}

/** What a second run is to run: what failed, and what was running when it all ended; empty for everything. */
export function idsToConfirm(report: TestReport): string[] {
  return [...new Set([...failingIds(report), ...report.unfinished])];
}

/** Ids of the tests that did not pass: what a confirmation runs. Empty means all. */
export function failingIds(report: TestReport): string[] {
  return report.results
    .filter(({ outcome }) => outcome === "failed" || outcome === "error")
    .map(({ id }) => id);
}

/**
 * A failure together with its second run. What passes on another machine kind is the farm's to explain
 * (`machine-difference`); what passes the second time on the same kind is `flaky`; what fails again is
 * confirmed. A second run that could say neither leaves the first as it was.
 */
export function confirm(
  first: Verdict,
  machine: MachineKind,
  firstReport: TestReport,
  second: Confirmation,
): Confirmed {
  const ids = failingIds(firstReport);
  const outcomes = new Map(second.report?.results.map((test) => [test.id, test.outcome]));
  const passedAgain = (id: string) =>
    ["passed", "xfailed", "xpassed"].includes(outcomes.get(id) ?? "");
  const failedAgain = (id: string) => ["failed", "error"].includes(outcomes.get(id) ?? "");
  const differing = ids.filter(passedAgain);
  const failing = ids.filter(failedAgain);

  const whole = second.report?.complete === true && second.report.contradictions.length === 0;
  const takenBack = whole && second.verdict.outcome === "pass" && differing.length === ids.length;
  // A test that ends by itself when it runs alone says nothing of a suite that takes too long.
  if (takenBack && first.cause?.kind === "timeout") return { verdict: first, failing, differing };
  if (takenBack) {
    if (second.machine === machine)
      return { verdict: { ...first, confidence: { kind: "flaky" } }, failing, differing };
    const cause = causeOf("machine-difference");
    return {
      verdict: { ...first, cause, confidence: { kind: "confirmed", agreed: 1, runs: 2 } },
      failing,
      differing,
    };
  }
  const again = failing.length > 0 || second.verdict.outcome === first.outcome;
  if (!again) return { verdict: first, failing, differing };
  // What differs was not the tests' fault: only what failed twice says what is wrong with them.
  const cause =
    differing.length > 0 && second.verdict.outcome === "fail" ? second.verdict.cause : first.cause;
  return {
    verdict: { ...first, cause, confidence: { kind: "confirmed", agreed: 2, runs: 2 } },
    failing,
    differing,
  };
}
