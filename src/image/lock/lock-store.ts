import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { CreameryError } from "../../base/errors.ts";
import { parseLock, renderLock, type ImageLock } from "./image-lock.ts";

/** Beside the images, and none of them: its name begins with a dot. A lock outlives its image, as its files do. */
const LOCKS = ".locks";
const SUFFIX = ".json";

/** Ids of all images whose locks are here, of removed ones too; sorted. */
export async function listLocks(imagesDir: string): Promise<string[]> {
  const names = await readdir(join(imagesDir, LOCKS)).catch(() => []);
  return names
    .filter((name) => name.endsWith(SUFFIX) && !name.startsWith("."))
    .map((name) => name.slice(0, -SUFFIX.length))
    .toSorted();
}

/** An image's lock; null where there is none. @throws CreameryError `configuration-file`. */
export async function readLock(imagesDir: string, id: string): Promise<ImageLock | null> {
  const path = pathOf(imagesDir, id);
  const text = await readFile(path, "utf8").catch((thrown: unknown) => {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return null;
    throw thrown;
  });
  return text === null ? null : parseLock(text, path);
}

/** Whole or not at all. @throws CreameryError `configuration-file` for one that could not be read again. */
export async function writeLock(imagesDir: string, lock: ImageLock): Promise<void> {
  const text = renderLock(lock);
  parseLock(text, lock.id);
  await mkdir(join(imagesDir, LOCKS), { recursive: true, mode: 0o755 });
  const beside = join(imagesDir, LOCKS, ".writing");
  await writeFile(beside, text, { mode: 0o644, flush: true });
  await rename(beside, pathOf(imagesDir, lock.id));
}

export async function removeLock(imagesDir: string, id: string): Promise<void> {
  await rm(pathOf(imagesDir, id), { force: true });
}

function pathOf(imagesDir: string, id: string): string {
  if (!/^[\w.+-]+$/u.test(id) || id.startsWith("."))
    throw new CreameryError("unknown-image", "there is no such image", { input: id });
  return join(imagesDir, LOCKS, `${id}${SUFFIX}`);
}
