import type { ErrorCode } from "../base/errors.ts";
import { parseSpecifierSet, satisfiesText } from "../python/specifiers.ts";
import type { Cause, CauseKind, Confidence, Outcome, Phase } from "./attempt.ts";
import { boundedEvidence } from "./bounded-log.ts";
import { brokenImports, isBroken, unusableImport } from "./causes/broken-import.ts";
import { counterEnd, cpuEnd, limitEnd, signalEnd } from "./causes/ends.ts";
import { importCause } from "./causes/exception.ts";
import { causeOf } from "./causes/find.ts";
import { installCause } from "./causes/installing.ts";
import { ranBuild, saysExcluded, saysIndexFailed } from "./causes/tool-lines.ts";
import { classifyRun } from "./classify-run.ts";
import type { AttemptEvidence, FarmFaultEvidence, SmokeFailure, StepEvidence } from "./evidence.ts";

/** The first four fields of a result; smoke stands beside them, the comparison needs a baseline. */
export interface Verdict {
  /** The phase that decided. */
  readonly phase: Phase;
  readonly outcome: Outcome;
  /** Null on `pass`, and only there. */
  readonly cause: Cause | null;
  readonly confidence: Confidence;
}

const UNCONFIRMED: Confidence = { kind: "unconfirmed" };
/** Concluded from what is written, without having been run. */
const INFERRED: Confidence = { kind: "inferred" };

/**
 * What an attempt's evidence means (docs/results.md). Pure: the same evidence gives the same verdict,
 * and whatever the package wrote, a pass needs a whole, uncontradicted report of tests that ran.
 */
export function classify(evidence: AttemptEvidence): Verdict {
  return judge(boundedEvidence(evidence));
}

function judge(evidence: AttemptEvidence): Verdict {
  if (evidence.farmFault !== null) return farmVerdict(evidence, evidence.farmFault);
  if (isExcluded(evidence.requiresPython, evidence.pythonVersion)) {
    return {
      phase: "resolve",
      outcome: "skip",
      cause: causeOf("requires-python"),
      confidence: INFERRED,
    };
  }
  if (evidence.failedStep !== null) return installVerdict(evidence, evidence.failedStep);
  if (evidence.discovery?.kind === "smoke-only") {
    const broken = brokenImports(evidence).find((failure) => isBroken(failure, evidence));
    if (broken !== undefined) return importVerdict(broken, evidence);
    return {
      phase: "discover",
      outcome: "skip",
      cause: causeOf(evidence.discovery.cause),
      confidence: UNCONFIRMED,
    };
  }
  return testsVerdict(evidence);
}

/** Whether `Requires-Python` leaves the interpreter out; what can't be read excludes nothing, as with pip. */
export function isExcluded(requiresPython: string | null, pythonVersion: string): boolean {
  if (requiresPython === null || requiresPython.trim() === "") return false;
  const set = parseSpecifierSet(requiresPython);
  // A prerelease interpreter counts as the version it will be, as pip and uv count it.
  return set !== null && !satisfiesText(pythonVersion.replace(/(?:a|b|rc)\d+\+?$|\+$/, ""), set);
}

function farmVerdict(evidence: AttemptEvidence, fault: FarmFaultEvidence): Verdict {
  const { phase } = evidence;
  if (fault.code === "agent-lost" || fault.code === "channel") {
    // A package that eats what the guest has takes the agent with it: its doing, not the farm's.
    const ended = counterEnd(evidence.counters, "", true) ?? cpuEnd(evidence);
    if (ended !== null) return { phase, ...ended, confidence: UNCONFIRMED };
  }
  return {
    phase,
    outcome: "error",
    cause: causeOf(farmCause(fault.code)),
    confidence: UNCONFIRMED,
  };
}

function farmCause(code: ErrorCode): CauseKind {
  switch (code) {
    case "agent-lost":
    case "channel":
      return "agent-lost";
    case "vm-resume":
      return "vm-resume";
    case "upstream":
    case "upstream-hash":
    case "no-network":
      return "index-mirror";
    case "image-bad":
    case "image-build":
    case "unknown-image":
      return "image-bad";
    case "usage":
    case "configuration-file":
    case "unknown-configuration":
    case "unknown-project":
    case "unknown-version":
    case "no-distribution":
    case "no-such-path":
    case "unreadable-path":
    case "too-large":
    case "not-a-project":
    case "bad-archive":
    case "needs-lfs":
    case "bad-requirement":
    case "unknown-job":
    case "unknown-host":
    case "unknown-principal":
    case "no-farm":
    case "address-refused":
    case "unknown-attempt":
    case "output-file":
    case "needs-root":
    case "host-lacks":
    case "farm-refused":
    case "disk-full":
    case "machine-start":
    case "launcher":
    case "store":
    case "bucket":
    case "isolation":
    case "deadline":
    case "interrupted":
    case "internal":
      return "host";
  }
}

