import { access } from "node:fs/promises";
import { join } from "node:path";

import { lockedFiles } from "../../image/lock/image-lock.ts";
import { listLocks, readLock } from "../../image/lock/lock-store.ts";

/**
 * sha256 of all files that the locks of this host's images name.
 * @returns null where not all of them can be read: then none of the files is anybody's to collect.
 */
export async function imageFilesOf(imagesDir: string): Promise<ReadonlySet<string> | null> {
  try {
    // A list that could not be read looks like one that is empty.
    await access(join(imagesDir, ".locks"));
    const found = new Set<string>();
    for (const id of await listLocks(imagesDir)) {
      const lock = await readLock(imagesDir, id);
      if (lock === null) return null;
      for (const { sha256 } of lockedFiles(lock)) found.add(sha256);
    }
    return found;
  } catch {
    return null;
  }
}
