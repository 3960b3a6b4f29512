import { rename, stat } from "node:fs/promises";
import { join } from "node:path";

import { CreameryError } from "../base/errors.ts";
import { lockBuilds } from "./build-lock.ts";
import { lockedFiles } from "./lock/image-lock.ts";
import type { KeptFiles } from "./lock/kept-files.ts";
import { listLocks, readLock, removeLock } from "./lock/lock-store.ts";
import { removeTree } from "./remove-tree.ts";

/**
 * Removes an image. Its lock stays, and the files that it names, so that it can be built again; with `kept` both go, except for
 * files that another lock names: also for an image that was removed before.
 * @returns what was released of the kept files.
 * @throws CreameryError `unknown-image`; `configuration-file` where a lock can't be read, before anything is removed.
 */
export async function releaseImage(
  imagesDir: string,
  id: string,
  kept: KeptFiles | null,
  signal: AbortSignal,
): Promise<{ files: number; bytes: number }> {
  if (kept === null) {
    await removeImage(imagesDir, id);
    return { files: 0, bytes: 0 };
  }
  // A build keeps its files before its lock is written.
  await using _lock = await lockBuilds(imagesDir, signal, () => undefined);
  const ids = await listLocks(imagesDir);
  const others = ids.filter((other) => other !== id);
  const locks = await Promise.all(others.map((other) => readLock(imagesDir, other)));
  const needed = locks.flatMap((lock) => (lock === null ? [] : lockedFiles(lock)));
  await removeImage(imagesDir, id).catch((thrown: unknown) => {
    if (!ids.includes(id) || !isUnknown(thrown)) throw thrown;
  });
  await removeLock(imagesDir, id);
  return await kept.prune(
    needed.map(({ sha256 }) => sha256),
    signal,
  );
}

function isUnknown(thrown: unknown): boolean {
  return thrown instanceof CreameryError && thrown.code === "unknown-image";
}

/** Takes an image out of use by one rename, then removes it. */
export async function removeImage(imagesDir: string, id: string): Promise<void> {
  const directory = join(imagesDir, id);
  if (
    id === "" ||
    id.startsWith(".") ||
    id.includes("/") ||
    (await stat(directory).catch(() => null)) === null
  ) {
    throw new CreameryError("unknown-image", "there is no such image", {
      input: id,
      nextStep: "`creamery image list` shows those that are there",
    });
  }
  const doomed = join(imagesDir, `.removing-${process.pid}-${id}`);
  await rename(directory, doomed);
  await removeTree(doomed);
}
