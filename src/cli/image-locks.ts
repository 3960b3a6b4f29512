import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";

import { CreameryError } from "../base/errors.ts";
import { loadImage } from "../image/image-store.ts";
import { lockedFiles, renderLock, type ImageLock } from "../image/lock/image-lock.ts";
import { listLocks, readLock } from "../image/lock/lock-store.ts";
import type { ImageManifest } from "../image/manifest.ts";
import type { LauncherClient } from "../launcher/client.ts";
import { askerCwd } from "./farm/asker-cwd.ts";
import { buildProgress } from "./farm/ensure-image.ts";

/** `image lock`, `image build --locked` and `image rm`: what has to do with the files that images were made of. */

export interface LockOptions {
  readonly imagesDir: string;
  readonly launcher: LauncherClient;
  readonly signal: AbortSignal;
  /** A line of progress. */
  readonly tell: (line: string) => void;
}

/** The text of an image's lock, of one that was removed too. @throws CreameryError `unknown-image`. */
export async function lockText(imagesDir: string, id: string): Promise<string> {
  const lock = await readLock(imagesDir, id);
  if (lock !== null) return renderLock(lock);
  await loadImage(imagesDir, id);
  throw new CreameryError("unknown-image", "has no lock: it was built before builds wrote one", {
    input: id,
    nextStep: "`creamery image build --force` writes one",
  });
}

/** Writes it with the rights of the person who asked. @returns the path. @throws CreameryError `output-file`. */
export async function writeLockTo(
  file: string,
  text: string,
  { launcher, signal }: LockOptions,
): Promise<string> {
  const path = resolve(askerCwd(), file);
  const content = "image-lock";
  await writeFile(launcher.exchangePath(content), text);
  await launcher.request({ kind: "write-user-file", path, content }, { signal });
  return path;
}

/** @returns the image of a lock's file, and whether it was built now. */
export async function rebuildFrom(
  file: string,
  force: boolean,
  { imagesDir, launcher, signal, tell }: LockOptions,
): Promise<{ image: ImageManifest; built: boolean }> {
  let built = false;
  const show = buildProgress(tell);
  const { imageId } = await launcher.request(
    { kind: "rebuild-image", path: resolve(askerCwd(), file), force },
    {
      signal,
      onProgress: (event) => {
        built = true;
        show(event);
      },
    },
  );
  return { image: await loadImage(imagesDir, imageId), built };
}

/** Removes an image, with `files` also what it was made of. @returns what to say of it. */
export async function removeImageOf(
  id: string,
  files: boolean,
  { imagesDir, launcher, signal }: LockOptions,
): Promise<string> {
  const lock = await readLock(imagesDir, id).catch(() => null);
  if (lock === null || !files) await loadImage(imagesDir, id);
  const alone = lock === null ? 0 : await bytesOf(lock, imagesDir);
  const released = await launcher.request({ kind: "remove-image", imageId: id, files }, { signal });
  if (files) return `removed ${id}, its lock and ${megabytes(released.bytes)} of kept files`;
  if (lock === null) return `removed ${id}`;
  return `removed ${id}; its lock and ${megabytes(alone)} of kept files, which no other lock names, stay until \`image rm --files ${id}\``;
}

/** Of what no other lock names. */
async function bytesOf(lock: ImageLock, imagesDir: string): Promise<number> {
  const others = (await listLocks(imagesDir)).filter((id) => id !== lock.id);
  const locks = await Promise.all(others.map((id) => readLock(imagesDir, id).catch(() => null)));
  const shared = new Set(
    locks
      .flatMap((other) => (other === null ? [] : lockedFiles(other)))
      .map(({ sha256 }) => sha256),
  );
  return lockedFiles(lock)
    .filter(({ sha256 }) => !shared.has(sha256))
    .reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
