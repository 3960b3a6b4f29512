import { createHash } from "node:crypto";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { gunzipSync } from "node:zlib";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { CreameryError } from "../base/errors.ts";
import { DirectoryBucket } from "../bucket/directory-bucket.ts";
import { classify } from "../model/classify.ts";
import type { Store } from "../store/store.ts";
import { sampleJob } from "./attempt-job.sample.ts";
import { evidenceOf, excludedFacts } from "./evidence-of.ts";
import { sourceKey } from "./bucket-keys.ts";
import { keepAttempt, keepSource } from "./keep-attempt.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "creamery-keep-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const { signal } = new AbortController();

/** @param record what the store makes of the result. */
async function keep(id: string, record: () => Promise<void>): Promise<void> {
  const job = sampleJob(id);
  const facts = excludedFacts();
  const logFile = join(root, `${id}.log`);
  writeFileSync(logFile, "said\n");
  const store: Pick<Store, "latestComparable" | "recordAttempt"> = {
    latestComparable: () => Promise.resolve(null),
    recordAttempt: record,
  };
  await keepAttempt(
    {
      job,
      facts,
      verdict: classify(evidenceOf(job, facts)),
      differing: [],
      machine: "gvisor",
      reason: "manual",
      visibility: "public",
      startedAt: "2026-11-25T00:00:00Z",
      logFile,
    },
    { bucket: await DirectoryBucket.open(join(root, "bucket")), store, signal },
  );
}

test("a result that the store does not take leaves nothing in the bucket, and its log where it was", async () => {
  await keep("kept", () => Promise.resolve());
  const full = new CreameryError("disk-full", "the disk is full");
  await expect(keep("lost", () => Promise.reject(full))).rejects.toBe(full);
  expect(readdirSync(join(root, "bucket/attempts"))).toEqual(["kept"]);
  expect(existsSync(join(root, "kept.log"))).toBe(false);
  expect(existsSync(join(root, "lost.log"))).toBe(true);
});

test("a log is kept packed, as a file server gives it to a browser", async () => {
  await keep("kept", () => Promise.resolve());
  const packed = readFileSync(join(root, "bucket/attempts/kept/log.txt.gz"));
  expect(gunzipSync(packed).toString()).toBe("said\n");
  expect(existsSync(join(root, "bucket/attempts/kept/log.txt"))).toBe(false);
});

test("a source that was collected while the attempt ran is put back, one that is there is renewed", async () => {
  const content = "an archive";
  const sha256 = createHash("sha256").update(content).digest("hex");
  writeFileSync(join(root, "archive"), content);
  const file = { path: join(root, "archive"), filename: "x.tar.gz", sha256 };
  const source = { ...sampleJob("a").source, kind: "sdist", sourceFile: file } as const;
  const bucket = await DirectoryBucket.open(join(root, "bucket"));
  await keepSource(source, bucket, signal);
  await bucket.remove(sourceKey(sha256));
  await keepSource(source, bucket, signal);
  expect(await bucket.list("")).toEqual([sourceKey(sha256)]);
  const note = join(root, "bucket", `${sourceKey(sha256)}.blob.json`);
  utimesSync(note, new Date(0), new Date(0));
  await keepSource(source, bucket, signal);
  expect(statSync(note).mtimeMs).toBeGreaterThan(Date.now() - 3_600_000);
});
