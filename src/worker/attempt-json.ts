import { clip, printable, printableLine } from "../base/bounded-text.ts";
import { faultLines } from "../index/index-service.ts";
import type { Comparison, TestReport, TestResult } from "../model/attempt.ts";
import { canonicalHash, type Axes } from "../model/axes.ts";
import type { Verdict } from "../model/classify.ts";
import type { SmokeEvidence } from "../model/evidence.ts";
import { firstLinesThatMatter, type FailedTest } from "../model/first-lines.ts";
import type { AttemptJson } from "../model/result-json.ts";
import { overlayHash } from "../model/overlay.ts";
import { formatCause, formatConfidence } from "../model/result-words.ts";
import { auditEvidence } from "./audit-events.ts";
import type { AttemptJob, ResolvedSource } from "./attempt-job.ts";
import { lockedSet } from "./locked-set.ts";
import type { AttemptFacts } from "./run-attempt.ts";
import { smokeEvidence } from "./evidence-of.ts";
import { overlayEvidence, overlayOf } from "./overlay-of.ts";

const MAX_FAILING = 20;
const MAX_SMOKE_FAILURES = 20;
const MAX_TEXT_CHARS = 1200;
const MAX_LINES = 100;

export interface JudgedAttempt {
  readonly job: AttemptJob;
  readonly facts: AttemptFacts;
  readonly verdict: Verdict;
  readonly comparison: Comparison | null;
  /** Tests that failed here and passed on the machine kind that confirmed. */
  readonly differing: readonly string[];
  readonly axes: Axes;
  readonly paths: {
    readonly log: string | null;
    readonly report: string | null;
    readonly lock: string | null;
    readonly buildLock: string | null;
  };
}

/** The published form of one attempt (docs/json.md): everything in it is bounded and printable. */
export function attemptJson(judged: JudgedAttempt): AttemptJson {
  const { job, facts, verdict, axes, paths } = judged;
  const { source } = job;
  const best = facts.tests?.best ?? null;
  const smoke = facts.smoke === null ? null : smokeEvidence(facts.smoke);
  return {
    id: job.attemptId,
    project: job.project ?? projectOf(facts, source),
    version: versionOf(facts, source),
    source: { kind: source.kind, sha256: source.sha256 },
    configuration: job.configuration,
    image: job.imageId,
    machine: axes.machine,
    installed: facts.installation?.ok === true ? facts.installation.installed : null,
    plan: {
      rung: best?.plan.rung ?? null,
      command: best === null ? null : clip(printableLine(best.argv.join(" ")), 2000),
      rejected: facts.rejected
        .slice(0, MAX_LINES)
        .map(({ rung, why }) => ({ rung: shown(rung), why: shown(why) })),
    },
    phase: verdict.phase,
    outcome: verdict.outcome,
    cause: verdict.cause === null ? null : formatCause(verdict.cause),
    confidence: formatConfidence(verdict.confidence),
    comparison: judged.comparison,
    smoke: smoke === null ? null : smoke.ok ? "pass" : "fail",
    tests: best === null ? null : best.report.counts,
    seconds: facts.seconds,
    axes,
    evidence: {
      firstLines: firstLinesThatMatter(telling(judged), verdict.cause),
      failing: best === null ? [] : failingTests(best.report),
      differing: judged.differing.slice(0, MAX_LINES),
      contradictions: best?.report.contradictions.slice(0, MAX_LINES) ?? [],
      repairs: [...facts.notes, ...(best?.repairs ?? [])].map(shown),
      refused: facts.refused
        .slice(0, MAX_LINES)
        .map(({ target, kind, count }) => ({ target: shown(target), kind, count })),
      attempts: auditEvidence(facts.attempts, facts.differences).slice(0, MAX_LINES),
      limits: facts.counters,
      installedPath: installedPath(facts),
      smoke: smoke === null ? [] : smokeFailures(smoke),
      gaps: [...(job.interpreter.lacks ?? [])],
      lock: paths.lock,
      ...(paths.buildLock === null ? {} : { buildLock: paths.buildLock }),
      ...(job.overlay === undefined ? {} : { overlay: overlayEvidence(job.overlay, facts) }),
    },
    log: paths.log,
    report: paths.report,
  };
}

/** A release as the index names it, whatever it says of itself; else as it was built, as its source says, or as it was named. */
function projectOf(
  { installation, declared }: AttemptFacts,
  { kind, project }: ResolvedSource,
): string {
  if (kind === "release") return project;
  return installation?.ok === true ? installation.project : (declared?.project ?? project);
}

