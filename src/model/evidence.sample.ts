import type { TestOutcome, TestReport } from "./attempt.ts";
import type { AttemptEvidence, StepEvidence, TestRunEvidence } from "./evidence.ts";

/** Evidence for tests: an attempt in which nothing went wrong, to be changed at one place. */

export function sampleStep(change: Partial<StepEvidence> = {}): StepEvidence {
  return { phase: "test", code: 0, signal: null, limit: null, text: "", ...change };
}

/** A whole report of tests with these outcomes, whose ids are `t0`, `t1`, …. */
export function sampleReport(
  outcomes: readonly TestOutcome[],
  change: Partial<TestReport> = {},
  message = "",
): TestReport {
  const of = (...wanted: TestOutcome[]) =>
    outcomes.filter((outcome) => wanted.includes(outcome)).length;
  return {
    counts: {
      collected: outcomes.length,
      passed: of("passed", "xpassed"),
      failed: of("failed"),
      errors: of("error"),
      skipped: of("skipped"),
      deselected: 0,
    },
    results: outcomes.map((outcome, index) => ({
      id: `t${index}`,
      outcome,
      seconds: 0.1,
      message,
    })),
    origin: "recorded",
    complete: true,
    contradictions: [],
    unfinished: [],
    imported: {},
    collectionErrors: [],
    ...change,
  };
}

export function sampleRun(change: Partial<TestRunEvidence> = {}): TestRunEvidence {
  return {
    runner: "pytest",
    result: sampleStep(),
    report: sampleReport(["passed", "passed"]),
    lackingFiles: [],
    ...change,
  };
}

export function sampleEvidence(change: Partial<AttemptEvidence> = {}): AttemptEvidence {
  return {
    phase: "test",
    project: "mine",
    topLevel: ["mine"],
    pythonVersion: "3.13.5",
    lacks: [],
    requiresPython: ">=3.9",
    buildBackend: null,
    farmFault: null,
    failedStep: null,
    smoke: { ok: true, failures: [] },
    discovery: { kind: "plans" },
    tests: { best: sampleRun(), failedStep: null },
    counters: { oomKills: 0, pidsRefused: 0, diskFull: false, cpuSeconds: 1 },
    cpuLimitSeconds: 600,
    refused: [],
    indexFaults: [],
    ...change,
  };
}
