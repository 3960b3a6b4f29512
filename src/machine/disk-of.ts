import type { FileSystemState } from "./agent/agent-link.ts";
import type { GuestCounters } from "./machine.ts";

/** What bounded file systems hold together. @param before keeps a disk that was full once known as full. */
export function diskOf(
  filesystems: readonly FileSystemState[],
  before?: Pick<GuestCounters, "diskFull">,
): Pick<GuestCounters, "diskBytes" | "diskFull"> {
  let diskBytes = 0;
  let diskFull = before?.diskFull ?? false;
  for (const { blockBytes, blocks, freeBlocks } of filesystems) {
    if (blocks === 0) continue;
    diskBytes += Math.max(0, blocks - freeBlocks) * blockBytes;
    const room = Math.min(1024 * 1024, (blocks * blockBytes) / 100);
    if (freeBlocks * blockBytes < room) diskFull = true;
  }
  return { diskBytes, diskFull };
}
