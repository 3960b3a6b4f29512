import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { DirectoryBucket } from "../bucket/directory-bucket.ts";
import { loadImage } from "./image-store.ts";
import { sampleLock } from "./lock/image-lock.sample.ts";
import type { ImageLock } from "./lock/image-lock.ts";
import { BucketFiles } from "./lock/kept-files.ts";
import { listLocks, readLock, writeLock } from "./lock/lock-store.ts";
import { sampleManifest } from "./manifest.sample.ts";
import { releaseImage } from "./remove-image.ts";

const { signal } = new AbortController();
const [OLD, NEW] = ["2026.11.1+aaaaaaaa", "2026.11.2+bbbbbbbb"] as const;

let images = "";
let kept: BucketFiles;
beforeEach(async () => {
  const directory = mkdtempSync(join(tmpdir(), "remove-image-"));
  images = join(directory, "images");
  mkdirSync(join(directory, "from"));
  kept = new BucketFiles(await DirectoryBucket.open(join(directory, "bucket")), directory);
  for (const [id, words] of [
    [OLD, ["both", "old"]],
    [NEW, ["both", "new"]],
  ] as const) {
    mkdirSync(join(images, id), { recursive: true });
    writeFileSync(join(images, id, "manifest.json"), JSON.stringify(sampleManifest(id)));
    const lock = lockOf(id, words);
    for (const word of words) writeFileSync(join(directory, "from", fileOf(word).sha256), word);
    await kept.keep(lock.definition.files, join(directory, "from"), signal);
    await writeLock(images, lock);
  }
});
afterEach(() => rmSync(join(images, ".."), { recursive: true, force: true }));

function fileOf(word: string) {
  return { sha256: createHash("sha256").update(word).digest("hex"), sizeBytes: word.length };
}

function lockOf(id: string, words: readonly string[]): ImageLock {
  const files = words.map((name) => ({ name, ...fileOf(name) }));
  const definition = { sha256: "d".repeat(64), files };
  const treeSha256 = id.slice(-1).repeat(64);
  return sampleLock({ id, treeSha256, definition, packages: [], tools: [], archives: [] });
}

async function keptWords(): Promise<string[]> {
  const words = ["both", "new", "old"];
  const found = await kept.find(words.map((word) => fileOf(word).sha256));
  return words.filter((word) => found.some(({ sha256 }) => sha256 === fileOf(word).sha256));
}

test("an image goes, and what it can be built again from stays", async () => {
  expect(await releaseImage(images, OLD, null, signal)).toEqual({ files: 0, bytes: 0 });
  await expect(loadImage(images, OLD)).rejects.toMatchObject({ code: "unknown-image" });
  expect(await readLock(images, OLD)).toEqual(lockOf(OLD, ["both", "old"]));
  expect(await keptWords()).toEqual(["both", "new", "old"]);
});

test("its files go where that is asked for, but for those of another lock, whose image is there or not", async () => {
  await releaseImage(images, NEW, null, signal);
  expect(await releaseImage(images, OLD, kept, signal)).toEqual({ files: 1, bytes: 3 });
  expect(await keptWords()).toEqual(["both", "new"]);
  expect(await listLocks(images)).toEqual([NEW]);
  expect(await releaseImage(images, NEW, kept, signal)).toEqual({ files: 2, bytes: 7 });
  expect(readdirSync(images).filter((name) => !name.startsWith("."))).toEqual([]);
  await expect(releaseImage(images, NEW, kept, signal)).rejects.toMatchObject({
    code: "unknown-image",
  });
});

test("nothing goes where another lock can't be read: who knows what that needs", async () => {
  writeFileSync(join(images, ".locks", `${NEW}.json`), "{");
  await expect(releaseImage(images, OLD, kept, signal)).rejects.toMatchObject({
    code: "configuration-file",
  });
  expect((await loadImage(images, OLD)).id).toBe(OLD);
  expect(await keptWords()).toEqual(["both", "new", "old"]);
});

test.each(["", "..", "../images", ".locks"])("%j is no image, and nothing goes", async (id) => {
  for (const files of [null, kept])
    await expect(releaseImage(images, id, files, signal)).rejects.toMatchObject({
      code: "unknown-image",
    });
  expect(await keptWords()).toEqual(["both", "new", "old"]);
  expect(await listLocks(images)).toEqual([OLD, NEW]);
});
