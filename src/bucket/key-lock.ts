import { createHash } from "node:crypto";
import { lstat, readdir, readlink, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { CreameryError } from "../base/errors.ts";
import { isOfEnded, PROCESS_NAME } from "../base/process-name.ts";

/** What a lock guards takes milliseconds: one that is older is of a process whose number another has by now. */
const STALE_MS = 60_000;
const DEADLINE_MS = 10_000;
const LONGEST_PAUSE_MS = 50;

/**
 * Waits until no other process makes this key. The lock is a symbolic link, made at once or not at all, that names
 * its process: one that has ended holds nothing.
 * @throws CreameryError `bucket` after 10 s, `interrupted`.
 */
export async function takeKeyLock(
  directory: string,
  key: string,
  signal: AbortSignal,
): Promise<AsyncDisposable> {
  const name = createHash("sha256").update(key).digest("hex").slice(0, 32);
  const path = join(directory, `${name}.lock`);
  const holder = uniqueName();
  const deadline = performance.now() + DEADLINE_MS;
  for (let pauseMs = 2; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    if (signal.aborted) throw new CreameryError("interrupted", "was interrupted", { input: key });
    if (await tryLink(holder, path)) break;
    if (await removeIfStale(directory, path)) continue;
    if (performance.now() > deadline)
      throw new CreameryError("bucket", "is being made by somebody else", {
        input: key,
        nextStep: "try again",
      });
    await sleep(pauseMs * (0.5 + Math.random()));
  }
  return {
    [Symbol.asyncDispose]: async () => {
      // Another's by now, if this one was held for too long.
      if ((await readlink(path).catch(() => null)) === holder) await rm(path, { force: true });
    },
  };
}

/** Removes what processes that were ended left in a bucket's `.new`: halves, named for their process, and locks. */
export async function removeLeftovers(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    if (name.endsWith(".lock")) await removeIfStale(directory, path);
    else if (isOfEnded(name)) await rm(path, { force: true });
  }
}

async function tryLink(holder: string, path: string): Promise<boolean> {
  try {
    await symlink(holder, path);
    return true;
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "EEXIST") return false;
    throw thrown;
  }
}

/** @returns true when the lock is gone: worth another try at once. */
async function removeIfStale(directory: string, path: string): Promise<boolean> {
  const holder = await readlink(path).catch(() => null);
  const found = await lstat(path).catch(() => null);
  if (holder === null || found === null) return true;
  if (!isOfEnded(holder) && Date.now() - found.mtimeMs < STALE_MS) return false;
  // Moved first: of two who see that it is stale, the second must not remove what the first has made anew.
  const aside = join(directory, uniqueName());
  if (
    !(await rename(path, aside).then(
      () => true,
      () => false,
    ))
  )
    return true;
  const moved = await readlink(aside).catch(() => null);
  if (moved !== holder && moved !== null) await tryLink(moved, path);
  await rm(aside, { force: true });
  return true;
}

function uniqueName(): string {
  return `${PROCESS_NAME}-${Math.random().toString(36).slice(2)}`;
}
