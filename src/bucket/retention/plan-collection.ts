import type { BlobEntry } from "../bucket.ts";
import {
  AGAIN,
  attemptOf,
  ATTEMPTS,
  COMPARISONS,
  IMAGE_FILES,
  isLockName,
  SOURCES,
} from "./kept-names.ts";
import type { RetentionPolicy } from "./retention-facts.ts";
import type { Retention } from "./retention-of.ts";

export interface CollectionFacts {
  readonly entries: Iterable<BlobEntry>;
  /** By attempt, of all that the store knows. */
  readonly retention: ReadonlyMap<string, Retention>;
  /** Keys of sources that an attempt refers to; null where what it says can't be read. */
  readonly references: ReadonlyMap<string, readonly string[] | null>;
  readonly imageFiles: ReadonlySet<string> | null;
  readonly policy: RetentionPolicy;
  readonly nowMs: number;
}

export interface Removal {
  readonly key: string;
  readonly storedBytes: number;
  readonly because: RemovalReason;
  /** The attempt that it belongs to. */
  readonly attempt: string | null;
}

export type RemovalReason =
  /** Of its attempt only the lock is kept. */
  | "lock-only"
  /** No store knows its attempt, and it is old. */
  | "unknown-attempt"
  /** What would run it again is gone. */
  | "remnant"
  /** All together is larger than the bound, and this is the oldest that is not pinned. */
  | "size-bound"
  /** A comparison of long ago. */
  | "old-comparison"
  /** Nothing that is kept refers to it. */
  | "unreferenced";

export interface CollectionPlan {
  /** In the order in which they are to be removed; those of one attempt side by side, before the sources that they name. */
  readonly removals: readonly Removal[];
  /** Of all that was there. */
  readonly totalBytes: number;
  /** Of what is left. */
  readonly keptBytes: number;
  /** Of what no bound removes: pinned attempts with their sources, what is young, what belongs to others. */
  readonly pinnedBytes: number;
  /** By so much what is left exceeds the bound. */
  readonly overBytes: number;
  /** Attempts whose word on their sources can't be read: no source is collected. */
  readonly unreadable: readonly string[];
}

/** Of what `creamery compare` found all is kept for so long: it is small, and says what no attempt says alone. */
export const COMPARISON_DAYS = 365;
const DAY_MS = 24 * 3_600_000;

interface Dir {
  readonly id: string;
  readonly entries: BlobEntry[];
  youngestMs: number;
}

