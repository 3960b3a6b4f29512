import { buffer } from "node:stream/consumers";

import type { Bucket } from "../../bucket/bucket.ts";
import { parsePylock } from "../../index/lock/pylock.ts";
import { attemptKey } from "../../worker/bucket-keys.ts";

export interface LockedRelease {
  readonly name: string;
  /** Empty where the lock names none. */
  readonly version: string;
}

export interface ReadLock {
  readonly releases: readonly LockedRelease[];
  /** Of the lock, besides those. */
  readonly left: number;
}

const MAX_LOCK_BYTES = 256 * 1024;
const MAX_RELEASES = 300;
const READ_MS = 10_000;

/**
 * What an attempt's lock names.
 * @returns `null` where none is kept; `unread` where it is too long for a page, or can't be read: as a file it is there.
 */
export async function readLock(
  bucket: Pick<Bucket, "open">,
  id: string,
): Promise<ReadLock | "unread" | null> {
  try {
    const blob = await bucket.open(attemptKey(id, "pylock.toml"));
    if (blob === null) return null;
    if (blob.sizeBytes > MAX_LOCK_BYTES) return "unread";
    const text = (await buffer(blob.content(AbortSignal.timeout(READ_MS)))).toString("utf8");
    const { packages } = parsePylock(text);
    return {
      releases: packages
        .slice(0, MAX_RELEASES)
        .map(({ name, version = "" }) => ({ name, version })),
      left: Math.max(0, packages.length - MAX_RELEASES),
    };
  } catch {
    return "unread";
  }
}
