import { sql, type Kysely } from "kysely";

import type { Outcome } from "../../model/attempt.ts";
import type { Within } from "../../model/authorise.ts";
import { newAttemptId } from "../attempt-id.ts";
import type { Database } from "../database.ts";
import type { Tables } from "../schema.ts";
import type { NonPass, StoredAttempt } from "../store.ts";
import { attemptOf } from "./result-row.ts";
import { joinedResults } from "./sql-store.ts";
import { isVisible } from "./visible-projects.ts";

export interface ResultQuery {
  readonly within: Within;
  /** Normalised name. */
  readonly project?: string;
  readonly version?: string;
  readonly configuration?: string;
  readonly outcome?: Outcome;
  /** At most so many, newest first. */
  readonly limit: number;
  /** Only attempts older than this one, for the next page. */
  readonly olderThan?: string;
}

export interface ResultPage {
  readonly results: readonly StoredAttempt[];
  /** `olderThan` of the next page; null on the last. A page may be short, or empty, and not be the last. */
  readonly next: string | null;
}

/** Of all projects together, one page looks through so many: no filter that fits little is a way to keep the store busy. */
export const MOST_LOOKED_THROUGH = 20_000;

/** Results that fit, newest first. */
export async function resultsPage(
  database: Database,
  query: ResultQuery,
  mostLookedThrough: number = MOST_LOOKED_THROUGH,
): Promise<ResultPage> {
  return database.read(async (db) => {
    // What no result has is found out before any is looked at.
    const names = [
      ["project", query.project],
      ["configuration", query.configuration],
    ] as const;
    const ids: Partial<Record<"project" | "configuration", number>> = {};
    for (const [table, name] of names) {
      if (name === undefined) continue;
      const found = await db.selectFrom(table).select("id").where("name", "=", name).execute();
      const [only] = found;
      if (only === undefined) return { results: [], next: null };
      ids[table] = only.id;
    }
    const end =
      ids.project === undefined ? await windowEnd(db, query.olderThan, mostLookedThrough) : null;
    let select = joinedResults(db)
      .where(isVisible(query.within))
      .orderBy("result.id", "desc")
      .limit(query.limit + 1);
    if (ids.project !== undefined) select = select.where("result.project_id", "=", ids.project);
    if (ids.configuration !== undefined)
      select = select.where("result.configuration_id", "=", ids.configuration);
    if (query.version !== undefined) select = select.where("release.version", "=", query.version);
    if (query.outcome !== undefined) select = select.where("result.outcome", "=", query.outcome);
    if (query.olderThan !== undefined) select = select.where("result.id", "<", query.olderThan);
    if (end !== null) select = select.where("result.id", ">=", end);
    const found = (await select.execute()).map(attemptOf);
    const results = found.slice(0, query.limit);
    const last = found.length > query.limit ? results.at(-1)?.attempt.id : undefined;
    return { results, next: last ?? end };
  });
}

/** The oldest id that one page may look at; null where it may look at all that is left. */
export async function windowEnd(
  db: Kysely<Tables>,
  olderThan: string | undefined,
  most: number,
): Promise<string | null> {
  let select = db
    .selectFrom("result")
    .select("id")
    .orderBy("id", "desc")
    .limit(1)
    .offset(most - 1);
  if (olderThan !== undefined) select = select.where("id", "<", olderThan);
  return (await select.executeTakeFirst())?.id ?? null;
}

/** One attempt by its whole id, if it is among what somebody gets to see. */
export async function visibleResult(
  database: Database,
  id: string,
  within: Within,
): Promise<StoredAttempt | null> {
  const row = await database.read((db) =>
    joinedResults(db).where("result.id", "=", id).where(isVisible(within)).executeTakeFirst(),
  );
  return row === undefined ? null : attemptOf(row);
}

/**
 * The newest attempt of each configuration, by configuration; runs that only confirmed another are left out.
 * @param version only of this release; else of any.
 */
export async function newestPerConfiguration(
  database: Database,
  project: string,
  version?: string,
): Promise<readonly StoredAttempt[]> {
  const rows = await database.read((db) => {
    let newest = db
      .selectFrom("result")
      .innerJoin("project", "project.id", "result.project_id")
      .innerJoin("release", "release.id", "result.release_id")
      .where("project.name", "=", project)
      .where("result.reason", "!=", "confirm")
      .groupBy("result.configuration_id")
      .select(({ fn }) => fn.max("result.id").as("id"));
    if (version !== undefined) newest = newest.where("release.version", "=", version);
    return joinedResults(db)
      .where("result.id", "in", newest)
      .orderBy("configuration.name")
      .execute();
  });
  return rows.map(attemptOf);
}

/** Tests of an attempt that did not pass, by their names, a page at a time. @param after the last name of the page before. */
export async function failuresPage(
  database: Database,
  attemptId: string,
  limit: number,
  after?: string,
): Promise<readonly NonPass[]> {
  const rows = await database.read((db) => {
    let select = db
      .selectFrom("result_failure")
      .innerJoin("test", "test.id", "result_failure.test_id")
      .select(["test.name as id", "result_failure.outcome", "result_failure.message"])
      .where("result_failure.result_id", "=", attemptId)
      .orderBy("test.name")
      .limit(limit);
    if (after !== undefined) select = select.where("test.name", ">", after);
    return select.execute();
  });
  return rows.map(({ id, outcome, message }) => ({
    id,
    outcome: outcome === "error" ? ("error" as const) : ("failed" as const),
    message,
  }));
}

/** A page of what anybody may see, oldest first, for copies of it. @param after the id of the last of the page before. */
export async function publicResultsAfter(
  database: Database,
  after: string,
  limit: number,
): Promise<readonly StoredAttempt[]> {
  const rows = await database.read((db) =>
    joinedResults(db)
      .where("project.visibility", "=", sql.lit("public"))
      .where("result.id", ">", after)
      .orderBy("result.id")
      .limit(limit)
      .execute(),
  );
  return rows.map(attemptOf);
}

/** Tests that did not pass of several attempts, in the order of their names. */
export async function failuresOf(
  database: Database,
  attemptIds: readonly string[],
): Promise<readonly (NonPass & { readonly attempt: string })[]> {
  if (attemptIds.length === 0) return [];
  const rows = await database.read((db) =>
    db
      .selectFrom("result_failure")
      .innerJoin("test", "test.id", "result_failure.test_id")
      .select([
        "result_failure.result_id as attempt",
        "test.name as id",
        "result_failure.outcome",
        "result_failure.message",
      ])
      .where("result_failure.result_id", "in", attemptIds)
      .execute(),
  );
  return rows.map(({ attempt, id, outcome, message }) => ({
    attempt,
    id,
    outcome: outcome === "error" ? ("error" as const) : ("failed" as const),
    message,
  }));
}

/** How many attempts that were begun since an instant have come to an end, of what somebody gets to see. */
export async function countSince(
  database: Database,
  sinceMs: number,
  within: Within,
): Promise<number> {
  // Ids are made in the order of time: this is the first that could have been made then.
  const first = newAttemptId(sinceMs, Buffer.alloc(16));
  const row = await database.read((db) =>
    db
      .selectFrom("result")
      .innerJoin("project", "project.id", "result.project_id")
      .select(({ fn }) => fn.countAll<number>().as("count"))
      .where("result.id", ">=", first)
      .where(isVisible(within))
      .executeTakeFirstOrThrow(),
  );
  return row.count;
}
