import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

import { DirectoryBucket } from "../bucket/directory-bucket.ts";
import { sampleLock } from "./lock/image-lock.sample.ts";
import { BucketFiles } from "./lock/kept-files.ts";
import { rebuildImage } from "./rebuild-image.ts";

test("a lock of another architecture is refused before anything is made", async () => {
  const imagesDir = mkdtempSync(join(tmpdir(), "rebuild-"));
  const kept = new BucketFiles(await DirectoryBucket.open(join(imagesDir, "b")), imagesDir);
  const lock = sampleLock({ architecture: "riscv64", packages: [] });
  const { signal } = new AbortController();
  const refused = rebuildImage({ lock, kept, imagesDir, signal });
  await expect(refused).rejects.toMatchObject({
    code: "configuration-file",
    input: lock.id,
    nextStep: "build it on a host that is riscv64",
  });
  expect(readdirSync(imagesDir)).toEqual(["b"]);
  rmSync(imagesDir, { recursive: true });
});
