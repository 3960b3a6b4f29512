import { expect, test } from "vitest";

import { MemoryBucket } from "../../bucket/memory-bucket.sample.ts";
import { checkBucket } from "./check-bucket.ts";

const { signal } = new AbortController();

async function kept(texts: Readonly<Record<string, string>>): Promise<MemoryBucket> {
  const bucket = new MemoryBucket();
  for (const [key, text] of Object.entries(texts))
    await bucket.create(key, Buffer.from(text), { signal, compression: "none" });
  return bucket;
}

const again = (key: string) => JSON.stringify({ source: { sourceFile: { key }, wheelFile: null } });

test("what is whole is counted by room", async () => {
  const bucket = await kept({
    "attempts/a1/again.json": again("sources/s1"),
    "attempts/a1/log.txt": "log",
    "sources/s1": "source",
  });
  expect(await checkBucket(bucket, { quick: false, signal })).toEqual({
    rooms: {
      attempts: { blobs: 2, bytes: again("sources/s1").length + 3 },
      sources: { blobs: 1, bytes: 6 },
    },
    faults: [],
  });
});

test("what is damaged, says nothing or lacks its source is named", async () => {
  const bucket = await kept({
    "attempts/a1/again.json": again("sources/gone"),
    "attempts/a1/log.txt": "log",
    "attempts/a2/again.json": "{}",
  });
  bucket.kept.get("attempts/a1/log.txt")?.bytes.writeUInt8(0, 0);
  const { faults } = await checkBucket(bucket, { quick: false, signal });
  expect(faults).toEqual([
    { key: "sources/gone", fault: "is not there, and a1 refers to it" },
    { key: "attempts/a1/log.txt", fault: "is damaged: its content is not what was stored" },
    { key: "attempts/a2/again.json", fault: "does not say what runs the attempt again" },
  ]);
  const quick = await checkBucket(bucket, { quick: true, signal });
  expect(quick.faults.map(({ key }) => key)).toEqual(["sources/gone", "attempts/a2/again.json"]);
});

test("who is interrupted hears of that, and of no fault", async () => {
  const bucket = await kept({ k: "x" });
  await expect(
    checkBucket(bucket, { quick: false, signal: AbortSignal.abort(new Error("enough")) }),
  ).rejects.toThrow();
});
