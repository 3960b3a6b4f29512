import { readdir, readFile } from "node:fs/promises";
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { join } from "node:path";

import { CreameryError } from "../base/errors.ts";
import { ImageManifest } from "./manifest.ts";
import { sha256OfFile } from "../base/hash-file.ts";
import { entryLine, pathOf, TreeHash, walkTree } from "./tree-hash.ts";

/** Whole images, newest first. What is half made has another name and is not among them. */
export async function listImages(imagesDir: string): Promise<ImageManifest[]> {
  const names = await readdir(imagesDir).catch(() => []);
  const images: ImageManifest[] = [];
  for (const name of names) {
    if (name.startsWith(".")) continue;
    const manifest = await loadImage(imagesDir, name).catch(() => null);
    if (manifest !== null) images.push(manifest);
  }
  return images.toSorted((left, right) => right.built.at.localeCompare(left.built.at));
}

/** @throws CreameryError `unknown-image`. */
export async function loadImage(imagesDir: string, id: string): Promise<ImageManifest> {
  const text = await readFile(join(imagesDir, id, "manifest.json"), "utf8").catch(
    (cause: unknown) => {
      throw new CreameryError("unknown-image", "there is no such image", {
        input: id,
        nextStep: "`creamery image list` shows those that are there",
        cause,
      });
    },
  );
  const parsed = ImageManifest.safeParse(JSON.parse(text));
  if (!parsed.success)
    throw new CreameryError("image-bad", "its manifest cannot be read", {
      input: id,
      nextStep: `remove it with \`creamery image rm ${id}\``,
      cause: parsed.error,
    });
  return parsed.data;
}

/** The newest image made from this definition, or null: reads manifests only. */
export async function currentImage(
  imagesDir: string,
  definitionSha256: string,
): Promise<ImageManifest | null> {
  const images = await listImages(imagesDir);
  return images.find((image) => image.definitionSha256 === definitionSha256) ?? null;
}

export interface Verification {
  readonly sound: boolean;
  readonly files: number;
  /** What differs, at most 20 lines: `changed usr/bin/x`, `missing …`, `added …`. */
  readonly differences: readonly string[];
}

/** Reads every byte of an image again and compares it with what was recorded when it was built. */
export async function verifyImage(
  imagesDir: string,
  id: string,
  signal?: AbortSignal,
): Promise<Verification> {
  const manifest = await loadImage(imagesDir, id);
  const recorded = new Map<string, string>();
  const lines = createInterface({
    input: createReadStream(join(imagesDir, id, "tree.jsonl")),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  for await (const line of lines) recorded.set(pathOf(line), line);
  const differences: string[] = [];
  const differ = (what: string) => {
    if (differences.length < 20) differences.push(what);
  };
  const hash = new TreeHash();
  let files = 0;
  for await (const entry of walkTree(join(imagesDir, id, "rootfs"), signal)) {
    files++;
    hash.add(entry);
    const before = recorded.get(entry.path);
    if (before === undefined) differ(`added ${entry.path}`);
    else if (before !== entryLine(entry)) differ(`changed ${entry.path}`);
    recorded.delete(entry.path);
  }
  for (const path of recorded.keys()) differ(`missing ${path}`);
  if (manifest.kernel !== null) {
    for (const [name, sha256] of [
      ["vmlinuz", manifest.kernel.vmlinuzSha256],
      ["initrd.img", manifest.kernel.initrdSha256],
    ] as const) {
      const found = await sha256OfFile(join(imagesDir, id, "boot", name)).catch(() => "");
      if (found !== sha256) differ(`changed boot/${name}`);
    }
  }
  // The record itself may have been tampered with: the tree must still hash to the manifest's own.
  if (differences.length === 0 && hash.digest() !== manifest.treeSha256)
    differ("changed tree.jsonl");
  return { sound: differences.length === 0, files, differences };
}
