import type { Kysely } from "kysely";

import type { Outcome } from "../../model/attempt.ts";
import type { Within } from "../../model/authorise.ts";
import type { Database } from "../database.ts";
import type { Tables } from "../schema.ts";
import type { JobReason, NonPass, StoredAttempt } from "../store.ts";
import { attemptOf, NO_BASELINE } from "./result-row.ts";
import { joinedResults } from "./sql-store.ts";
import { isVisible } from "./visible-projects.ts";
import { AnOutcome, AReason } from "./stored-words.ts";

/** What one attempt has to do with others: each asked by an index, of so many rows at most. */

/** So many attempts of one project and configuration are looked through, for those that ran an older one again. */
export const MOST_RERUNS_LOOKED_THROUGH = 200;
/** So many begin alike before a beginning says too little. */
const MOST_BEGUN_ALIKE = 500;
const ID_CHARS = 16;

/** The one attempt whose id begins so, of those that somebody gets to see; null where there is none or more than one. */
export async function attemptBegunWith(
  database: Database,
  beginning: string,
  within: Within,
): Promise<string | null> {
  const rows = await database.read((db) => {
    // `z` is the last of the letters of an id.
    const alike = db
      .selectFrom("result")
      .select(["result.id", "result.project_id"])
      .where("result.id", ">=", beginning)
      .where("result.id", "<=", beginning + "z".repeat(ID_CHARS))
      .orderBy("result.id")
      .limit(MOST_BEGUN_ALIKE)
      .as("alike");
    return db
      .selectFrom(alike)
      .innerJoin("project", "project.id", "alike.project_id")
      .select("alike.id")
      .where(isVisible(within))
      .limit(2)
      .execute();
  });
  const [only] = rows;
  return only !== undefined && rows.length === 1 ? only.id : null;
}

/** What an attempt is compared with: as `Store.latestComparable`, of one that is known by its id. */
export async function baselineOf(
  database: Database,
  id: string,
  within: Within,
): Promise<StoredAttempt | null> {
  const row = await database.read(async (db) => {
    const cell = await cellOf(db, id);
    if (cell === undefined) return undefined;
    return joinedResults(db)
      .where("result.project_id", "=", cell.project_id)
      .where("result.configuration_id", "=", cell.configuration_id)
      .where("result.id", "<", id)
      .where("result.reason", "not in", ["confirm", "experiment"])
      .where((expression) =>
        expression.or([
          expression("result.cause_kind", "is", null),
          expression("result.cause_kind", "not in", NO_BASELINE),
        ]),
      )
      .where(isVisible(within))
      .orderBy("result.id", "desc")
      .limit(1)
      .executeTakeFirst();
  });
  return row === undefined ? null : attemptOf(row);
}

export interface Rerun {
  readonly id: string;
  readonly reason: JobReason;
  readonly outcome: Outcome;
  readonly causeKind: string | null;
}

/**
 * Attempts that ran this one again, oldest first: looked for among the next ones of its project and configuration, where those
 * that confirm it always are.
 */
export async function rerunsOf(
  database: Database,
  id: string,
  within: Within,
  mostLookedThrough = MOST_RERUNS_LOOKED_THROUGH,
): Promise<readonly Rerun[]> {
  const rows = await database.read(async (db) => {
    const cell = await cellOf(db, id);
    if (cell === undefined) return [];
    const later = db
      .selectFrom("result")
      .select(["id", "project_id", "reason", "outcome", "cause_kind", "of_attempt"])
      .where("project_id", "=", cell.project_id)
      .where("configuration_id", "=", cell.configuration_id)
      .where("id", ">", id)
      .orderBy("id")
      .limit(mostLookedThrough)
      .as("later");
    return db
      .selectFrom(later)
      .innerJoin("project", "project.id", "later.project_id")
      .select(["later.id", "later.reason", "later.outcome", "later.cause_kind"])
      .where("later.of_attempt", "=", id)
      .where(isVisible(within))
      .orderBy("later.id")
      .execute();
  });
  return rows.map((row) => ({
    id: row.id,
    reason: AReason.parse(row.reason),
    outcome: AnOutcome.parse(row.outcome),
    causeKind: row.cause_kind,
  }));
}

/** Whether there is such an attempt, and somebody gets to see it. */
export async function isVisibleAttempt(
  database: Database,
  id: string,
  within: Within,
): Promise<boolean> {
  const row = await database.read((db) =>
    db
      .selectFrom("result")
      .innerJoin("project", "project.id", "result.project_id")
      .select("result.id")
      .where("result.id", "=", id)
      .where(isVisible(within))
      .executeTakeFirst(),
  );
  return row !== undefined;
}

function cellOf(db: Kysely<Tables>, id: string) {
  return db
    .selectFrom("result")
    .select(["project_id", "configuration_id"])
    .where("id", "=", id)
    .executeTakeFirst();
}

/** Which tests of an attempt did not pass, without what they said; at most so many. */
export async function failingTestsOf(
  database: Database,
  id: string,
  limit: number,
): Promise<readonly Pick<NonPass, "id" | "outcome">[]> {
  const rows = await database.read((db) =>
    db
      .selectFrom("result_failure")
      .innerJoin("test", "test.id", "result_failure.test_id")
      .select(["test.name as id", "result_failure.outcome"])
      .where("result_failure.result_id", "=", id)
      .orderBy("result_failure.test_id")
      .limit(limit)
      .execute(),
  );
  return rows.map(({ id: test, outcome }) => ({
    id: test,
    outcome: outcome === "error" ? ("error" as const) : ("failed" as const),
  }));
}
