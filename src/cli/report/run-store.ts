import { join } from "node:path";

import { PROCESS_NAME } from "../../base/process-name.ts";
import type { Database } from "../../store/database.ts";
import { openDatabase } from "../../store/open-database.ts";
import { SqlStore } from "../../store/sql/sql-store.ts";
import type { Store, StoredAttempt } from "../../store/store.ts";

/** Newest attempts of a cell, among which those are that confirmed one of a run. */
const LOOKED_THROUGH = 20;

type Source = Pick<Store, "attempt" | "attempts" | "nonPasses" | "latestComparable">;

export interface RunStore extends AsyncDisposable {
  readonly database: Database;
  /** Of the run, in the order in which they were given, and those that confirmed them. */
  readonly attempts: readonly StoredAttempt[];
  readonly confirming: readonly StoredAttempt[];
}

/**
 * A store of one run alone, for pages that show nothing else: its attempts, what confirmed them, and what they are compared
 * with. It lies in a directory of files that end with the process.
 * @throws CreameryError `store`, `disk-full`.
 */
export async function openRunStore(
  source: Source,
  ids: readonly string[],
  workDirectory: string,
): Promise<RunStore> {
  await using parts = new AsyncDisposableStack();
  const file = join(workDirectory, `${PROCESS_NAME}-report.sqlite`);
  const database = parts.use(await openDatabase(file));
  const store = new SqlStore(database);
  const attempts: StoredAttempt[] = [];
  const confirming: StoredAttempt[] = [];
  const kept = new Map<string, StoredAttempt>();
  for (const id of ids) {
    const own = await source.attempt(id);
    if (own === null) continue;
    attempts.push(own);
    const before = await baselineOf(source, own);
    const again = await confirmed(source, own);
    confirming.push(...again);
    for (const one of [...(before === null ? [] : [before]), own, ...again])
      kept.set(one.attempt.id, one);
  }
  // Oldest first, as they came to be.
  for (const id of [...kept.keys()].toSorted()) {
    const one = kept.get(id);
    if (one !== undefined) await copy(source, store, one);
  }
  const open = parts.move();
  return { database, attempts, confirming, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

function baselineOf(source: Source, { attempt }: StoredAttempt): Promise<StoredAttempt | null> {
  const { id, project, configuration } = attempt;
  return source.latestComparable({ project, configuration, olderThan: id });
}

async function confirmed(
  source: Source,
  { attempt: { id, project, configuration } }: StoredAttempt,
): Promise<StoredAttempt[]> {
  const newest = await source.attempts({ project, configuration, limit: LOOKED_THROUGH });
  return newest.filter(({ of, reason }) => of === id && reason === "confirm");
}

async function copy(source: Source, store: SqlStore, stored: StoredAttempt): Promise<void> {
  const { attempt, visibility, reason, of, startedAt } = stored;
  const failed = await source.nonPasses(attempt.id);
  await store.recordAttempt({
    attempt,
    visibility,
    reason,
    ...(of === null ? {} : { of }),
    startedAt,
    results: failed.map((test) => ({ ...test, seconds: 0 })),
  });
}
