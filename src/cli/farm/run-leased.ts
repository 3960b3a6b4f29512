import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";

import { CreameryError } from "../../base/errors.ts";
import type { AttemptBucket } from "../../bucket/bucket.ts";
import { parseCause, causeGroup } from "../../model/result-words.ts";
import { limitsFor } from "../../model/config/farm-config.ts";
import type { LeasedJob } from "../../queue/job.ts";
import type { Finish } from "../../queue/queue.ts";
import { newAttemptId } from "../../store/attempt-id.ts";
import type { AttemptRecording, BaselineQuery, StoredAttempt } from "../../store/store.ts";
import type { AttemptJob } from "../../worker/attempt-job.ts";
import { keepSource } from "../../worker/keep-attempt.ts";
import { resolveSource } from "../../worker/sources/resolve-source.ts";
import { parseTarget } from "../../worker/sources/target.ts";
import { testJob } from "../../worker/test-job.ts";
import type { WarmInstaller } from "../../worker/warm-installer.ts";
import type { Host } from "./open-host.ts";

export interface LeasedJobDeps {
  readonly host: Pick<
    Host,
    | "machine"
    | "confirming"
    | "index"
    | "workDirectory"
    | "launcher"
    | "config"
    | "overrideOf"
    | "image"
    | "mirrors"
  >;
  readonly warm: WarmInstaller;
  /** The farm's, here or elsewhere. */
  readonly bucket: AttemptBucket;
  latestComparable(query: BaselineQuery): Promise<StoredAttempt | null>;
  readonly onPhase?: (doing: string) => void;
  /** Is told what goes into the log, as it goes. */
  readonly echo?: (text: string) => void;
}

/** Faults of a release that trying again does not mend. */
const IMPOSSIBLE: ReadonlySet<string> = new Set([
  "usage",
  "bad-requirement",
  "unknown-project",
  "unknown-version",
  "no-distribution",
  "address-refused",
  "too-large",
  "not-a-project",
  "bad-archive",
  "needs-lfs",
]);

/** Runs a job that was leased: finds what it names, tests it, and says how that ended. Results are the farm's to keep. */
export async function runLeased(
  leased: LeasedJob,
  deps: LeasedJobDeps,
  signal: AbortSignal,
): Promise<Finish> {
  // What is fetched for one job goes with it: this process lives for long.
  const directory = join(deps.host.launcher.sessionDirectory, "exchange", leased.attempt);
  await mkdir(directory, { recursive: true });
  try {
    return await runIn(directory, leased, deps, signal);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function runIn(
  directory: string,
  leased: LeasedJob,
  deps: LeasedJobDeps,
  signal: AbortSignal,
): Promise<Finish> {
  const { host, warm, bucket } = deps;
  let job: AttemptJob;
  try {
    job = await attemptOf(leased, directory, deps, signal);
  } catch (thrown) {
    if (thrown instanceof CreameryError && IMPOSSIBLE.has(thrown.code) && !signal.aborted)
      return { kind: "impossible", reason: thrown.line };
    throw thrown;
  }
  const recordings: AttemptRecording[] = [];
  const { attempt } = await testJob(
    job,
    {
      machine: host.machine,
      confirming: host.confirming,
      index: await host.index,
      warm,
      bucket,
      store: {
        latestComparable: (query) => deps.latestComparable(query),
        recordAttempt: async (recording) => {
          recordings.push(withoutPasses(recording));
        },
      },
      workDirectory: host.workDirectory,
      newId: newAttemptId,
      reason: leased.reason,
      visibility: leased.visibility,
      onPhase: (doing) => deps.onPhase?.(doing),
      ...(deps.echo === undefined ? {} : { echo: deps.echo }),
    },
    signal,
  );
  const cause = attempt.cause === null ? null : parseCause(attempt.cause);
  // The image's own faults, the mirror's, the machine's: another try may go well.
  if (cause !== null && causeGroup(cause.kind) === "farm")
    return { kind: "farm-fault", recordings, reason: attempt.cause ?? "" };
  return { kind: "done", recordings };
}

async function attemptOf(
  leased: LeasedJob,
  directory: string,
  { host, bucket }: LeasedJobDeps,
  signal: AbortSignal,
): Promise<AttemptJob> {
  const target = parseTarget(leased.word);
  if (target.kind === "path")
    throw new CreameryError("usage", "is a path: a farm tests releases and repositories", {
      input: leased.word,
    });
  const { launcher, config, image } = host;
  const source = await resolveSource(
    target,
    {
      index: () => host.index,
      launcher,
      cwd: "/",
      directory,
      mirrors: () => host.mirrors,
    },
    signal,
  );
  await keepSource(source, bucket, signal);
  const interpreter = image.interpreters.find(({ name }) => name === leased.configuration);
  if (interpreter === undefined)
    throw new CreameryError("unknown-configuration", "is not in this host's image", {
      input: leased.configuration,
    });
  const override = await host.overrideOf(leased.project);
  const plan = override?.plan ?? null;
  return {
    attemptId: leased.attempt,
    configuration: leased.configuration,
    interpreter,
    imageId: image.id,
    source,
    project: leased.project,
    buildFrom: "auto",
    limits: limitsFor(config, override),
    ...(leased.plan === "smoke" ? { smokeOnly: true } : {}),
    ...(plan === null ? {} : { override: plan }),
  };
}

/** The store keeps tests that failed; all of them are in the bucket. */
function withoutPasses({ results, ...rest }: AttemptRecording): AttemptRecording {
  return {
    ...rest,
    results: results.filter(({ outcome }) => outcome === "failed" || outcome === "error"),
  };
}
