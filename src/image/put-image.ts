import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";

import { loadImage } from "./image-store.ts";
import type { ImageManifest } from "./manifest.ts";
import { removeTree } from "./remove-tree.ts";

/** In a build's directory, what is no part of the image. */
export const SCRATCH = "scratch";

/** Makes a whole image visible by one rename, after its manifest is on the disk. */
export async function putImage(
  building: string,
  manifest: ImageManifest,
  imagesDir: string,
): Promise<ImageManifest> {
  await rm(join(building, SCRATCH), { recursive: true });
  const target = join(imagesDir, manifest.id);
  const existing = await loadImage(imagesDir, manifest.id).catch(() => null);
  // The same tree is there, and guests may be running on it: only what is said of it and of its making is newer.
  const described = existing === null ? manifest : { ...manifest, ...keptOf(existing) };
  const path = join(building, "manifest.json");
  await using file = await open(path, "wx", 0o644);
  await file.writeFile(`${JSON.stringify(described, null, 2)}\n`);
  await file.sync();
  if (existing === null) {
    // What has this name and no manifest is no image.
    await removeTree(target);
    await rename(building, target);
  } else await rename(path, join(target, "manifest.json"));
  return described;
}

/** What is said of files that stay: byte code and the initrd, which differ from build to build, are counted or hashed in these. */
function keptOf({ files, sizeBytes, kernel }: ImageManifest) {
  return { files, sizeBytes, kernel };
}
