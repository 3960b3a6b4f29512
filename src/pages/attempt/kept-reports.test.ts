import { expect, test } from "vitest";

import { MemoryBucket } from "../../bucket/memory-bucket.sample.ts";
import { attemptKey } from "../../worker/bucket-keys.ts";
import { KeptReports } from "./kept-reports.ts";

async function bucketWith(reports: Readonly<Record<string, unknown>>) {
  const bucket = new MemoryBucket();
  for (const [id, report] of Object.entries(reports))
    await bucket.create(attemptKey(id, "report.json"), Buffer.from(JSON.stringify(report)), {
      signal: new AbortController().signal,
      compression: "gzip",
    });
  const opened: string[] = [];
  bucket.onOperation = (name, key) => {
    if (name === "open") opened.push(key.split("/")[1] ?? "");
  };
  return { bucket, opened };
}

const report = (id: string) => ({
  results: Array.from({ length: 10 }, (_, at) => ({
    id: `${id}-${at}`,
    outcome: "passed",
    seconds: 0,
  })),
});

test("a report is read once, also by those who ask at the same time", async () => {
  const { bucket, opened } = await bucketWith({ a: report("a") });
  const reports = new KeptReports(bucket);
  const [one, other] = await Promise.all([reports.of("a"), reports.of("a")]);
  expect(one?.tests).toHaveLength(10);
  expect(other).toBe(one);
  expect(await reports.of("a")).toBe(one);
  expect(opened).toEqual(["a"]);
});

test("what was asked for longest ago goes where there is no room", async () => {
  const { bucket, opened } = await bucketWith({ a: report("a"), b: report("b"), c: report("c") });
  const reports = new KeptReports(bucket, { chars: 1400 });
  for (const id of ["a", "b", "a", "c", "a", "b"]) await reports.of(id);
  expect(opened).toEqual(["a", "b", "c", "b"]);
  expect(reports.chars).toBeLessThanOrEqual(1400);
});

test("one that is not there, or could not be read, is asked for again", async () => {
  const { bucket, opened } = await bucketWith({ a: report("a") });
  const reports = new KeptReports(bucket);
  expect(await reports.of("b")).toBeNull();
  expect(await reports.of("b")).toBeNull();
  const told = bucket.onOperation;
  bucket.onOperation = () => {
    throw new Error("no bucket");
  };
  await expect(reports.of("a")).rejects.toThrow("no bucket");
  bucket.onOperation = told;
  expect((await reports.of("a"))?.tests).toHaveLength(10);
  expect(opened).toEqual(["b", "b", "a"]);
  expect(reports.chars).toBeGreaterThan(0);
});

test("few are read at the same time", async () => {
  const ids = ["a", "b", "c", "d", "e"];
  const { bucket } = await bucketWith(Object.fromEntries(ids.map((id) => [id, report(id)])));
  let reading = 0;
  let most = 0;
  const slow = {
    open: async (key: string) => {
      most = Math.max(most, ++reading);
      await new Promise((resolve) => setTimeout(resolve, 5));
      reading--;
      return bucket.open(key);
    },
  };
  const reports = new KeptReports(slow, { reading: 2 });
  const all = await Promise.all(ids.map((id) => reports.of(id)));
  expect(all.map((one) => one?.tests.length)).toEqual([10, 10, 10, 10, 10]);
  expect(most).toBe(2);
});
