import type { BlobEntry, Bucket, Leftovers } from "../bucket.ts";
import { attemptOf, SOURCES } from "./kept-names.ts";
import { planCollection, type CollectionPlan, type Removal } from "./plan-collection.ts";
import type { RetainedAttempt, RetentionFacts, RetentionPolicy } from "./retention-facts.ts";
import { RetentionDecider, type Retention } from "./retention-of.ts";
import { sourceReferences } from "./source-references.ts";

const MAX_REMOVALS = 20_000;
/** Halves of somebody who ended: no upload takes a day. */
const LEFTOVER_MS = 24 * 3_600_000;

export interface CollectOptions {
  readonly bucket: Bucket;
  readonly facts: RetentionFacts;
  readonly policy: RetentionPolicy;
  readonly nowMs: number;
  /** Removes nothing, and tells what would go. */
  readonly dryRun: boolean;
  /** So many in one run, in whole attempts; the next run goes on. */
  readonly maxRemovals?: number;
  readonly signal: AbortSignal;
}

export interface Collected {
  readonly plan: CollectionPlan;
  /** In `dryRun` those that would be. */
  readonly removed: readonly Removal[];
  readonly removedBytes: number;
  /** What stayed as it is needed by now, or is young again. */
  readonly spared: readonly Removal[];
  /** How many of the plan are left for the next run. */
  readonly left: number;
  readonly leftovers: Leftovers;
  /** By attempt, of all that the store knows. */
  readonly retention: ReadonlyMap<string, Retention>;
}

/**
 * Marks what is kept, then removes the rest. Safe beside whoever makes keys: what is there is listed before the store is asked,
 * nothing young goes, and each attempt is decided of anew right before something of it goes. It may end at any instant and
 * be run again; nothing is remembered between two runs.
 * @throws CreameryError `bucket`, `store`, `interrupted`.
 */
export async function collectGarbage(options: CollectOptions): Promise<Collected> {
  const { bucket, facts, policy, nowMs, dryRun, signal } = options;
  const begunBeforeMs = nowMs - LEFTOVER_MS;
  const leftovers = await bucket.collectLeftovers({ begunBeforeMs, dryRun, signal });
  const entries: BlobEntry[] = [];
  for await (const entry of bucket.entries("", signal)) entries.push(entry);
  const { retention, references } = await mark(options, entries);
  const imageFiles = await facts.imageFiles();
  const plan = planCollection({ entries, retention, references, imageFiles, policy, nowMs });

  const removed: Removal[] = [];
  const spared: Removal[] = [];
  /** Sources of those that stayed after all. */
  const needed = new Set<string>();
  const madeBeforeMs = nowMs - policy.graceMs;
  const maxRemovals = options.maxRemovals ?? MAX_REMOVALS;
  let at: string | null = null;
  let goes = true;
  for (const removal of plan.removals) {
    signal.throwIfAborted();
    // Never between two keys of one attempt.
    const begins = removal.attempt === null || removal.attempt !== at;
    if (begins && removed.length >= maxRemovals) break;
    if (begins && removal.attempt !== null) {
      at = removal.attempt;
      goes = dryRun || (await isStillGarbage(removal, at, options));
    }
    const isSpared =
      (removal.attempt !== null && !goes) ||
      needed.has(removal.key) ||
      (!dryRun && !(await bucket.remove(removal.key, { madeBeforeMs })));
    if (isSpared) {
      // Somebody is at it: the rest of it stays too, and what it refers to.
      goes = false;
      for (const key of references.get(removal.attempt ?? "") ?? []) needed.add(key);
      spared.push(removal);
    } else removed.push(removal);
  }
  return {
    plan,
    removed,
    removedBytes: removed.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
    spared,
    left: plan.removals.length - removed.length - spared.length,
    leftovers,
    retention,
  };
}

/** What the store keeps, and which sources that and the rest of the attempts that are here refer to. */
async function mark(
  { bucket, facts, policy, nowMs, signal }: CollectOptions,
  entries: readonly BlobEntry[],
) {
  const decider = new RetentionDecider(policy, nowMs);
  const retention = new Map<string, Retention>();
  const references = new Map<string, readonly string[] | null>();
  const unknown = new Set(entries.flatMap(({ key }) => attemptOf(key)?.id ?? []));
  for await (const attempt of facts.attempts(signal)) {
    signal.throwIfAborted();
    unknown.delete(attempt.id);
    const kept = decider.decide(attempt);
    retention.set(attempt.id, kept);
    if (attempt.sourceSha256 === null) continue;
    const named = await sourceReferences(bucket, attempt.id, signal);
    // Of what is pinned the source is known also where nothing else is left.
    const own = kept.keeps === "whole" ? [`${SOURCES}${attempt.sourceSha256}`] : [];
    references.set(attempt.id, named === null ? null : [...new Set([...named, ...own])]);
  }
  // Of one that is not known yet, or never will be.
  for (const id of unknown) references.set(id, await sourceReferences(bucket, id, signal));
  return { retention, references };
}

/** As the store knows it by now: a newer attempt may have made a baseline of it, and an unknown one may be known. */
async function isStillGarbage(
  { because }: Removal,
  id: string,
  { facts, policy, nowMs, signal }: CollectOptions,
): Promise<boolean> {
  const attempt = await facts.attempt(id);
  if (because === "unknown-attempt") return attempt === null;
  return attempt !== null && (await decideNow(attempt, facts, policy, nowMs, signal)) === "lock";
}

async function decideNow(
  { id, project, configuration }: RetainedAttempt,
  facts: RetentionFacts,
  policy: RetentionPolicy,
  nowMs: number,
  signal: AbortSignal,
): Promise<Retention["keeps"]> {
  const decider = new RetentionDecider(policy, nowMs);
  for await (const attempt of facts.attemptsOf(project, configuration, signal)) {
    const { keeps } = decider.decide(attempt);
    if (attempt.id === id) return keeps;
  }
  // It is there, and not among its own: nothing is certain.
  return "whole";
}
