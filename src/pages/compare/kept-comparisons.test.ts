import { PassThrough } from "node:stream";
import { expect, test } from "vitest";

import { MemoryBucket } from "../../bucket/memory-bucket.sample.ts";
import { comparisonKey } from "../../judge/comparison-id.ts";
import { sampleComparison } from "../../judge/comparison-json.sample.ts";
import { KeptComparisons } from "./kept-comparisons.ts";

const { signal } = new AbortController();
const IDS = ["a", "b", "c", "d", "e", "f"].map((letter) => letter.repeat(16));

test("however many ask at once, comparisons are read one after the other, and each once", async () => {
  const bucket = new MemoryBucket();
  for (const id of IDS)
    await bucket.create(comparisonKey(id), Buffer.from(JSON.stringify(sampleComparison())), {
      signal,
      compression: "none",
    });
  let [reading, mostReading, reads] = [0, 0, 0];
  const kept = new KeptComparisons({
    list: (prefix) => bucket.list(prefix),
    open: async (key) => {
      const blob = await bucket.open(key);
      if (blob === null) return null;
      const content = (ends: AbortSignal) => {
        reads++;
        mostReading = Math.max(mostReading, ++reading);
        return blob
          .content(ends)
          .pipe(new PassThrough())
          .once("end", () => void reading--);
      };
      return { ...blob, content };
    },
  });
  const asked = [...IDS, ...IDS].flatMap((id) => [kept.summary(id), kept.summary(id)]);
  expect(await Promise.all(asked)).not.toContain(null);
  expect([mostReading, reads]).toEqual([1, IDS.length]);
  expect(await Promise.all(IDS.map((id) => kept.whole(id)))).not.toContain(null);
  expect(mostReading).toBe(1);
});

test("what is not there yet is looked for again", async () => {
  const bucket = new MemoryBucket();
  const kept = new KeptComparisons(bucket);
  const [id = ""] = IDS;
  expect([await kept.whole(id), await kept.summary(id)]).toEqual([null, null]);
  const content = Buffer.from(JSON.stringify(sampleComparison()));
  await bucket.create(comparisonKey(id), content, { signal, compression: "none" });
  expect((await kept.whole(id))?.a).toBe(sampleComparison().a);
  expect((await kept.summary(id))?.a).toBe(sampleComparison().a);
});
