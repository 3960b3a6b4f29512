import type { Machine } from "../machine/machine.ts";
import { classify, type Verdict } from "../model/classify.ts";
import { confirm, idsToConfirm, wantsConfirmation } from "../model/confirm.ts";
import type { AttemptJob } from "./attempt-job.ts";
import { evidenceOf } from "./evidence-of.ts";
import type { AttemptFacts } from "./run-attempt.ts";

/** A second run of what failed, with its own id; it is kept like any other. */
export interface ConfirmingRun {
  readonly job: AttemptJob;
  readonly facts: AttemptFacts;
  readonly verdict: Verdict;
}

export interface ConfirmedAttempt {
  readonly verdict: Verdict;
  /** Tests that failed and passed in the second run. */
  readonly differing: readonly string[];
  readonly second: ConfirmingRun | null;
}

export interface ConfirmDeps {
  /** Of the first run. */
  readonly machine: Machine["kind"];
  /** Where a failure may be run again; null where policy or host have nothing to confirm with. */
  readonly confirming: Machine | null;
  readonly newId: () => string;
  readonly run: (job: AttemptJob, machine: Machine) => Promise<AttemptFacts>;
}

/** A hang is given more time before it is believed. */
const MORE_TIME = 1.5;

/**
 * Runs what failed again, in a fresh guest where policy lets it confirm: only the failing tests, the wheel already
 * built, the index as it was. What can't be confirmed stays as it is, and says so by its confidence.
 */
export async function confirmAttempt(
  job: AttemptJob,
  facts: AttemptFacts,
  verdict: Verdict,
  deps: ConfirmDeps,
): Promise<ConfirmedAttempt> {
  const best = facts.tests?.best ?? null;
  if (!wantsConfirmation(verdict) || best === null || deps.confirming === null)
    return { verdict, differing: [], second: null };
  const { limits } = job;
  const again: AttemptJob = {
    ...job,
    attemptId: deps.newId(),
    limits:
      verdict.outcome === "killed" ? { ...limits, testMs: limits.testMs * MORE_TIME } : limits,
    settled: {
      plan: best.plan,
      only: idsToConfirm(best.report),
      wheel: facts.installation?.wheel ?? null,
      smoke: false,
    },
    ...(facts.record === null ? {} : { replay: facts.record }),
  };
  const secondFacts = await deps.run(again, deps.confirming);
  const secondVerdict = classify(evidenceOf(again, secondFacts));
  const confirmed = confirm(verdict, deps.machine, best.report, {
    machine: deps.confirming.kind,
    verdict: secondVerdict,
    report: secondFacts.tests?.best?.report ?? null,
  });
  return {
    verdict: confirmed.verdict,
    differing: confirmed.differing,
    second: { job: again, facts: secondFacts, verdict: secondVerdict },
  };
}
