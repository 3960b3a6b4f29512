import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { CreameryError } from "../base/errors.ts";
import { DirectoryBucket } from "../bucket/directory-bucket.ts";
import { classify } from "../model/classify.ts";
import type { Store } from "../store/store.ts";
import { sampleJob } from "./attempt-job.sample.ts";
import { evidenceOf, excludedFacts } from "./evidence-of.ts";
import { keepAttempt } from "./keep-attempt.ts";

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
