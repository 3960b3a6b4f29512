import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import type { Directories } from "../directories.ts";
import { snapshotsDirectory } from "./snapshot-manifest.ts";

/** Where the disk of one virtual machine is while it is being opened; then its name is taken away. */
export function scratchDisk(directories: Directories, sessionId: string, guestId: string): string {
  return join(scratchDisks(directories), `${sessionId}.${guestId}`);
}

/** What a session left that was ended in that moment. */
export function removeScratchDisks(directories: Directories, sessionId: string): void {
  for (const name of namesIn(scratchDisks(directories)))
    if (name.startsWith(`${sessionId}.`))
      rmSync(join(scratchDisks(directories), name), { force: true });
}

export function scratchDisks(directories: Directories): string {
  return join(snapshotsDirectory(directories), "scratch");
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    // No virtual machine was ever started here.
    return [];
  }
}