function versionOf(
  { installation, declared }: AttemptFacts,
  { kind, version }: ResolvedSource,
): string {
  if (kind === "release") return version;
  if (installation?.ok === true) return installation.version;
  return version === "" ? (declared?.version ?? "") : version;
}

/** Where the tests imported the release from, else where it was installed. */
function installedPath({ installed, tests }: AttemptFacts): string | null {
  if (installed === null) return null;
  const imported = Object.values(tests?.best?.report.imported ?? {}).flat();
  return shown(imported[0] ?? installed.sitePackages);
}

/** All that the attempt's outcome may depend on. */
export function axesOf(job: AttemptJob, facts: AttemptFacts, machine: Axes["machine"]): Axes {
  const { record, agentVersion } = facts;
  const project = facts.installation?.project ?? job.source.project;
  const tests = facts.testsFrom === null ? [] : [`tests ${facts.testsFrom.file.sha256}`];
  const set = record === null ? null : [...lockedSet(record, project), ...tests];
  const plan = facts.tests?.best?.plan ?? null;
  return {
    source: job.source.sha256,
    interpreter: `${job.interpreter.implementation}-${job.interpreter.fullVersion}`,
    builder: job.interpreter.builder,
    image: job.imageId,
    machine,
    indexDate: record?.before ?? record?.openedAt ?? new Date().toISOString(),
    lock: set === null || set.length === 0 ? null : canonicalHash(set),
    plan: plan === null ? null : canonicalHash({ ...plan, rejected: [], expectedAtLeast: 0 }),
    agent: agentVersion ?? "none",
    ...(job.overlay === undefined ? {} : { overlay: overlayHash(overlayOf(job.overlay)) }),
  };
}

/** Where the lines that matter are looked for: what failed, as it told it. */
function telling({ facts, verdict }: JudgedAttempt): string | readonly FailedTest[] {
  if (verdict.outcome === "pass" || verdict.outcome === "skip") return "";
  if (facts.farmFault !== null) return facts.farmFault.line;
  // The installer knows only that its index had an error.
  const faults = facts.record === null ? [] : faultLines(facts.record);
  if (verdict.cause?.kind === "index-mirror" && faults.length > 0) return faults.join("\n");
  if (facts.unpackFailed !== null) return facts.unpackFailed.text;
  const failed = facts.installation?.failed ?? null;
  if (failed !== null) return failed.text;
  if (verdict.phase === "import") {
    const broken = facts.smoke?.modules.failed.find(({ top }) => top);
    if (broken !== undefined) return broken.error;
  }
  const { best = null, failedStep = null } = facts.tests ?? {};
  if (best === null) return failedStep?.text ?? "";
  const { report, result } = best;
  const atCollection = report.collectionErrors.length > 0 && result.limit === null;
  const told: FailedTest[] = [
    ...report.collectionErrors,
    ...report.results
      .filter(isFailing)
      .slice(0, MAX_FAILING)
      .map(({ id, message = "" }) => ({ id, message })),
  ];
  if (told.length > 0 && (verdict.outcome === "fail" || atCollection)) return told;
  return [result.text, ...told.map(({ id, message }) => `${id}\n${message}`)].join("\n");
}

function failingTests(report: TestReport): AttemptJson["evidence"]["failing"] {
  return report.results
    .filter(isFailing)
    .slice(0, MAX_FAILING)
    .map(({ id, outcome, message = "" }) => ({ id, outcome, message: ends(printable(message)) }));
}

function isFailing(
  test: TestResult,
): test is TestResult & { readonly outcome: "failed" | "error" } {
  return test.outcome === "failed" || test.outcome === "error";
}

/** The beginning, and more of the end: that is where Python says what happened. */
function ends(text: string): string {
  if (text.length <= MAX_TEXT_CHARS) return text;
  const head = Math.floor(MAX_TEXT_CHARS / 4);
  return `${text.slice(0, head)}\n[…]\n${text.slice(head - MAX_TEXT_CHARS)}`;
}

function smokeFailures(smoke: SmokeEvidence): AttemptJson["evidence"]["smoke"] {
  return smoke.failures.slice(0, MAX_SMOKE_FAILURES).map(({ what, name, text }) => ({
    what,
    name: shown(name),
    text: ends(printable(text)),
  }));
}

function shown(text: string): string {
  return clip(printableLine(text), 400);
}
