import type { MachineKind, TestReport } from "./attempt.ts";
import { causeOf } from "./causes/find.ts";
import type { Verdict } from "./classify.ts";

/** One more run of what failed, in a fresh guest. */
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
  /** Ids that failed whenever they ran on the first kind, and passed on the other. */
  readonly differing: readonly string[];
}

/** Limits that a second, longer run of what hung can confirm or take back. */
const HANGS: ReadonlySet<string> = new Set(["timeout", "silent", "deadlock"]);

/** What a module of tests that can't be imported comes to: its import may be what another machine kind does otherwise. */
const AT_COLLECTION: ReadonlySet<string> = new Set(["collection-error", "import-error"]);

/** Outcomes that a second run can confirm or take back. */
export function wantsConfirmation({ phase, outcome, cause }: Verdict): boolean {
  if (phase !== "test") return false;
  if (outcome === "killed") return cause !== null && HANGS.has(cause.kind);
  if (outcome === "error") return cause !== null && AT_COLLECTION.has(cause.kind);
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
 * Whether the first kind has to be asked once more: the second run differs from the first by its machine and by what
 * ran beside and before, so what passed there may depend on either.
 */
export function wantsSameConditions(
  first: Verdict,
  machine: MachineKind,
  firstReport: TestReport,
  second: Confirmation,
): boolean {
  if (second.machine === machine || !isWhole(second)) return false;
  return first.outcome === "fail"
    ? passedIn(second, failingIds(firstReport)).length > 0
    : takesBack(first, firstReport, second);
}

/**
 * A failure together with its second run, and with a third one on the first kind where `wantsSameConditions` asked for
 * it. What repeats is confirmed; what repeats on its own kind alone is the farm's to explain (`machine-difference`);
 * what did not repeat on its own kind is `flaky`. Runs that could say none of it leave the first as it was.
 */
export function confirm(
  first: Verdict,
  machine: MachineKind,
  firstReport: TestReport,
  second: Confirmation,
  third: Confirmation | null = null,
): Confirmed {
  const ids = failingIds(firstReport);
  const failing = failedIn(second, ids);
  const same = third !== null && third.machine === machine ? third : null;
  const passed = second.machine !== machine && isWhole(second) ? passedIn(second, ids) : [];
  const differing = same === null ? [] : failedIn(same, passed);

  if (repeats(first, second, failing)) {
    const counted = third !== null && isWhole(third) ? third : null;
    const thrice = counted !== null && repeats(first, counted, failedIn(counted, failing));
    const partly = failing.length < ids.length && second.verdict.outcome === "fail";
    return {
      verdict: {
        ...first,
        // What passed there was another thing: only what failed twice says what is wrong with it.
        cause: partly ? second.verdict.cause : first.cause,
        confidence: {
          kind: "confirmed",
          agreed: thrice ? 3 : 2,
          runs: counted === null ? 2 : 3,
        },
      },
      failing,
      differing,
    };
  }
  if (!takesBack(first, firstReport, second)) return { verdict: first, failing, differing };
  if (second.machine === machine)
    return { verdict: { ...first, confidence: { kind: "flaky" } }, failing, differing };
  const verdict = same === null ? first : afterThird(first, ids, same, differing);
  return { verdict, failing, differing };
}

/** What passed on the other kind, by what it did on its own once more. */
function afterThird(
  first: Verdict,
  ids: readonly string[],
  third: Confirmation,
  differing: readonly string[],
): Verdict {
  const failed = first.outcome === "fail";
  if (failed && !isWhole(third)) return first;
  // One test that did not repeat is not explained by the machine, whatever the others did.
  if (failed ? differing.length === ids.length : repeats(first, third, differing)) {
    const cause = causeOf("machine-difference");
    return { ...first, cause, confidence: { kind: "confirmed", agreed: 3, runs: 3 } };
  }
  const settled = failed
    ? passedIn(third, ids).length + differing.length === ids.length
    : isWhole(third) && third.verdict.outcome === "pass";
  return settled ? { ...first, confidence: { kind: "flaky" } } : first;
}

/** The same end once more: a crash or a kill by the same cause, a failure by a test that failed again. */
function repeats(first: Verdict, again: Confirmation, failedAgain: readonly string[]): boolean {
  if (first.outcome === "fail") return failedAgain.length > 0;
  const { phase, outcome, cause } = again.verdict;
  return (
    phase === first.phase && outcome === first.outcome && cause?.kind === (first.cause?.kind ?? "")
  );
}

/** All that failed passed, in a run that is to be believed. */
function takesBack(first: Verdict, firstReport: TestReport, again: Confirmation): boolean {
  const ids = failingIds(firstReport);
  // A test that ends by itself when it runs alone says nothing of a suite that takes too long.
  if (first.cause?.kind === "timeout") return false;
  // Nothing names what failed where counts were read from text.
  if (first.outcome === "fail" && ids.length === 0) return false;
  return (
    isWhole(again) && again.verdict.outcome === "pass" && passedIn(again, ids).length === ids.length
  );
}

function isWhole({ report }: Confirmation): boolean {
  return report?.complete === true && report.contradictions.length === 0;
}

function passedIn({ report }: Confirmation, ids: readonly string[]): string[] {
  return having(report, ids, ["passed", "xfailed", "xpassed"]);
}

function failedIn({ report }: Confirmation, ids: readonly string[]): string[] {
  return having(report, ids, ["failed", "error"]);
}

function having(
  report: TestReport | null,
  ids: readonly string[],
  wanted: readonly string[],
): string[] {
  const outcomes = new Map(report?.results.map((test) => [test.id, test.outcome]));
  // unittest tells of a fixture of a class or module only when it fails.
  const silent = (report?.counts.collected ?? 0) > 0 ? "passed" : "";
  return ids.filter((id) => wanted.includes(outcomes.get(id) ?? (FIXTURE.test(id) ? silent : "")));
}

const FIXTURE = /^(?:setUp|tearDown)(?:Class|Module) \(/u;
