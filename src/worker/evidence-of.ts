import { parse } from "smol-toml";
import { z } from "zod";

import { CreameryError } from "../base/errors.ts";
import { faultLines } from "../index/index-service.ts";
import type {
  AttemptEvidence,
  DiscoveryEvidence,
  SmokeEvidence,
  SmokeFailure,
  StepEvidence,
  TestsEvidence,
} from "../model/evidence.ts";
import { parseCoreMetadata } from "../python/core-metadata.ts";
import type { AttemptJob } from "./attempt-job.ts";
import type { SmokeResult } from "./guest-scans.ts";
import type { StepResult } from "./guest-session.ts";
import type { AttemptFacts } from "./run-attempt.ts";
import type { TestsOutcome } from "./run-tests.ts";

const MAX_TEXT_CHARS = 400_000;

/** What `classify` is to judge, out of what the worker saw. */
export function evidenceOf(job: AttemptJob, facts: AttemptFacts): AttemptEvidence {
  const { installation, installed, farmFault } = facts;
  const metadata = installed === null ? null : parseCoreMetadata(installed.metadata);
  const failed = facts.unpackFailed ?? installation?.failed ?? null;
  return {
    phase: facts.phase,
    project: installation?.project ?? job.source.project,
    topLevel: installed?.topLevel ?? [],
    pythonVersion: job.interpreter.fullVersion,
    lacks: job.interpreter.lacks ?? [],
    requiresPython:
      metadata?.requiresPython ??
      job.source.requiresPython ??
      facts.declared?.requiresPython ??
      null,
    buildBackend: buildBackendOf(facts.tree?.texts["pyproject.toml"]),
    farmFault: farmFault === null ? null : { code: farmFault.code, reason: farmFault.message },
    failedStep: failed === null ? null : stepEvidence(failed),
    smoke: facts.smoke === null ? null : smokeEvidence(facts.smoke),
    discovery: discoveryEvidence(facts),
    tests: facts.tests === null ? null : testsEvidence(facts.tests),
    counters: facts.counters,
    cpuLimitSeconds: facts.cpuLimitSeconds,
    refused: facts.refused,
    indexFaults: facts.record === null ? [] : faultLines(facts.record),
  };
}

/** Evidence of a release that its interpreter's version rules out: nothing was run for it. */
export function excludedFacts(): AttemptFacts {
  return {
    phase: "resolve",
    farmFault: null,
    unpackFailed: null,
    tree: null,
    testsFrom: null,
    installation: null,
    installed: null,
    discovery: null,
    smoke: null,
    tests: null,
    rejected: [],
    counters: null,
    cpuLimitSeconds: null,
    refused: [],
    attempts: [],
    notes: [],
    declared: null,
    differences: {},
    frozen: [],
    record: null,
    seconds: { farm: 0, total: 0 },
    agentVersion: null,
  };
}

/** Facts of an attempt that the farm could not even begin. */
export function faultyFacts(thrown: unknown): AttemptFacts {
  const farmFault =
    thrown instanceof CreameryError
      ? thrown
      : new CreameryError("internal", String(thrown), { cause: thrown });
  return { ...excludedFacts(), phase: "fetch", farmFault };
}

function stepEvidence(step: StepResult): StepEvidence {
  const { phase, code, signal, limit, text } = step;
  return { phase, code, signal, limit, text: text.slice(0, MAX_TEXT_CHARS) };
}

function discoveryEvidence({ discovery }: AttemptFacts): DiscoveryEvidence | null {
  if (discovery === null) return null;
  return discovery.kind === "plans"
    ? { kind: "plans" }
    : { kind: "smoke-only", cause: discovery.cause };
}

function testsEvidence({ best, failedStep }: TestsOutcome): TestsEvidence {
  return {
    best:
      best === null
        ? null
        : {
            runner: best.plan.runner,
            result: stepEvidence(best.result),
            report: best.report,
            lackingFiles: best.lackingFiles,
          },
    failedStep: failedStep === null ? null : stepEvidence(failedStep),
  };
}

/** Smoke passes when everything top-level could be imported, the scripts answer and the installer's check agrees. */
export function smokeEvidence(smoke: SmokeResult): SmokeEvidence {
  const failures: SmokeFailure[] = [
    ...smoke.modules.failed.map(({ name, top, error }) => ({
      what: "import" as const,
      name,
      top,
      text: error,
    })),
    ...smoke.scripts
      .filter(({ ok }) => !ok)
      .map(({ name, error }) => ({ what: "script" as const, name, top: false, text: error })),
    ...(smoke.check === ""
      ? []
      : [
          {
            what: "check" as const,
            name: "installed distributions",
            top: false,
            text: smoke.check,
          },
        ]),
  ];
  return { ok: smoke.pass && smoke.check === "", failures };
}

const BuildSystem = z.object({
  "build-system": z.object({ "build-backend": z.string().max(200) }),
});

/** `build-backend` of pyproject.toml (PEP 517), setuptools where a source names none; null without a source. */
function buildBackendOf(pyproject: string | undefined): string | null {
  if (pyproject === undefined) return null;
  try {
    return (
      BuildSystem.safeParse(parse(pyproject)).data?.["build-system"]["build-backend"] ??
      "setuptools.build_meta:__legacy__"
    );
  } catch {
    return null;
  }
}
