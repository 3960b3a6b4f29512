import type { AttemptJson } from "../../model/result-json.ts";
import type { JobReason } from "../../store/store.ts";
import { newAttemptId } from "../../store/attempt-id.ts";
import type { AttemptJob } from "../../worker/attempt-job.ts";
import { guestSpec } from "../../worker/guest-spec.ts";
import { WarmInstaller } from "../../worker/warm-installer.ts";
import { testJob, type TestedJob } from "../../worker/test-job.ts";
import type { Farm } from "../farm/open-farm.ts";
import { detailOf } from "../../model/attempt-words.ts";
import { wordOf } from "./cells.ts";
import { openEcho } from "./echo.ts";
import type { Progress } from "./progress.ts";

export interface RunJobsOptions {
  readonly farm: Pick<
    Farm,
    "machine" | "confirming" | "index" | "bucket" | "store" | "workDirectory" | "warmDirectory"
  >;
  readonly jobs: readonly AttemptJob[];
  /** So many run side by side. */
  readonly atOnce: number;
  readonly reason: JobReason;
  readonly of?: string;
  readonly progress: Progress;
  /** Shows what goes into the logs, as it goes. */
  readonly log: boolean;
  readonly signal: AbortSignal;
}

export interface RanJobs {
  /** Of what came to its end, in the order of the jobs. */
  readonly tested: readonly TestedJob[];
  /** What ended the rest early: an interruption, or what keeps results from being kept. Undefined where nothing did. */
  readonly fault: unknown;
}

/** Runs the jobs, a few side by side, the next guest starting while the last one works. */
export async function runJobs(options: RunJobsOptions): Promise<RanJobs> {
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
        farm.machine.startAhead(guestSpec(farm.machine, after.imageId, after.limits), 1);
    }
  };
  const workers = Array.from({ length: Math.min(atOnce, jobs.length) }, () =>
    work().catch((thrown: unknown) => {
      stop.abort(thrown);
      throw thrown;
    }),
  );
  const ended = await Promise.allSettled(workers);
  const failed = ended.some((one) => one.status === "rejected");
  // Whoever failed first stopped the others, whose faults only follow from his.
  const fault: unknown = failed ? signal.reason : undefined;
  return { tested: results.filter((result) => result !== undefined), fault };
}

async function runOne(
  job: AttemptJob,
  { farm, jobs, progress, reason, of, log }: RunJobsOptions,
  warm: WarmInstaller,
  signal: AbortSignal,
): Promise<TestedJob> {
  using echo = log ? openEcho(progress, jobs.length > 1 ? labelOf(job) : "") : null;
  let confirming = false;
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
      onPhase: (doing, note) => {
        // What follows is a second run, through phases that the row has been in.
        const shown = confirming && doing !== "confirm" ? `confirm: ${doing}` : doing;
        confirming ||= doing === "confirm";
        progress.enter(job.attemptId, shown, note === "1 tests" ? "1 test" : note);
      },
      ...(echo === null ? {} : { echo: (text) => echo.write(text) }),
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

function labelOf({ source, configuration, side }: AttemptJob): string {
  return `${source.label} ${configuration}${side === undefined ? "" : ` (${side})`}`;
}
