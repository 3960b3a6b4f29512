import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { lockedFiles } from "../../image/lock/image-lock.ts";
import { sampleLock } from "../../image/lock/image-lock.sample.ts";
import { writeLock } from "../../image/lock/lock-store.ts";
import { imageFilesOf } from "./image-files.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "creamery-image-files-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test("all that a lock names", async () => {
  const lock = sampleLock();
  await writeLock(root, lock);
  expect(await imageFilesOf(root)).toEqual(new Set(lockedFiles(lock).map(({ sha256 }) => sha256)));
});

test("nothing is known where there are no locks, or one that can't be read", async () => {
  expect(await imageFilesOf(root)).toBeNull();
  mkdirSync(join(root, ".locks"));
  writeFileSync(join(root, ".locks/broken.json"), "{");
  expect(await imageFilesOf(root)).toBeNull();
});
