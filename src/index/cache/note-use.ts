import { utimes } from "node:fs/promises";

const HOUR_MS = 3_600_000;

/**
 * Notes that something kept is used, as its time of modification: at most once an hour, and whatever the file system does with
 * times of access. What was noted less than an hour ago, by any process, is left as it is.
 *
 * This is also what keeps a file from being collected under who has just found it: a collection spares what was used within its
 * grace, which is longer than an hour, and looks again once it has the file out of the way (collect-index.ts).
 * @param found as stat() has just said it.
 * @returns false when it is there no more.
 */
export async function noteUse(
  path: string,
  { mtimeMs }: { readonly mtimeMs: number },
): Promise<boolean> {
  const nowMs = Date.now();
  // One that lies ahead is of a clock that went wrong.
  if (Math.abs(nowMs - mtimeMs) < HOUR_MS) return true;
  try {
    await utimes(path, nowMs / 1000, nowMs / 1000);
    return true;
  } catch (thrown) {
    // On a file system that is read-only now, say, it is still there.
    return !(thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT");
  }
}
