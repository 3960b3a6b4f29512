import type { ErrorCode } from "../base/errors.ts";
import type { Phase, TestReport } from "./attempt.ts";

/**
 * What the worker saw of one attempt, and nothing of what it means: the only input of `classify`.
 * Every text in it was written by a package and is hostile; it is matched, never obeyed.
 */
export interface AttemptEvidence {
  /** The phase in which the attempt ended. */
  readonly phase: Phase;
  /** Normalised name of the project under test. */
  readonly project: string;
  /** Top-level modules that the installed release brings; empty while nothing is installed. */
  readonly topLevel: readonly string[];
  /** The interpreter's own full version, e.g. `3.13.5`. */
  readonly pythonVersion: string;
  /** Modules of its version's standard library that this build of the interpreter does not have. */
  readonly lacks: readonly string[];
  /** `Requires-Python` of the release, as the index or the metadata says; null when it is not said. */
  readonly requiresPython: string | null;
  /** `build-backend` of pyproject.toml; null where it is not known. */
  readonly buildBackend: string | null;
  /** Set when the farm failed, not the package. */
  readonly farmFault: FarmFaultEvidence | null;
  /** The step that failed while the release was built or installed; null when it was installed. */
  readonly failedStep: StepEvidence | null;
  readonly smoke: SmokeEvidence | null;
  /** What discovery said; null when it was not reached. */
  readonly discovery: DiscoveryEvidence | null;
  readonly tests: TestsEvidence | null;
  /** Read outside of the guest; null when the guest could not be asked any more. */
  readonly counters: CounterEvidence | null;
  /** CPU seconds that the guest was allowed; null where there is no such limit. */
  readonly cpuLimitSeconds: number | null;
  /** Attempts to reach anything but the attempt's index. */
  readonly refused: readonly RefusedEvidence[];
  /** The index failed while it served this attempt: one line each. */
  readonly indexFaults: readonly string[];
}

export interface FarmFaultEvidence {
  readonly code: ErrorCode;
  readonly reason: string;
}

/** One command that ran in the guest, and what it said. */
export interface StepEvidence {
  readonly phase: Phase;
  readonly code: number | null;
  readonly signal: string | null;
  readonly limit: "timeout" | "silent" | "log-size" | null;
  /** The beginning and the end of its output. */
  readonly text: string;
}

/** Truth about limits, whatever exit codes say. */
export interface CounterEvidence {
  readonly oomKills: number;
  readonly pidsRefused: number;
  readonly diskFull: boolean;
  readonly cpuSeconds: number;
}

export interface RefusedEvidence {
  readonly target: string;
  readonly kind: "dns" | "connect";
  readonly count: number;
}

export interface SmokeEvidence {
  readonly ok: boolean;
  /** What did not answer: modules, scripts, the check of the installed distributions. */
  readonly failures: readonly SmokeFailure[];
}

export interface SmokeFailure {
  readonly what: "import" | "script" | "check";
  /** Module or script. */
  readonly name: string;
  /** A top-level module: one that must pass. */
  readonly top: boolean;
  /** Its traceback, or how it ended: `importing it ended by signal 11`. */
  readonly text: string;
}

export type DiscoveryEvidence =
  | { readonly kind: "plans" }
  | {
      readonly kind: "smoke-only";
      readonly cause: "no-tests" | "tests-not-in-sdist" | "smoke-only";
    };

export interface TestsEvidence {
  /** The run that counts; null when nothing could be run. */
  readonly best: TestRunEvidence | null;
  /** The step that failed while what the tests need was installed. */
  readonly failedStep: StepEvidence | null;
}

export interface TestRunEvidence {
  readonly runner: "pytest" | "unittest" | "custom";
  readonly result: StepEvidence;
  readonly report: TestReport;
  /** Modules beside the tests that the source lacks, where that alone keeps all tests from being collected. */
  readonly lackingFiles: readonly string[];
}
