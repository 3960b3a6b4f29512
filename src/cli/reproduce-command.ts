import { buffer } from "node:stream/consumers";
import { z } from "zod";

import { CreameryError } from "../base/errors.ts";
import type { Bucket } from "../bucket/bucket.ts";
import { loadImage } from "../image/image-store.ts";
import { AttemptRecord } from "../index/index-service.ts";
import { launcher } from "../launcher/client.ts";
import { directoriesFrom } from "../launcher/directories.ts";
import { newAttemptId } from "../store/attempt-id.ts";
import type { StoredAttempt } from "../store/store.ts";
import { AgainJson, type KeptFile } from "../worker/again.ts";
import type { AttemptJob, HostFile } from "../worker/attempt-job.ts";
import { attemptKey } from "../worker/bucket-keys.ts";
import { askerCwd } from "./farm/asker-cwd.ts";
import { openFarmBucket } from "./farm/open-farm-bucket.ts";
import { openFarm } from "./farm/open-farm.ts";
import { readConfig } from "./farm/read-config.ts";
import { storeLocation } from "./farm/store-location.ts";
import { assertLocked } from "./reproduce/assert-locked.ts";
import { bringLocked, bringOverlay, bringSource } from "./reproduce/bring-files.ts";
import { restoreTestTree } from "./reproduce/restore-test-tree.ts";
import { findAttempt } from "./reproduce/find-attempt.ts";
import { assertReportPlace } from "./test/assert-report-place.ts";
import { printResults } from "./test/print-results.ts";
import { openProgress } from "./test/progress.ts";
import { runJobs } from "./test/run-jobs.ts";

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
  const directories = directoriesFrom(process.env);
  const { config } = await readConfig(options.config, askerCwd(), launcher());
  const stored = await findAttempt(await storeLocation(config, directories), id);
  await using opened = await openFarmBucket(config, directories, process.env);
  const { bucket } = opened;
  const again = await readKept(bucket, stored, "again.json", AgainJson);
  using progress = openProgress(process.stderr, process.env);
  await using farm = await openFarm({
    config: options.config,
    machine: again.machine,
    image: (imagesDir) => loadImage(imagesDir, again.image),
    startAhead: 1,
    tell: (line) => progress.say(`creamery: ${line}`),
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
  const index = await farm.index;
  const bringing = { bucket, index, workDirectory: farm.workDirectory, signal };
  const overlay =
    again.overlay === undefined ? undefined : await bringOverlay(again.overlay, bringing);
  const { tests } = again;
  const tree =
    tests === undefined ? undefined : await restoreTestTree(tests, index.repositories, signal);
  if (record !== null) await assertLocked({ bucket, id: stored.attempt.id, record, again });
  if (record?.truncated === true)
    progress.say(
      "creamery: more happened then than its record has room for: what is not in it is not replayed",
    );
  if (record !== null) await bringLocked(record, index, signal);
  const bring = async (file: KeptFile | null): Promise<HostFile | null> =>
    file === null ? null : bringSource(file, { project, version }, bringing);
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
      : {
          settled: {
            plan: again.plan,
            only: again.only,
            wheel: null,
            smoke: true,
            ...(tree === undefined ? {} : { tree }),
          },
        }),
    ...(again.smokeOnly === true ? { smokeOnly: true } : {}),
    ...(record === null ? {} : { replay: record }),
    ...(overlay === undefined ? {} : { overlay }),
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

async function readKept<Value>(
  bucket: Bucket,
  { attempt }: StoredAttempt,
  name: string,
  schema: z.ZodType<Value>,
): Promise<Value> {
  const key = attemptKey(attempt.id, name);
  const blob = await bucket.open(key);
  if (blob === null)
    throw new CreameryError("bucket", "is not there any more: garbage was collected", {
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