/** Decides what goes; pure. Whoever does it looks again at each before it goes. */
export function planCollection(facts: CollectionFacts): CollectionPlan {
  const { policy, nowMs } = facts;
  const isOld = (madeMs: number): boolean => madeMs < nowMs - policy.graceMs;
  const { dirs, sources, imageFiles, comparisons, totalBytes } = sorted(facts.entries);
  const removals: Removal[] = [];
  let keptBytes = totalBytes;
  const remove = (entry: BlobEntry, because: RemovalReason, attempt: string | null): void => {
    removals.push({ key: entry.key, storedBytes: entry.storedBytes, because, attempt });
    keptBytes -= entry.storedBytes;
  };

  for (const entry of comparisons)
    if (isOld(entry.madeMs) && entry.madeMs < nowMs - COMPARISON_DAYS * DAY_MS)
      remove(entry, "old-comparison", null);

  /** How many of those that stay refer to a source. */
  const references = new Map<string, number>();
  const unreadable: string[] = [];
  const refer = (id: string, by: 1 | -1): void => {
    const keys = facts.references.get(id);
    if (keys === null && by === 1) unreadable.push(id);
    for (const key of keys ?? []) references.set(key, (references.get(key) ?? 0) + by);
  };
  const lockOnly: Dir[] = [];
  // Also those of which nothing is in the bucket any more: a pinned one's source is pinned with it.
  for (const [id, { keeps }] of facts.retention)
    if (keeps === "whole" && !dirs.has(id)) refer(id, 1);
  for (const dir of dirs.values()) {
    const kept = facts.retention.get(dir.id);
    if (kept === undefined && isOld(dir.youngestMs)) {
      for (const entry of ordered(dir)) remove(entry, "unknown-attempt", dir.id);
      continue;
    }
    if (kept?.keeps === "lock") {
      const whole = dir.entries.some(({ key }) => key === `${ATTEMPTS}${dir.id}/${AGAIN}`);
      const stays: BlobEntry[] = [];
      for (const entry of ordered(dir)) {
        const isKept = whole && isLockName(attemptOf(entry.key)?.name ?? "");
        if (isKept || !isOld(entry.madeMs)) stays.push(entry);
        else remove(entry, whole ? "lock-only" : "remnant", dir.id);
      }
      if (whole && isOld(dir.youngestMs)) lockOnly.push({ ...dir, entries: stays });
    }
    refer(dir.id, 1);
  }

  const collectable = ({ key, madeMs }: BlobEntry): boolean =>
    unreadable.length === 0 && isOld(madeMs) && (references.get(key) ?? 0) === 0;
  const freed = sources.filter(collectable);
  const orphans = imageFiles.filter(
    ({ key, madeMs }) =>
      facts.imageFiles?.has(key.slice(IMAGE_FILES.length)) === false && isOld(madeMs),
  );
  for (const { storedBytes } of [...freed, ...orphans]) keptBytes -= storedBytes;

  const bound = policy.maxBytes ?? Number.POSITIVE_INFINITY;
  const bySource = new Map(sources.map((source) => [source.key, source]));
  let pinnedBytes = keptBytes;
  // Ids are made in the order of time.
  for (const dir of lockOnly.toSorted((left, right) => (left.id < right.id ? -1 : 1))) {
    refer(dir.id, -1);
    const own = (facts.references.get(dir.id) ?? []).flatMap((key) => {
      const source = bySource.get(key);
      return source !== undefined && collectable(source) ? [source] : [];
    });
    pinnedBytes -= [...dir.entries, ...own].reduce((sum, one) => sum + one.storedBytes, 0);
    // From here on it is only counted: what of the rest no bound would spare.
    if (keptBytes <= bound) continue;
    for (const entry of dir.entries) remove(entry, "size-bound", dir.id);
    for (const { storedBytes } of own) keptBytes -= storedBytes;
    freed.push(...own);
  }
  for (const { key, storedBytes } of [...freed, ...orphans])
    removals.push({ key, storedBytes, because: "unreferenced", attempt: null });
  return {
    removals,
    totalBytes,
    keptBytes,
    pinnedBytes,
    overBytes: Math.max(0, keptBytes - bound),
    unreadable,
  };
}

function sorted(entries: Iterable<BlobEntry>) {
  const dirs = new Map<string, Dir>();
  const sources: BlobEntry[] = [];
  const imageFiles: BlobEntry[] = [];
  const comparisons: BlobEntry[] = [];
  let totalBytes = 0;
  for (const entry of entries) {
    totalBytes += entry.storedBytes;
    const attempt = attemptOf(entry.key);
    if (attempt !== null) {
      const dir = dirs.get(attempt.id) ?? { id: attempt.id, entries: [], youngestMs: 0 };
      dirs.set(attempt.id, dir);
      dir.entries.push(entry);
      dir.youngestMs = Math.max(dir.youngestMs, entry.madeMs);
    } else if (entry.key.startsWith(SOURCES)) sources.push(entry);
    else if (entry.key.startsWith(IMAGE_FILES)) imageFiles.push(entry);
    else if (entry.key.startsWith(COMPARISONS)) comparisons.push(entry);
  }
  return { dirs, sources, imageFiles, comparisons, totalBytes };
}

/**
 * What would run it again goes first: without it the rest is a remnant, which the next collection takes, however this one
 * ends.
 */
function ordered({ id, entries }: Dir): BlobEntry[] {
  const again = `${ATTEMPTS}${id}/${AGAIN}`;
  return entries.toSorted((left, right) =>
    left.key === again ? -1 : right.key === again ? 1 : left.key < right.key ? -1 : 1,
  );
}
