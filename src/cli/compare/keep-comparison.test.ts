import { expect, test } from "vitest";

import { MemoryBucket } from "../../bucket/memory-bucket.sample.ts";
import { ComparisonJson } from "../../judge/comparison-json.ts";
import { sampleCompared, sampleComparison } from "../../judge/comparison-json.sample.ts";
import { newAttemptId } from "../../store/attempt-id.ts";
import { KeptComparisons } from "../../pages/compare/kept-comparisons.ts";
import { keepComparison } from "./keep-comparison.ts";

const NOW = Date.UTC(2026, 10, 24, 10);
const fails = (fault: string): never => {
  throw new Error(fault);
};

test("what was found is kept under an id that it says itself, where the pages read it, newest first", async () => {
  const bucket = new MemoryBucket();
  const made = (told: Pick<ComparisonJson, "id" | "endedAt">) => sampleComparison(told);
  const first = await keepComparison(made, bucket, fails, NOW);
  const second = await keepComparison(made, bucket, fails, NOW + 1000);
  const kept = new KeptComparisons(bucket);
  expect(await kept.ids()).toEqual([second.id, first.id]);
  expect(first.id).toMatch(/^[0-9a-z]{16}$/u);
  expect(await kept.whole(first.id ?? "")).toEqual(first);
  expect(first.endedAt).toBe("2026-11-24T10:00:00.000Z");
});

test("typed again with nothing left to run it is the same one, as old as its last run", async () => {
  const bucket = new MemoryBucket();
  const base = sampleCompared();
  const [run] = base.a.runs;
  if (run === undefined) throw new Error("the sample has no run");
  const at = (ms: number) => ({ ...base.a, runs: [{ ...run, id: newAttemptId(ms) }] });
  const compared = [sampleCompared({ a: at(NOW), b: at(NOW + 5000) })];
  const keep = (nowMs: number, more: Partial<ComparisonJson> = {}) =>
    keepComparison(
      (told) => sampleComparison({ ...told, compared, ...more }),
      bucket,
      fails,
      nowMs,
    );
  const first = await keep(NOW + 9000);
  expect(await keep(NOW + 90_000)).toEqual(first);
  expect(first.endedAt).toBe("2026-11-24T10:00:05.000Z");
  expect((await keep(NOW + 99_000, { left: 2 })).id).not.toBe(first.id);
  expect(bucket.kept.size).toBe(2);
});

test("of what came to no end nothing is kept", async () => {
  const bucket = new MemoryBucket();
  const nothing = await keepComparison(
    (told) => sampleComparison({ ...told, compared: [], left: 3 }),
    bucket,
    fails,
  );
  expect([nothing.id, bucket.kept.size]).toEqual([null, 0]);
});

test("a bucket that takes nothing is told, and takes nothing away from what was found", async () => {
  const told: string[] = [];
  const bucket = new MemoryBucket();
  bucket.onOperation = () => {
    throw new Error("the disk is full");
  };
  const found = await keepComparison(
    (where) => sampleComparison(where),
    bucket,
    (fault) => void told.push(fault),
  );
  expect([found.id, told]).toEqual([null, ["the disk is full"]]);
  expect(found.compared).toHaveLength(1);
});
