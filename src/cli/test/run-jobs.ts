import type { AttemptJson } from "../../model/result-json.ts";
import type { JobReason } from "../../store/store.ts";
import { newAttemptId } from "../../store/attempt-id.ts";
import type { AttemptJob } from "../../worker/attempt-job.ts";
import { guestSpec } from "../../worker/guest-spec.ts";
import { WarmInstaller } from "../../worker/warm-installer.ts";
import { testJob, type TestedJob } from "../../worker/test-job.ts";
import type { Farm } from "../farm/open-farm.ts";
import { detailOf, wordOf } from "./cells.ts";
import type { Progress } from "./progress.ts";

export interface RunJobsOptions {
  readonly farm: Farm;
  readonly jobs: readonly AttemptJob[];
  /** So many run side by side. */
  readonly atOnce: number;
  readonly reason: JobReason;
  readonly of?: string;
  readonly progress: Progress;
  /** Is told what goes into the logs, as it goes. */
  readonly echo?: (text: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Runs the jobs, a few side by side, the next guest starting while the last one works.
 * @returns results in the order of the jobs.
 * @throws what keeps results from being kept, and an interruption: the rest is stopped first.
 */
export async function runJobs(options: RunJobsOptions): Promise<TestedJob[]> {
  const { farm, jobs, atOnce, progress } = options;
  const results: (TestedJob | undefined)[] = jobs.map(() => undefined);
  for (const job of jobs) progress.add(job.attemptId, labelOf(job));
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const warm = new WarmInstaller(farm.warmDirectory);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < jobs.length; index = next++) {
      const job = jobs[index];
      if (job === undefined) return;
      results[index] = await runOne(job, options, warm, signal);
      const after = jobs[next];
      // Whoever takes the next one finds a guest that is on its way already.
      if (after !== undefined && next + 1 < jobs.length)
        farm.machine.startAhead(guestSpec(after.imageId, after.limits), 1);
    }
  };
  const workers = Array.from({ length: Math.min(atOnce, jobs.length) }, () =>
    work().catch((thrown: unknown) => {
      stop.abort(thrown);
      throw thrown;
    }),
  );
  const ended = await Promise.allSettled(workers);
  options.signal.throwIfAborted();
  const failed = ended.find((one) => one.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return results.filter((result) => result !== undefined);
}

async function runOne(
  job: AttemptJob,
  { farm, progress, reason, of, echo }: RunJobsOptions,
  warm: WarmInstaller,
  signal: AbortSignal,
): Promise<TestedJob> {
  const tested = await testJob(
    job,
    {
      machine: farm.machine,
      confirming: farm.confirming,
      index: await farm.index,
      warm,
      bucket: farm.bucket,
      store: farm.store,
      workDirectory: farm.workDirectory,
      newId: newAttemptId,
      reason,
      ...(of === undefined ? {} : { of }),
      onPhase: (doing, note) => progress.enter(job.attemptId, doing, note),
      ...(echo === undefined ? {} : { echo }),
    },
    signal,
  );
  tell(progress, tested.attempt);
  return tested;
}

function tell(progress: Progress, attempt: AttemptJson): void {
  const { word, tone } = wordOf(attempt);
  progress.end(attempt.id, word, tone, detailOf(attempt));
}

function labelOf({ source, configuration }: AttemptJob): string {
  return `${source.label} ${configuration}`;
}
