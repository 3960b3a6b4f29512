import { PROCESS_NAME } from "../base/process-name.ts";
import type { Visibility } from "../model/principals.ts";
import { join } from "node:path";

import type { AttemptBucket } from "../bucket/bucket.ts";
import type { IndexService } from "../index/index-service.ts";
import type { Machine } from "../machine/machine.ts";
import type { TestResult } from "../model/attempt.ts";
import { classify, isExcluded } from "../model/classify.ts";
import type { AttemptJson } from "../model/result-json.ts";
import type { JobReason, Store } from "../store/store.ts";
import type { AttemptJob } from "./attempt-job.ts";
import { AttemptLog } from "./attempt-log.ts";
import { confirmAttempt } from "./confirm-attempt.ts";
import { evidenceOf, excludedFacts } from "./evidence-of.ts";
import { keepAttempt } from "./keep-attempt.ts";
import { guestSpec } from "./guest-spec.ts";
import { runAttempt, type AttemptFacts } from "./run-attempt.ts";
import type { WarmInstaller } from "./warm-installer.ts";

export interface TestJobDeps {
  readonly machine: Machine;
  /** Where a failure may be run again before it is believed; null where nothing may confirm. */
  readonly confirming: Machine | null;
  readonly index: IndexService;
  readonly warm: WarmInstaller;
  readonly bucket: AttemptBucket;
  readonly store: Pick<Store, "recordAttempt" | "latestComparable">;
  /** The farm's own, for logs that are being written. */
  readonly workDirectory: string;
  readonly newId: () => string;
  readonly reason: JobReason;
  /** By default a person's own is private. */
  readonly visibility?: Visibility;
  /** The attempt that this one runs again. */
  readonly of?: string;
  readonly onPhase: (doing: string, note: string) => void;
  /** Is told what goes into the log, as it goes. */
  readonly echo?: (text: string) => void;
}

export interface TestedJob {
  readonly attempt: AttemptJson;
  readonly results: readonly TestResult[];
}

/** Seconds of the runs that confirmed stand beside the first one's: their tests, and all the rest of them. */
function withConfirmation(
  facts: AttemptFacts,
  runs: readonly LoggedRun[],
  beganMs: number,
): AttemptFacts {
  if (runs.length === 0) return facts;
  const all = (performance.now() - beganMs) / 1000;
  const tests = runs.reduce((sum, run) => sum + (run.facts.seconds["test"] ?? 0), 0);
  const rounded = (value: number) => Math.round(value * 1000) / 1000;
  return {
    ...facts,
    seconds: {
      ...facts.seconds,
      confirm: rounded(Math.max(0, all - tests)),
      "confirm-test": rounded(tests),
    },
  };
}

interface LoggedRun {
  readonly facts: AttemptFacts;
  readonly logFile: string;
  readonly startedAt: string;
}

/**
 * Runs a job, has its failure confirmed, and keeps all of it.
 * @throws CreameryError `interrupted` and what keeps results from being kept; all else is in the attempt.
 */
export async function testJob(
  job: AttemptJob,
  deps: TestJobDeps,
  signal: AbortSignal,
): Promise<TestedJob> {
  const visibility = deps.visibility ?? (job.source.kind === "release" ? "public" : "private");
  const logged = async (
    one: AttemptJob,
    work: (log: AttemptLog) => Promise<AttemptFacts>,
  ): Promise<LoggedRun> => {
    const startedAt = new Date().toISOString();
    const logFile = join(deps.workDirectory, `${PROCESS_NAME}-${one.attemptId}.log`);
    await using log = new AttemptLog(logFile, deps.echo);
    log.note(
      `== ${one.source.label} on ${one.configuration}, image ${one.imageId}, attempt ${one.attemptId}`,
    );
    const facts = await work(log);
    await log.close();
    return { facts, logFile, startedAt };
  };
  const { index, warm, onPhase, confirming } = deps;
  const runOn = (one: AttemptJob, machine: Machine, onFailing?: () => void) =>
    logged(one, (log) =>
      runAttempt(
        one,
        { machine, index, warm, log, onPhase, ...(onFailing === undefined ? {} : { onFailing }) },
        signal,
      ),
    );
  // Whatever failed first, a second run is likely: its guest starts while the suite goes on.
  let startedConfirming = false;
  const startConfirming = () => {
    if (startedConfirming) return;
    startedConfirming = true;
    confirming?.startAhead(guestSpec(confirming, job.imageId, job.limits), 1);
  };

  const excluded = isExcluded(job.source.requiresPython, job.interpreter.fullVersion);
  const first = excluded
    ? await logged(job, (log) => {
        log.note(`-- Requires-Python is ${job.source.requiresPython ?? ""}`);
        return Promise.resolve(excludedFacts());
      })
    : await runOn(job, deps.machine, startConfirming);
  const verdict = classify(evidenceOf(job, first.facts));

  const seconds: LoggedRun[] = [];
  const confirmingBegan = performance.now();
  const confirmed = await confirmAttempt(job, first.facts, verdict, {
    first: deps.machine,
    confirming: deps.confirming,
    newId: deps.newId,
    run: async (again, machine) => {
      deps.onPhase("confirm", `on ${machine.kind}`);
      const run = await runOn(again, machine);
      seconds.push(run);
      return run.facts;
    },
  });
  const facts = withConfirmation(first.facts, seconds, confirmingBegan);
  const keep = { bucket: deps.bucket, store: deps.store, signal };
  const attempt = await keepAttempt(
    {
      job,
      ...first,
      facts,
      verdict: confirmed.verdict,
      differing: confirmed.differing,
      machine: deps.machine.kind,
      reason: deps.reason,
      ...(deps.of === undefined ? {} : { of: deps.of }),
      visibility,
    },
    keep,
  );
  for (const [position, run] of confirmed.runs.entries()) {
    const kept = seconds[position];
    if (kept === undefined) continue;
    await keepAttempt(
      {
        ...kept,
        job: run.job,
        verdict: run.verdict,
        differing: [],
        machine: run.machine,
        reason: "confirm",
        of: job.attemptId,
        visibility,
      },
      keep,
    );
  }
  return { attempt, results: first.facts.tests?.best?.report.results ?? [] };
}
