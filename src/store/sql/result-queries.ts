import { sql } from "kysely";

import type { Outcome } from "../../model/attempt.ts";
import type { Within } from "../../model/authorise.ts";
import { newAttemptId } from "../attempt-id.ts";
import type { Database } from "../database.ts";
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

export async function resultsPage(
  database: Database,
  query: ResultQuery,
): Promise<readonly StoredAttempt[]> {
  const rows = await database.read((db) => {
    let select = joinedResults(db)
      .where(isVisible(query.within))
      .orderBy("result.id", "desc")
      .limit(query.limit);
    if (query.project !== undefined) select = select.where("project.name", "=", query.project);
    if (query.version !== undefined) select = select.where("release.version", "=", query.version);
    if (query.configuration !== undefined)
      select = select.where("configuration.name", "=", query.configuration);
    if (query.outcome !== undefined) select = select.where("result.outcome", "=", query.outcome);
    if (query.olderThan !== undefined) select = select.where("result.id", "<", query.olderThan);
    return select.execute();
  });
  return rows.map(attemptOf);
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
