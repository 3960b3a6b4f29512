import type { Machine } from "../machine/machine.ts";
import type { TestReport } from "../model/attempt.ts";
import { classify, type Verdict } from "../model/classify.ts";
import {
  confirm,
  idsToConfirm,
  wantsConfirmation,
  wantsSameConditions,
  type Confirmation,
} from "../model/confirm.ts";
import type { AttemptJob } from "./attempt-job.ts";
import { evidenceOf } from "./evidence-of.ts";
import type { AttemptFacts } from "./run-attempt.ts";

/** One more run of what failed, with its own id; it is kept like any other. */
export interface ConfirmingRun {
  readonly job: AttemptJob;
  readonly facts: AttemptFacts;
  readonly verdict: Verdict;
  readonly machine: Machine["kind"];
}

export interface ConfirmedAttempt {
  readonly verdict: Verdict;
  /** Tests that failed whenever they ran on the first kind, and passed on the other. */
  readonly differing: readonly string[];
  /** In the order in which they ran; empty where nothing was to be confirmed. */
  readonly runs: readonly ConfirmingRun[];
}

export interface ConfirmDeps {
  /** Of the first run: what passes elsewhere is run there once more. */
  readonly first: Machine;
  /** Where a failure may be run again; null where policy or host have nothing to confirm with. */
  readonly confirming: Machine | null;
  readonly newId: () => string;
  readonly run: (job: AttemptJob, machine: Machine) => Promise<AttemptFacts>;
}

/** A hang is given more time before it is believed. */
const MORE_TIME = 1.5;

/**
 * Runs what failed again, in a fresh guest where policy lets it confirm: only the failing tests, the wheel already
 * built, the index as it was. What passes on another machine kind is held against what the first kind says of it by itself:
 * that it ran alone may be what made it pass. What can't be confirmed stays as it is, and says so by its confidence.
 */
export async function confirmAttempt(
  job: AttemptJob,
  facts: AttemptFacts,
  verdict: Verdict,
  deps: ConfirmDeps,
): Promise<ConfirmedAttempt> {
  const best = facts.tests?.best ?? null;
  const { first, confirming } = deps;
  if (!wantsConfirmation(verdict) || best === null || confirming === null)
    return { verdict, differing: [], runs: [] };
  const { limits } = job;
  const again: Omit<AttemptJob, "attemptId"> = {
    ...job,
    limits:
      verdict.outcome === "killed" ? { ...limits, testMs: limits.testMs * MORE_TIME } : limits,
    settled: {
      plan: best.plan,
      only: idsToConfirm(best.report),
      wheel: facts.installation?.wheel ?? null,
      smoke: false,
      ...(facts.testsFrom === null ? {} : { tree: facts.testsFrom }),
    },
    ...(facts.record === null ? {} : { replay: facts.record }),
  };
  const runOn = async (machine: Machine): Promise<ConfirmingRun> => {
    const one: AttemptJob = { ...again, attemptId: deps.newId() };
    const seen = await deps.run(one, machine);
    return {
      job: one,
      facts: seen,
      verdict: classify(evidenceOf(one, seen)),
      machine: machine.kind,
    };
  };
  const second = await runOn(confirming);
  const wanted = wantsSameConditions(verdict, first.kind, best.report, asConfirmation(second));
  const alone = wanted ? aloneInFirst(job, facts, first.kind) : null;
  const third = wanted && alone === null ? await runOn(first) : null;
  const confirmed = confirm(
    verdict,
    first.kind,
    best.report,
    asConfirmation(second),
    alone ?? (third === null ? null : asConfirmation(third)),
  );
  return {
    verdict: confirmed.verdict,
    differing: confirmed.differing,
    runs: third === null ? [second] : [second, third],
  };
}

/**
 * What the first guest itself said of the same tests by themselves; null where it was not asked, or where they failed among
 * files that the tests before them had left: that takes a fresh guest to say.
 */
function aloneInFirst(
  job: AttemptJob,
  facts: AttemptFacts,
  machine: Machine["kind"],
): Confirmation | null {
  const { tests } = facts;
  if (tests === null || tests.best === null || tests.alone === null) return null;
  const best = { ...tests.best, ...tests.alone };
  const verdict = classify(evidenceOf(job, { ...facts, tests: { ...tests, best } }));
  if (verdict.outcome !== "pass" && !tests.alone.clean) return null;
  return { machine, verdict, report: tests.alone.report };
}

function asConfirmation({ machine, verdict, facts }: ConfirmingRun): Confirmation {
  const report: TestReport | null = facts.tests?.best?.report ?? null;
  return { machine, verdict, report };
}
