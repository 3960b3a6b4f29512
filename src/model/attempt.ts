/**
 * The nouns of a result (docs/results.md): closed unions, no I/O. The six fields of a result are
 * independent; a page may show one word, the store keeps all six.
 */

export const PHASES = [
  "fetch",
  "resolve",
  "build",
  "install",
  "import",
  "discover",
  "test",
  "lint",
  "wheel",
] as const;
export type Phase = (typeof PHASES)[number];

export const OUTCOMES = ["pass", "fail", "crash", "killed", "skip", "error"] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Causes by who must act; `detail` names the dependency, backend, library or API where the kind has one. */
export const CAUSE_KINDS = {
  package: [
    "test-failure",
    "test-error",
    "collection-error",
    "syntax",
    "import-error",
    "missing-dependency-declaration",
    "no-tests",
    "tests-not-in-sdist",
    "smoke-only",
    "requires-python",
  ],
  dependency: [
    "dependency-build",
    "dependency-import",
    "unresolvable",
    "no-distribution",
    "yanked",
  ],
  interpreter: ["segfault", "abort", "assertion", "removed-api", "deadlock"],
  toolchain: ["build-backend", "compiler", "missing-system-library"],
  environment: [
    "needs-network",
    "needs-service",
    "needs-gpu",
    "needs-display",
    "machine-difference",
  ],
  limit: ["timeout", "silent", "oom", "disk", "log-size", "pids"],
  farm: ["vm-resume", "agent-lost", "index-mirror", "image-bad", "host"],
} as const;
export type CauseGroup = keyof typeof CAUSE_KINDS;
export type CauseKind = (typeof CAUSE_KINDS)[CauseGroup][number];

export interface Cause {
  readonly kind: CauseKind;
  /** `X` of `dependency-build(X)`, the name of a removed API, backend or library. */
  readonly detail?: string;
}

/** `confirmed` carries how many of how many runs agreed; a first result is `unconfirmed`. */
export type Confidence =
  | { readonly kind: "confirmed"; readonly agreed: number; readonly runs: number }
  | { readonly kind: "flaky" | "unconfirmed" | "inferred" };

export type Comparison =
  | "new-fail"
  | "fixed"
  | "still-fail"
  | "still-pass"
  | "changed-cause"
  | "new"
  | "removed"
  | "incomparable";

export type MachineKind = "qemu" | "gvisor" | "container";

export interface TestCounts {
  /** What ran or was skipped (xfail and xpass included), not what was deselected. */
  readonly collected: number;
  readonly passed: number;
  readonly failed: number;
  readonly errors: number;
  readonly skipped: number;
  readonly deselected: number;
}

export type TestOutcome = "passed" | "failed" | "error" | "skipped" | "xfailed" | "xpassed";

export interface TestResult {
  /** Canonical id, bounded and printable: `tests/test_x.py::TestY::test_z[param]` or `module.Class.test`. */
  readonly id: string;
  readonly outcome: TestOutcome;
  readonly seconds: number;
  /** First lines that matter of a failure, or the reason of a skip; bounded. */
  readonly message?: string;
}

/** What the recording runner said, checked against its own stream of events. */
export interface TestReport {
  readonly counts: TestCounts;
  readonly results: readonly TestResult[];
  /** `recorded`: by our pytest plugin or unittest result class; `parsed`: counts read from text, never alone a pass. */
  readonly origin: "recorded" | "parsed";
  /** The runner said it was done and its totals agree with the events. */
  readonly complete: boolean;
  /** Why `complete` is false or the report can't be believed; empty when it can. */
  readonly contradictions: readonly string[];
  /** Ids of tests that began and never ended: where a crash or a hang was. */
  readonly unfinished: readonly string[];
  /** Where the release's own top-level names were imported from; by name, the paths that were seen. */
  readonly imported: Readonly<Record<string, readonly string[]>>;
  /** Errors outside of tests: modules that could not be collected. */
  readonly collectionErrors: readonly { readonly id: string; readonly message: string }[];
}