/** Building or installing the release failed. */
function installVerdict(evidence: AttemptEvidence, step: StepEvidence): Verdict {
  const ended =
    limitEnd(step) ?? counterEnd(evidence.counters, step.text, false) ?? signalEnd(step);
  if (ended !== null) return { phase: step.phase, ...ended, confidence: UNCONFIRMED };
  if (step.phase === "fetch") {
    // The source could not be unpacked: no backend has run, and no file of the release can be used.
    return {
      phase: "fetch",
      outcome: "fail",
      cause: causeOf("no-distribution", evidence.project),
      confidence: UNCONFIRMED,
    };
  }
  // What the index or the metadata said was held against the interpreter before anything else.
  const unsaid = (evidence.requiresPython ?? "").trim() === "";
  if (unsaid && saysExcluded(step, evidence.project)) {
    return {
      phase: "resolve",
      outcome: "skip",
      cause: causeOf("requires-python"),
      confidence: UNCONFIRMED,
    };
  }
  return settingUp(evidence, step);
}

/** The farm's own index failed, or a cause from the tools' words. */
function settingUp(evidence: AttemptEvidence, step: StepEvidence): Verdict {
  // Once a backend ran, what failed was its; before that, whatever had to be fetched.
  if (saysIndexFailed(step) || (evidence.indexFaults.length > 0 && !ranBuild(step))) {
    return {
      phase: step.phase,
      outcome: "error",
      cause: causeOf("index-mirror"),
      confidence: UNCONFIRMED,
    };
  }
  const cause = installCause(step, evidence);
  return { phase: phaseOf(cause, step.phase), outcome: "fail", cause, confidence: UNCONFIRMED };
}

/** One command resolves, builds and installs: the cause says which of them it was. */
const PHASE_OF_CAUSE: Partial<Record<CauseKind, Phase>> = {
  unresolvable: "resolve",
  "no-distribution": "resolve",
  yanked: "resolve",
  "dependency-build": "install",
  "build-backend": "build",
  compiler: "build",
  "missing-system-library": "build",
  syntax: "build",
  "removed-api": "build",
  "missing-dependency-declaration": "build",
};

function phaseOf(cause: Cause, phase: Phase): Phase {
  return phase === "build" ? phase : (PHASE_OF_CAUSE[cause.kind] ?? phase);
}

function testsVerdict(evidence: AttemptEvidence): Verdict {
  const { tests } = evidence;
  const best = tests?.best ?? null;
  const [broken = null] = brokenImports(evidence);
  if (best === null) {
    if (broken !== null) return importVerdict(broken, evidence);
    const step = tests?.failedStep ?? null;
    if (step !== null) return dependenciesVerdict(evidence, step);
    // No tests were run and nothing says why: that is the farm's to explain, never a pass.
    return {
      phase: evidence.phase,
      outcome: "error",
      cause: causeOf("host"),
      confidence: UNCONFIRMED,
    };
  }
  const run = classifyRun(best, evidence);
  const nothingPassed = best.report.counts.passed === 0;
  if (broken !== null && nothingPassed && (run.outcome === "fail" || run.outcome === "error")) {
    return importVerdict(broken, evidence);
  }
  if (run.outcome === "skip") {
    const unusable = brokenImports(evidence).find((failure) => isBroken(failure, evidence));
    if (unusable !== undefined) return importVerdict(unusable, evidence);
  }
  if (run.outcome === "pass") {
    // Whatever the tests installed beside it, nobody has that after a plain install.
    const unusable = unusableImport(evidence);
    if (unusable !== null) return importVerdict(unusable, evidence);
  }
  const phase: Phase = run.outcome === "skip" ? "discover" : "test";
  return { phase, ...run };
}

/** What the tests need could not be installed. */
function dependenciesVerdict(evidence: AttemptEvidence, step: StepEvidence): Verdict {
  const ended =
    limitEnd(step) ?? counterEnd(evidence.counters, step.text, false) ?? signalEnd(step);
  if (ended !== null) return { phase: "install", ...ended, confidence: UNCONFIRMED };
  return { ...settingUp(evidence, step), phase: "install" };
}

/** The release's own top-level module can't be imported: the tests could say nothing else. */
function importVerdict(broken: SmokeFailure, evidence: AttemptEvidence): Verdict {
  const phase = "import";
  const signal = /ended by signal (\d+)/.exec(broken.text)?.[1];
  if (signal !== undefined) {
    const step: StepEvidence = {
      phase,
      code: 128 + Number(signal),
      signal: null,
      limit: null,
      text: broken.text,
    };
    const ended = counterEnd(evidence.counters, broken.text, false) ?? signalEnd(step);
    if (ended !== null) return { phase, ...ended, confidence: UNCONFIRMED };
  }
  if (/\btook too long\b/.test(broken.text)) {
    return { phase, outcome: "killed", cause: causeOf("timeout"), confidence: UNCONFIRMED };
  }
  const cause = importCause(broken.text, evidence) ?? causeOf("import-error");
  return { phase, outcome: "fail", cause, confidence: UNCONFIRMED };
}
