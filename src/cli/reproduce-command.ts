import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { z } from "zod";

import { printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import type { Bucket } from "../bucket/bucket.ts";
import { DirectoryBucket } from "../bucket/directory-bucket.ts";
import { loadImage } from "../image/image-store.ts";
import { AttemptRecord, type IndexService } from "../index/index-service.ts";
import { launcher } from "../launcher/client.ts";
import { directoriesFrom } from "../launcher/directories.ts";
import { newAttemptId } from "../store/attempt-id.ts";
import { openStore } from "../store/open-store.ts";
import type { Store, StoredAttempt } from "../store/store.ts";
import { AgainJson, type KeptFile } from "../worker/again.ts";
import type { AttemptJob, HostFile } from "../worker/attempt-job.ts";
import { attemptKey } from "../worker/keep-attempt.ts";
import { openFarm } from "./farm/open-farm.ts";
import { assertReportPlace } from "./test/assert-report-place.ts";
import { printResults } from "./test/print-results.ts";
import { openProgress } from "./test/progress.ts";
import { runJobs } from "./test/run-jobs.ts";

const SHOWN_ATTEMPTS = 3;

const Options = z.object({
  config: z.string().optional(),
  json: z.boolean().default(false),
  junit: z.string().optional(),
  log: z.boolean().default(false),
});

/**
 * `creamery reproduce ATTEMPT`: the same image, the same files from the index, the same plan, once more.
 * @returns the exit code, as of `creamery test`.
 * @throws CreameryError `unknown-attempt`, `unknown-image`, and what `creamery test` throws.
 */
export async function reproduceCommand(
  id: string,
  given: unknown,
  signal: AbortSignal,
): Promise<number> {
  const options = Options.parse(given ?? {});
  if (options.junit !== undefined) await assertReportPlace(options.junit, launcher(), process.env);
  const { data } = directoriesFrom(process.env);
  const bucket = await DirectoryBucket.open(join(data, "bucket"));
  const stored = await findAttempt(join(data, "store.sqlite"), id);
  const again = await readKept(bucket, stored, "again.json", AgainJson);
  if (again.machine === "qemu")
    throw new CreameryError("host-lacks", "ran on qemu, which this version does not have", {
      input: stored.attempt.id,
    });
  using progress = openProgress(process.stderr, process.env);
  await using farm = await openFarm({
    config: options.config,
    machine: again.machine,
    image: (imagesDir) => loadImage(imagesDir, again.image),
    startAhead: 1,
    env: process.env,
    signal,
  });
  const interpreter = farm.image.interpreters.find(({ name }) => name === again.configuration);
  if (interpreter === undefined)
    throw new CreameryError("unknown-configuration", `is not in image ${again.image}`, {
      input: again.configuration,
    });
  const record =
    stored.attempt.evidence.lock === null
      ? null
      : await readKept(bucket, stored, "record.json", AttemptRecord);
  const { project, version } = again.source;
  const bring = async (file: KeptFile | null): Promise<HostFile | null> =>
    file === null ? null : bringFile(file, { project, version }, bucket, await farm.index, signal);
  const job: AttemptJob = {
    attemptId: newAttemptId(),
    configuration: again.configuration,
    interpreter,
    imageId: again.image,
    source: {
      ...again.source,
      sourceFile: await bring(again.source.sourceFile),
      wheelFile: await bring(again.source.wheelFile),
    },
    buildFrom: again.buildFrom,
    limits: again.limits,
    ...(again.plan === null
      ? {}
      : { settled: { plan: again.plan, only: again.only, wheel: null, smoke: true } }),
    ...(record === null ? {} : { replay: record }),
  };
  const ran = await runJobs({
    farm,
    jobs: [job],
    atOnce: 1,
    reason: "reproduce",
    of: stored.attempt.id,
    progress,
    log: options.log,
    signal,
  });
  progress[Symbol.dispose]();
  // Awaited here: the farm is closed before anybody else hears of a fault.
  return await printResults(ran, options, farm);
}

/** @throws CreameryError `unknown-attempt` that names those that begin so, else the newest ones. */
async function findAttempt(path: string, id: string): Promise<StoredAttempt> {
  await using store: Store = await openStore(path);
  const found = await store.attempt(id);
  if (found !== null) return found;
  const input = printableLine(id).slice(0, 80);
  // `~` sorts after all that an id is made of: what begins so comes first among the older ones.
  const older = await store.attempts({ limit: SHOWN_ATTEMPTS + 1, olderThan: `${id}~` });
  const begun = older.filter(({ attempt }) => id !== "" && attempt.id.startsWith(id));
  if (begun.length > 0)
    throw new CreameryError("unknown-attempt", "several attempts of this host begin so", {
      input,
      nextStep: `write more of it: ${namesOf(begun)}`,
    });
  const newest = await store.attempts({ limit: SHOWN_ATTEMPTS });
  throw new CreameryError("unknown-attempt", "no attempt of this host begins so", {
    input,
    nextStep:
      newest.length === 0
        ? "there is none yet: run ./creamery test"
        : `the newest are ${namesOf(newest)}`,
  });
}

function namesOf(found: readonly StoredAttempt[]): string {
  const shown = found
    .slice(0, SHOWN_ATTEMPTS)
    .map(({ attempt }) => `${attempt.id} (${attempt.project} ${attempt.configuration})`);
  return [...shown, ...(found.length > SHOWN_ATTEMPTS ? ["and more"] : [])].join(", ");
}

async function readKept<Value>(
  bucket: Bucket,
  { attempt }: StoredAttempt,
  name: string,
  schema: z.ZodType<Value>,
): Promise<Value> {
  const key = attemptKey(attempt.id, name);
  const blob = await bucket.open(key);
  if (blob === null)
    throw new CreameryError("bucket", "is not there any more", {
      input: key,
      nextStep: "test it anew with ./creamery test",
    });
  const text = await buffer(blob.content(AbortSignal.timeout(60_000)));
  const parsed = schema.safeParse(JSON.parse(text.toString("utf8")));
  if (parsed.success) return parsed.data;
  throw new CreameryError("bucket", "was written by another version", {
    input: key,
    nextStep: "test it anew with ./creamery test",
    cause: parsed.error,
  });
}

/** From the bucket, from what the index keeps, else from the index by its hash. */
async function bringFile(
  { filename, sha256, key }: KeptFile,
  { project, version }: { readonly project: string; readonly version: string },
  bucket: Bucket,
  index: IndexService,
  signal: AbortSignal,
): Promise<HostFile> {
  const gone = new CreameryError("upstream", `is neither kept here nor on the index any more`, {
    input: `${project} ${version}, ${filename}`,
  });
  if (key !== null) {
    const path = await bucket.locate(key);
    if (path === null) throw gone;
    return { path, filename, sha256 };
  }
  const kept = await index.keptFile(sha256);
  if (kept !== null) return { path: kept.path, filename, sha256 };
  const page = await index.project(project, signal);
  const file = page?.files.find((one) => one.filename === filename && one.sha256 === sha256);
  if (page === null || file === undefined) throw gone;
  const fetched = await index.fetchFile(page, file, signal);
  return { path: fetched.path, filename, sha256 };
}
