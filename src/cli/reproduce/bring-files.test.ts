import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { MemoryBucket } from "../../bucket/memory-bucket.sample.ts";
import { takeFile } from "./bring-files.ts";

const { signal } = new AbortController();
let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "creamery-bring-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const content = Buffer.from("an archive");
const sha256 = createHash("sha256").update(content).digest("hex");

test("a source is copied out of any bucket, and counts as made now", async () => {
  const bucket = new MemoryBucket();
  bucket.nowMs = () => 0;
  await bucket.create("sources/s", content, { signal, compression: "none" });
  bucket.nowMs = () => 1000;
  const path = await takeFile("sources/s", sha256, { bucket, workDirectory: root, signal });
  expect(readFileSync(path)).toEqual(content);
  expect(bucket.kept.get("sources/s")?.madeMs).toBe(1000);
});

test("one that is gone, another or damaged is told, and leaves no half", async () => {
  const bucket = new MemoryBucket();
  const take = () => takeFile("sources/s", sha256, { bucket, workDirectory: root, signal });
  await expect(take()).rejects.toMatchObject({ code: "bucket", input: "sources/s" });
  await bucket.create("sources/s", Buffer.from("x"), { signal, compression: "none" });
  await expect(take()).rejects.toMatchObject({ code: "bucket" });
  await bucket.remove("sources/s");
  await bucket.create("sources/s", Buffer.from(content), { signal, compression: "none" });
  bucket.kept.get("sources/s")?.bytes.writeUInt8(0, 0);
  await expect(take()).rejects.toMatchObject({ code: "bucket" });
  expect(readdirSync(root)).toEqual([]);
});
