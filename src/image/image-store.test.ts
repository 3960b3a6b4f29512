import { chmod, mkdir, mkdtemp, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { currentImage, listImages, loadImage, verifyImage } from "./image-store.ts";
import { sampleManifest } from "./manifest.sample.ts";
import { removeImage } from "./remove-image.ts";
import { entryLine, TreeHash, walkTree } from "./tree-hash.ts";

const ID = "2026.11.1+00000000";
let images: string;
let rootfs: string;

/** A small image, recorded as a build records one. */
async function makeImage(
  id: string,
  builtAt: string,
  definitionSha256 = "d".repeat(64),
): Promise<void> {
  const root = join(images, id, "rootfs");
  await mkdir(join(root, "usr/bin"), { recursive: true });
  await writeFile(join(root, "usr/bin/tool"), "#!/bin/sh\necho one\n", { mode: 0o755 });
  await mkdir(join(root, "usr/lib/__pycache__"), { recursive: true });
  await writeFile(join(root, "usr/lib/__pycache__/a.pyc"), "byte code");
  await symlink("tool", join(root, "usr/bin/link"));
  const hash = new TreeHash();
  const lines: string[] = [];
  for await (const entry of walkTree(root)) {
    hash.add(entry);
    lines.push(`${entryLine(entry)}\n`);
  }
  await writeFile(join(images, id, "tree.jsonl"), lines.join(""));
  const manifest = {
    ...sampleManifest(id),
    treeSha256: hash.digest(),
    definitionSha256,
    files: lines.length,
    built: { at: builtAt, host: "builder", by: "creamery", seconds: 1 },
  };
  await writeFile(join(images, id, "manifest.json"), JSON.stringify(manifest));
}

beforeEach(async () => {
  images = await mkdtemp(join(tmpdir(), "images-"));
  rootfs = join(images, ID, "rootfs");
  await makeImage(ID, "2026-11-01T00:00:00.000Z");
});
afterEach(async () => {
  await rm(images, { recursive: true });
});

test("an image that nobody touched is sound", async () => {
  expect(await verifyImage(images, ID)).toMatchObject({ sound: true, differences: [] });
});

test.each([
  [
    "one flipped byte",
    "changed usr/bin/tool",
    () => writeFile(join(rootfs, "usr/bin/tool"), "#!/bin/sh\necho onf\n"),
  ],
  [
    "a flipped byte of byte code",
    "changed usr/lib/__pycache__/a.pyc",
    () => writeFile(join(rootfs, "usr/lib/__pycache__/a.pyc"), "byte c0de"),
  ],
  ["another mode", "changed usr/bin/tool", () => chmod(join(rootfs, "usr/bin/tool"), 0o4755)],
  ["a file more", "added usr/bin/other", () => writeFile(join(rootfs, "usr/bin/other"), "")],
  ["a file less", "missing usr/bin/tool", () => unlink(join(rootfs, "usr/bin/tool"))],
  [
    "another target of a link",
    "changed usr/bin/link",
    async () => {
      await unlink(join(rootfs, "usr/bin/link"));
      await symlink("/etc/passwd", join(rootfs, "usr/bin/link"));
    },
  ],
])("%s is found and named", async (_, difference, change) => {
  await change();
  const found = await verifyImage(images, ID);
  expect(found).toMatchObject({ sound: false, differences: [difference] });
});

test("a record that was changed along with a file does not hide the change", async () => {
  await writeFile(join(rootfs, "usr/bin/tool"), "#!/bin/sh\necho two\n");
  const lines: string[] = [];
  for await (const entry of walkTree(rootfs)) lines.push(`${entryLine(entry)}\n`);
  await writeFile(join(images, ID, "tree.jsonl"), lines.join(""));
  expect(await verifyImage(images, ID)).toMatchObject({
    sound: false,
    differences: ["changed tree.jsonl"],
  });
});

test("the newest of a definition is current; half-made ones and those of another definition are not", async () => {
  const newer = "2026.11.1+11111111";
  await makeImage(newer, "2026-11-02T00:00:00.000Z");
  await makeImage("2026.11.1+22222222", "2026-11-03T00:00:00.000Z", "e".repeat(64));
  await makeImage(".building-1", "2026-11-04T00:00:00.000Z");
  await mkdir(join(images, "2026.11.1+33333333"));
  expect((await currentImage(images, "d".repeat(64)))?.id).toBe(newer);
  expect((await listImages(images)).map(({ id }) => id)).toEqual(["2026.11.1+22222222", newer, ID]);
  expect(await currentImage(images, "f".repeat(64))).toBeNull();
});

test("removing takes exactly the one that is named", async () => {
  await makeImage("2026.11.1+11111111", "2026-11-02T00:00:00.000Z");
  await removeImage(images, ID);
  expect((await listImages(images)).map(({ id }) => id)).toEqual(["2026.11.1+11111111"]);
  await expect(removeImage(images, ID)).rejects.toMatchObject({ code: "unknown-image" });
  await expect(removeImage(images, "../images")).rejects.toMatchObject({ code: "unknown-image" });
});

test("an image of before interpreters had builders is Debian's, and what it lacks is not known", async () => {
  const { missing: _, ...manifest } = sampleManifest(ID, { interpreters: ["cpython-3.13"] });
  const interpreters = manifest.interpreters.map(
    ({ builder: _builder, origin: _origin, lacks: _lacks, ...old }) => old,
  );
  await mkdir(join(images, ID), { recursive: true });
  await writeFile(join(images, ID, "manifest.json"), JSON.stringify({ ...manifest, interpreters }));
  const loaded = await loadImage(images, ID);
  expect(loaded.missing).toEqual([]);
  expect(loaded.interpreters).toMatchObject([{ builder: "debian", origin: "debian", lacks: null }]);
});
