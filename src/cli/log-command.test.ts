import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";

import { MemoryBucket } from "../bucket/memory-bucket.sample.ts";
import { showKept } from "./log-command.ts";

const { signal } = new AbortController();

async function shown(bucket: MemoryBucket, name: string): Promise<string> {
  const output = new PassThrough();
  const reading = text(output);
  await showKept(bucket, "a1", name, output, signal).finally(() => output.end());
  return await reading;
}

test("a log that is kept packed is shown as it was", async () => {
  const bucket = new MemoryBucket();
  const log = "== test: pytest\n".repeat(10_000);
  await bucket.create("attempts/a1/log.txt", Buffer.from(log), { signal, compression: "gzip" });
  expect(await shown(bucket, "log.txt")).toBe(log);
});

test("what is kept no more is told with what there is, and how to get it again", async () => {
  const bucket = new MemoryBucket();
  await expect(shown(bucket, "log.txt")).rejects.toMatchObject({
    message: "nothing is kept of this attempt any more",
  });
  for (const name of ["again.json", "pylock.toml"])
    await bucket.create(`attempts/a1/${name}`, Buffer.from("{}"), { signal, compression: "none" });
  await expect(shown(bucket, "log.txt")).rejects.toMatchObject({
    code: "usage",
    message: "its log is kept no more",
    nextStep: "./creamery reproduce a1 runs it again; kept are again.json, pylock.toml",
  });
  for (const name of ["none.txt", "../a2/log.txt", "", "\u001b[31m"])
    await expect(shown(bucket, name)).rejects.toMatchObject({
      code: "usage",
      nextStep: "kept are again.json, pylock.toml",
    });
});

test("who has read enough is no fault", async () => {
  const bucket = new MemoryBucket();
  const log = Buffer.from("a line\n".repeat(1_000_000));
  await bucket.create("attempts/a1/log.txt", log, { signal, compression: "gzip" });
  const output = new PassThrough();
  output.once("data", () => output.destroy());
  await showKept(bucket, "a1", "log.txt", output, signal);
  expect(output.destroyed).toBe(true);
});

test("damage is told, though some of it was shown", async () => {
  const bucket = new MemoryBucket();
  const log = Buffer.from("a line\n".repeat(10));
  await bucket.create("attempts/a1/log.txt", log, { signal, compression: "none" });
  bucket.kept.get("attempts/a1/log.txt")?.bytes.writeUInt8(0, 3);
  await expect(shown(bucket, "log.txt")).rejects.toMatchObject({ code: "bucket" });
});
