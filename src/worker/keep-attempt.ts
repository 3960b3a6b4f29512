import type { Visibility } from "../model/principals.ts";
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";

import type { AttemptBucket } from "../bucket/bucket.ts";
import { installedFromFreeze } from "../index/lock/pylock.ts";
import { locksFrom } from "../index/lock/write-locks.ts";
import type { MachineKind } from "../model/attempt.ts";
import type { Verdict } from "../model/classify.ts";
import { markersOf } from "../python/interpreter-markers.ts";
import { changingAxes, compare } from "../model/compare.ts";
import type { AttemptJson } from "../model/result-json.ts";
import { parseCause } from "../model/result-words.ts";
import type { JobReason, Store } from "../store/store.ts";
import { againJson } from "./again.ts";
import { attemptJson, axesOf } from "./attempt-json.ts";
import { declaredDependencies } from "./declared-dependencies.ts";
import { attemptKey, sourceKey } from "./bucket-keys.ts";
import { givenRelease } from "./given-release.ts";
import type { AttemptJob, HostFile, ResolvedSource } from "./attempt-job.ts";
import type { AttemptFacts } from "./run-attempt.ts";

export interface FinishedAttempt {
  readonly job: AttemptJob;
  readonly facts: AttemptFacts;
  readonly verdict: Verdict;
  readonly differing: readonly string[];
  readonly machine: MachineKind;
  readonly reason: JobReason;
  readonly of?: string;
  readonly visibility: Visibility;
  /** RFC 3339. */
  readonly startedAt: string;
  /** The log as it was written while the attempt ran: moved into the bucket. */
  readonly logFile: string;
}

export interface KeepDeps {
  readonly bucket: AttemptBucket;
  readonly store: Pick<Store, "latestComparable" | "recordAttempt">;
  readonly signal: AbortSignal;
}

/**
 * Keeps everything of an attempt: log, report, lock, record and what reproduces it in the bucket, the result in the
 * store, last: what the store names is there. Where that fails nothing of it stays.
 * @throws CreameryError `bucket`, `store`, `disk-full`, `interrupted`.
 */
export async function keepAttempt(finished: FinishedAttempt, deps: KeepDeps): Promise<AttemptJson> {
  try {
    return await keepWhole(finished, deps);
  } catch (thrown) {
    await removeAll(deps.bucket, attemptKey(finished.job.attemptId, "")).catch(() => undefined);
    throw thrown;
  }
}

/** As `Promise.all`, but nothing is still being made when it fails. */
async function allOrNone<Values extends readonly unknown[]>(
  running: Values,
): Promise<{ -readonly [Key in keyof Values]: Awaited<Values[Key]> }> {
  await Promise.allSettled(running);
  return await Promise.all(running);
}

/** What no row of the store will name. */
async function removeAll(bucket: AttemptBucket, prefix: string): Promise<void> {
  for (const key of await bucket.list(prefix)) await bucket.remove(key);
}

async function keepWhole(
  finished: FinishedAttempt,
  { bucket, store, signal }: KeepDeps,
): Promise<AttemptJson> {
  const { job, facts, verdict, machine } = finished;
  const id = job.attemptId;
  const key = (name: string) => attemptKey(id, name);
  // Packed as any static file server gives it to a browser (docs/bucket.md); `creamery log` shows it to a person.
  const put = async (name: string, content: Buffer | AsyncIterable<Buffer>, plain = false) => {
    await bucket.create(key(name), content, { signal, compression: plain ? "none" : "gzip" });
    return bucket.locate(key(name));
  };
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));

  const report = facts.tests?.best?.report ?? null;
  const { record } = facts;
  const keyOf = (sha256: string) => (job.source.kind === "release" ? null : sourceKey(sha256));
  // Each is on the disk when its promise is kept: side by side they wait for it once.
  const locks =
    record === null
      ? null
      : locksFrom({
          record,
          installed: installedFromFreeze(facts.frozen),
          given: givenRelease(job, facts.installation),
          markers: markersOf(job.interpreter),
        });
  const putLock = (name: string, text: string | null | undefined) =>
    typeof text === "string" ? put(name, Buffer.from(text), true) : null;
  const [log, reportPath, lock, buildLock] = await allOrNone([
    put("log.txt", chunksOf(finished.logFile)),
    report === null ? null : put("report.json", json({ schema: 1, ...report })),
    putLock("pylock.toml", locks?.runTime),
    putLock("pylock.build.toml", locks?.build),
    record === null ? null : put("record.json", json(record)),
    put("again.json", json(againJson(job, facts, machine, keyOf))),
  ]);
  // What refers to it is there by now; until then only its age kept it from being collected.
  await keepSource(job.source, bucket, signal);

  const axes = axesOf(job, facts, machine);
  const attempt = attemptJson({
    job,
    facts,
    verdict,
    comparison: null,
    differing: finished.differing,
    axes,
    paths: { log, report: reportPath, lock, buildLock },
  });
  const compared = { ...attempt, comparison: await comparisonOf(attempt, verdict, store) };
  const dependencies = declaredDependencies(job, facts);
  await store.recordAttempt({
    attempt: compared,
    visibility: finished.visibility,
    reason: finished.reason,
    ...(finished.of === undefined ? {} : { of: finished.of }),
    startedAt: finished.startedAt,
    results: report?.results ?? [],
    ...(dependencies === null ? {} : { dependencies }),
  });
  await rm(finished.logFile, { force: true });
  return compared;
}

/**
 * Puts a person's own archives into the bucket, before anything is run of them, and sees that they are there still when all is
 * done: no index has them.
 * @throws CreameryError `bucket`, `disk-full`, `interrupted`.
 */
export async function keepSource(
  source: ResolvedSource,
  bucket: AttemptBucket,
  signal: AbortSignal,
): Promise<void> {
  if (source.kind === "release") return;
  for (const file of [source.sourceFile, source.wheelFile])
    if (file !== null) await keepFile(file, bucket, signal);
}

/**
 * The same of one file.
 * @throws CreameryError `bucket`, `disk-full`, `interrupted`.
 */
export async function keepFile(
  { path, sha256 }: HostFile,
  bucket: AttemptBucket,
  signal: AbortSignal,
): Promise<void> {
  // One that is there is renewed: nobody collects it before the attempt that refers to it is known.
  if (await bucket.renew(sourceKey(sha256))) return;
  await bucket.create(sourceKey(sha256), chunksOf(path), {
    signal,
    compression: "none",
    expectedSha256: sha256,
  });
}

/** A file that is opened when it is read, and not before: whoever fails earlier leaves no stream that nobody holds. */
async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  for await (const chunk of createReadStream(path)) if (Buffer.isBuffer(chunk)) yield chunk;
}

/** Against the newest older attempt of the same project and configuration. */
async function comparisonOf(
  attempt: AttemptJson,
  verdict: Verdict,
  store: KeepDeps["store"],
): Promise<AttemptJson["comparison"]> {
  const baseline = await store.latestComparable({
    project: attempt.project,
    configuration: attempt.configuration,
    olderThan: attempt.id,
  });
  const before = baseline?.attempt ?? null;
  return compare(
    before === null
      ? null
      : {
          outcome: before.outcome,
          cause: before.cause === null ? null : parseCause(before.cause),
          axes: before.axes,
        },
    { outcome: verdict.outcome, cause: verdict.cause, axes: attempt.axes },
    before === null ? [] : changingAxes(before.axes, attempt.axes),
  );
}
