import { randomUUID } from "node:crypto";
import { lstat, mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";

import { PROCESS_NAME } from "../../base/process-name.ts";
import { lockMirror } from "../git/mirror-lock.ts";
import {
  MIRROR_STATE,
  SHA256,
  takeInventory,
  type Inventory,
  type KeptArea,
  type KeptUnit,
} from "./inventory.ts";

const DAY_MS = 24 * 3_600_000;
/** For somebody who fetches it now. */
const LOCK_MS = 5000;
/** Of which attempts name what they were given. */
export const PINNED_AREAS: ReadonlySet<KeptArea> = new Set(["files", "metadata", "git"]);
/** What was quarantined waits so long for somebody to look at it. */
const QUARANTINE_MS = 30 * DAY_MS;

export interface CollectIndexOptions {
  /** The index's own. */
  readonly directory: string;
  /** All that is kept, together. */
  readonly maxBytes: number;
  /** Nothing goes before so much is kept; by default the bound itself. */
  readonly beginsAtBytes?: number;
  /** What was used later than so long ago stays: somebody may be at it. Longer than any attempt takes, two hours at the least. */
  readonly graceMs: number;
  /** Names of files, metadata and mirrors of repositories that stay however long ago they were used; asked only where something must go. */
  readonly pinned: (signal: AbortSignal) => Promise<ReadonlySet<string>>;
  readonly nowMs: number;
  /** Removes nothing, and tells what would go. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

export interface CollectedIndex {
  /** Those that went, or would; the least recently used first. */
  readonly removed: readonly Pick<KeptUnit, "area" | "name" | "bytes" | "usedMs">[];
  readonly removedBytes: number;
  /** Halves of ended processes, and what was quarantined long ago. */
  readonly leftovers: { readonly count: number; readonly bytes: number };
  /** What is kept then. */
  readonly keptBytes: number;
  readonly maxBytes: number;
  /** How much too much it is then, since the rest is pinned or was used just now. */
  readonly overBytes: number;
  /** Of what stays though it is over the bound. */
  readonly pinnedBytes: number;
  readonly youngBytes: number;
}

/**
 * Brings what the mirror keeps down to its bound, the least recently used first. Safe beside whoever serves or fetches, in any
 * process, and may be ended at any instant: a file is first moved away, then looked at once more, and put back where somebody
 * found it meanwhile; who reads a file that is removed reads it to its end.
 * @throws CreameryError `unreadable-path`, what `pinned` throws, the signal's reason.
 */
export async function collectIndex(options: CollectIndexOptions): Promise<CollectedIndex> {
  const { directory, maxBytes, graceMs, nowMs, dryRun, signal } = options;
  const inventory = await takeInventory(directory, signal);
  if (!dryRun) await mkdir(asideDirectory(directory), { recursive: true });
  const leftovers = await removeLeftovers(inventory, options);
  let keptBytes = inventoryBytes(inventory) - leftovers.bytes;
  const removed: Pick<KeptUnit, "area" | "name" | "bytes" | "usedMs">[] = [];
  let pinnedBytes = 0;
  let youngBytes = 0;
  if (keptBytes > Math.max(maxBytes, options.beginsAtBytes ?? 0)) {
    const pinned = await options.pinned(signal);
    const usedBeforeMs = nowMs - graceMs;
    const oldestFirst = inventory.units.toSorted((left, right) => left.usedMs - right.usedMs);
    for (const unit of oldestFirst) {
      signal.throwIfAborted();
      const isPinned = PINNED_AREAS.has(unit.area) && pinned.has(unit.name);
      if (isPinned) pinnedBytes += unit.bytes;
      else if (unit.usedMs >= usedBeforeMs) youngBytes += unit.bytes;
      else if (keptBytes > maxBytes) {
        if (!dryRun && !(await removeUnit(unit, directory, usedBeforeMs, signal))) {
          youngBytes += unit.bytes;
          continue;
        }
        keptBytes -= unit.bytes;
        const { area, name, bytes, usedMs } = unit;
        removed.push({ area, name, bytes, usedMs });
      }
    }
  }
  if (!dryRun) await removeNames(inventory, directory);
  return {
    removed,
    removedBytes: removed.reduce((sum, { bytes }) => sum + bytes, 0),
    leftovers,
    keptBytes,
    maxBytes,
    overBytes: Math.max(0, keptBytes - maxBytes),
    pinnedBytes,
    youngBytes,
  };
}

/** Of all that is there, what others keep there too. */
export function inventoryBytes(inventory: Inventory): number {
  const { units, leftovers, names, partialBytes, others } = inventory;
  const sum = (rows: Iterable<{ readonly bytes: number }>): number =>
    [...rows].reduce((total, { bytes }) => total + bytes, 0);
  return sum(units) + sum(leftovers) + sum(names) + sum(others.values()) + partialBytes;
}

function asideDirectory(directory: string): string {
  return join(directory, "files", "partial");
}

/** @returns false where somebody has used it meanwhile. */
async function removeUnit(
  unit: KeptUnit,
  directory: string,
  usedBeforeMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const { area, paths } = unit;
  if (area === "git") return await removeRepository(unit, directory, usedBeforeMs, signal);
  for (const path of paths) {
    // Named for this process, where the next one that opens the files clears up after those that have ended.
    const aside = join(
      asideDirectory(directory),
      `${PROCESS_NAME}-gc.${Math.random().toString(36).slice(2)}`,
    );
    // Whoever has removed it has made the same room.
    if (!(await isDone(rename(path, aside)))) continue;
    const { mtimeMs } = await lstat(aside);
    if (mtimeMs >= usedBeforeMs) {
      // A page that was asked for anew is whole already, and newer than this half of it.
      if (area === "files" || !(await isDone(lstat(path)))) await rename(aside, path);
      else await rm(aside, { force: true });
      return false;
    }
    await rm(aside, { force: true });
  }
  return true;
}

/** Under its lock: nobody fetches into it meanwhile, and who asks for it then has it fetched anew. */
async function removeRepository(
  { name, paths: [path = ""] }: KeptUnit,
  directory: string,
  usedBeforeMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(LOCK_MS)]);
  const lock = await lockMirror(join(directory, "git", ".locks", name), within).catch(() => null);
  signal.throwIfAborted();
  if (lock === null) return false;
  await using _ = lock;
  const noted = await lstat(join(path, MIRROR_STATE)).catch(() => null);
  if (noted !== null && noted.mtimeMs >= usedBeforeMs) return false;
  const aside = join(directory, "git", ".new", `${PROCESS_NAME}-gc-${randomUUID()}`);
  if (await isDone(rename(path, aside))) await rm(aside, { recursive: true, force: true });
  return true;
}

/** Whether it was there. @throws what else keeps it from being done. */
async function isDone(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return false;
    throw thrown;
  }
}

async function removeLeftovers(
  { leftovers }: Inventory,
  { nowMs, dryRun }: CollectIndexOptions,
): Promise<CollectedIndex["leftovers"]> {
  const old = leftovers.filter(
    ({ kind, madeMs }) => nowMs - madeMs >= (kind === "quarantined" ? QUARANTINE_MS : DAY_MS),
  );
  if (!dryRun) for (const { path } of old) await rm(path, { force: true });
  return { count: old.length, bytes: old.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** What says which content a file has that is here no more. */
async function removeNames({ names }: Inventory, directory: string): Promise<void> {
  for (const { path } of names) {
    const sha256 = await readFile(path, "utf8").catch(() => "");
    const file = join(directory, "files", "sha256", sha256.slice(0, 2), sha256);
    if (SHA256.test(sha256) && (await isDone(lstat(file)))) continue;
    await rm(path, { force: true });
  }
}
