import { readFileSync, statfsSync } from "node:fs";
import { freemem } from "node:os";

import { Watermark } from "./watermark.ts";

/** How full a disk may get before nothing more is claimed; with more free than twice that, claims go on. */
export const WATERMARK_BYTES = 2 * 1024 ** 3;

export interface RoomNeeds {
  /** Of one more attempt. */
  readonly memoryBytes: number;
  readonly directories: readonly string[];
  readonly watermarkBytes?: number;
}

export interface RoomFacts {
  readonly memoryFreeBytes: number;
  /** The least of the directories'. */
  readonly diskFreeBytes: number;
}

/** Whether a host can hold one more attempt: memory, and disks that must not fill up. */
export class Room {
  readonly #needs: RoomNeeds;
  readonly #look: () => RoomFacts;
  readonly #watermark: Watermark;

  constructor(needs: RoomNeeds, look: () => RoomFacts = () => roomFacts(needs.directories)) {
    this.#needs = needs;
    this.#look = look;
    this.#watermark = new Watermark(needs.watermarkBytes ?? WATERMARK_BYTES);
  }

  facts(): RoomFacts {
    return this.#look();
  }

  /** Why there is no room now; null where there is. A disk that was full has to be half empty again, so to speak. */
  lack(): string | null {
    const { memoryFreeBytes, diskFreeBytes } = this.#look();
    if (this.#watermark.isBelow(diskFreeBytes))
      return `${gib(diskFreeBytes)} of disk are free: claims wait below ${gib(this.#watermark.bytes)}, until there is twice as much`;
    if (memoryFreeBytes < this.#needs.memoryBytes)
      return `${gib(memoryFreeBytes)} of memory are free, and an attempt may take ${gib(this.#needs.memoryBytes)}`;
    return null;
  }
}

export function roomFacts(directories: readonly string[]): RoomFacts {
  const disks = directories.map((directory) => {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  });
  return { memoryFreeBytes: availableMemory(), diskFreeBytes: Math.min(...disks) };
}

/** MemAvailable counts what caches would give back, which os.freemem does not. */
export function availableMemory(): number {
  const line = /^MemAvailable:\s+(\d+) kB$/mu.exec(readFileSync("/proc/meminfo", "utf8"));
  return line === null ? freemem() : Number(line[1]) * 1024;
}

export function gib(bytes: number): string {
  return `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
}
