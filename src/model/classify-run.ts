import { environmentCause } from "./causes/environment.ts";
import { counterEnd, limitEnd, signalEnd, toldCrash } from "./causes/ends.ts";
import { importCause, removedApi } from "./causes/exception.ts";
import { causeOf } from "./causes/find.ts";
import { caughtGap, interpreterGap } from "./causes/interpreter-gap.ts";
import type { Cause, Confidence, Outcome, TestResult } from "./attempt.ts";
import type { AttemptEvidence, TestRunEvidence } from "./evidence.ts";

/** What a run of the tests comes to, before smoke and other phases have their say. */
export interface RunVerdict {
  readonly outcome: Outcome;
  readonly cause: Cause | null;
  readonly confidence: Confidence;
}

const UNCONFIRMED: Confidence = { kind: "unconfirmed" };
const INFERRED: Confidence = { kind: "inferred" };

/** pytest's interrupted, internal error and usage error: the harness failed, whatever the tests would have said. */
const PYTEST_HARNESS_EXITS: ReadonlySet<number> = new Set([2, 3, 4]);

/** Failures beyond this many say no more of a limit that was met. */
const MAX_TOLD = 200;
/** So many failures that reading each costs more than a cause they might share is worth. */
const MAX_JUDGED = 5000;

/**
 * Limits first, then crashes, then what the report recorded. A pass needs all of: exit 0, a recorded
 * report that is complete and contradicts nothing, at least one test that ran, and no failure.
 */
export function classifyRun(run: TestRunEvidence, evidence: AttemptEvidence): RunVerdict {
  const { report, result } = run;
  const nonPasses = report.results.filter(
    (test) => test.outcome === "failed" || test.outcome === "error",
  );
  const clean = result.code === 0 && result.signal === null && result.limit === null;

  if (!clean) {
    const told = nonPasses.slice(0, MAX_TOLD).map((test) => test.message ?? "");
    const text = [result.text, ...told].join("\n");
    // What ran out of memory or processes may then hang until the agent ends it: the counters know better.
    const ended =
      counterEnd(evidence.counters, text, false) ??
      limitEnd(result) ??
      signalEnd(result) ??
      toldCrash(result.text);
    if (ended !== null) return { ...ended, confidence: UNCONFIRMED };
  }

  const harnessFailed =
    run.runner === "pytest" && result.code !== null && PYTEST_HARNESS_EXITS.has(result.code);
  const failures = report.counts.failed + report.counts.errors;
  if (failures > 0 && !harnessFailed) {
    const confidence = report.origin === "parsed" ? INFERRED : UNCONFIRMED;
    return {
      outcome: "fail",
      cause: failureCause(nonPasses, report.counts.failed, evidence),
      confidence,
    };
  }
  if (run.lackingFiles.length > 0) {
    return { outcome: "skip", cause: causeOf("tests-not-in-sdist"), confidence: UNCONFIRMED };
  }
  if (report.collectionErrors.length > 0) {
    return { outcome: "error", cause: collectionCause(run, evidence), confidence: UNCONFIRMED };
  }
  if (harnessFailed)
    return { outcome: "error", cause: harnessCause(run, evidence), confidence: UNCONFIRMED };
  return noFailure(run, evidence);
}

/** Nothing failed: a pass only if everything else agrees that it is one. */
function noFailure(run: TestRunEvidence, evidence: AttemptEvidence): RunVerdict {
  const { report, result } = run;
  const broken = !report.complete || report.contradictions.length > 0;
  const ran = report.counts.collected - report.counts.skipped;
  // pytest's 5 and, since Python 3.12, unittest's: nothing was collected.
  const saysNothingRan = result.code === 5 && report.counts.collected === 0;
  if (saysNothingRan || (!broken && ran <= 0 && result.code === 0)) {
    return { outcome: "skip", cause: causeOf("no-tests"), confidence: UNCONFIRMED };
  }
  if (report.counts.collected === 0 && result.code !== 0) {
    return { outcome: "error", cause: harnessCause(run, evidence), confidence: UNCONFIRMED };
  }
  if (report.origin === "parsed")
    return { outcome: "error", cause: causeOf("test-error"), confidence: INFERRED };
  if (broken || result.code !== 0)
    return { outcome: "error", cause: causeOf("test-error"), confidence: UNCONFIRMED };
  return { outcome: "pass", cause: null, confidence: UNCONFIRMED };
}

/** What all failures have in common, where it is more than that tests failed. */
function failureCause(
  nonPasses: readonly TestResult[],
  failed: number,
  evidence: AttemptEvidence,
): Cause {
  const plain = causeOf(failed > 0 ? "test-failure" : "test-error");
  if (nonPasses.length > MAX_JUDGED) return plain;
  const causes = nonPasses.map(({ message = "" }) => (): Cause | null => {
    return (
      environmentCause(message, evidence.refused) ??
      interpreterGap(message, evidence.lacks) ??
      removedApi(message, evidence.pythonVersion) ??
      caughtGap(message, evidence.lacks)
    );
  });
  return common(causes) ?? plain;
}

function collectionCause(run: TestRunEvidence, evidence: AttemptEvidence): Cause {
  const causes = run.report.collectionErrors.map(
    ({ message }) =>
      () =>
        environmentCause(message, evidence.refused) ?? importCause(message, evidence),
  );
  return common(causes) ?? causeOf("collection-error");
}

/** The runner itself failed: an import of its own, a conftest, an option it does not know. */
function harnessCause(run: TestRunEvidence, evidence: AttemptEvidence): Cause {
  const { text } = run.result;
  const cause = /Traceback \(most recent call last\)|ImportError while loading conftest|^E\s/m.test(
    text,
  )
    ? importCause(text, evidence)
    : null;
  return cause ?? causeOf("test-error");
}

/** The cause that every one of them has; for a detail that differs, the one named first. */
function common(causes: readonly (() => Cause | null)[]): Cause | null {
  const first = causes[0]?.() ?? null;
  if (first === null) return null;
  return causes.slice(1).every((cause) => cause()?.kind === first.kind) ? first : null;
}
