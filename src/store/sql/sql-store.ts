import type { Kysely } from "kysely";

import type { Database, Within } from "../database.ts";
import type { Tables } from "../schema.ts";
import type {
  AttemptQuery,
  AttemptRecording,
  BaselineQuery,
  NonPass,
  Store,
  StoredAttempt,
} from "../store.ts";
import { isAttemptId } from "../attempt-id.ts";
import { internName, internRelease, internTest } from "./intern.ts";
import { noteKnown } from "./known-rows.ts";
import { attemptOf, NO_BASELINE, rowOf } from "./result-row.ts";
import { noteVerdict } from "./verdict-rows.ts";
import { withoutNul } from "./without-nul.ts";

/** A suite that fails everywhere is told by its counts; so many of its tests are kept here, all in the bucket. */
const MAX_NON_PASSES = 5000;
const MAX_MESSAGE_CHARS = 2000;

/** Results, in either database. */
export class SqlStore implements Store {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  recordAttempt(recording: AttemptRecording): Promise<void> {
    return this.#database.write(async (within) => {
      await insertResult(within, recording);
    });
  }

  attempt(id: string): Promise<StoredAttempt | null> {
    if (!isAttemptId(id)) return Promise.resolve(null);
    return this.#database.read(async (db) => {
      const exact = await joinedResults(db).where("result.id", "=", id).executeTakeFirst();
      if (exact !== undefined) return attemptOf(exact);
      // `~` sorts after all that an id is made of.
      const begun = await joinedResults(db)
        .where("result.id", ">=", id)
        .where("result.id", "<", `${id}~`)
        .limit(2)
        .execute();
      const [only] = begun;
      return only !== undefined && begun.length === 1 ? attemptOf(only) : null;
    });
  }

  attempts(query: AttemptQuery): Promise<readonly StoredAttempt[]> {
    return this.#database.read(async (db) => {
      let select = joinedResults(db).orderBy("result.id", "desc").limit(query.limit);
      if (query.project !== undefined) select = select.where("project.name", "=", query.project);
      if (query.configuration !== undefined)
        select = select.where("configuration.name", "=", query.configuration);
      if (query.olderThan !== undefined) select = select.where("result.id", "<", query.olderThan);
      return (await select.execute()).map(attemptOf);
    });
  }

  nonPasses(attemptId: string): Promise<readonly NonPass[]> {
    return this.#database.read(async (db) => {
      const rows = await db
        .selectFrom("result_failure")
        .innerJoin("test", "test.id", "result_failure.test_id")
        .select(["test.name as id", "result_failure.outcome", "result_failure.message"])
        .where("result_failure.result_id", "=", attemptId)
        .orderBy("test.name")
        .execute();
      return rows.map(({ id, outcome, message }) => ({
        id,
        outcome: outcome === "error" ? ("error" as const) : ("failed" as const),
        message,
      }));
    });
  }

  latestComparable(query: BaselineQuery): Promise<StoredAttempt | null> {
    return this.#database.read(async (db) => {
      let select = joinedResults(db)
        .where("project.name", "=", query.project)
        .where("configuration.name", "=", query.configuration)
        .where("result.id", "<", query.olderThan)
        .where("result.reason", "not in", ["confirm", "experiment"])
        .where((expression) =>
          expression.or([
            expression("result.cause_kind", "is", null),
            expression("result.cause_kind", "not in", NO_BASELINE),
          ]),
        )
        .orderBy("result.id", "desc")
        .limit(1);
      if (query.version !== undefined) select = select.where("release.version", "=", query.version);
      const row = await select.executeTakeFirst();
      return row === undefined ? null : attemptOf(row);
    });
  }

  oftenFailing(
    project: string,
    limit: number,
  ): Promise<readonly { id: string; attempts: number }[]> {
    return this.#database.read((db) =>
      db
        .selectFrom("result_failure")
        .innerJoin("test", "test.id", "result_failure.test_id")
        .innerJoin("project", "project.id", "test.project_id")
        .where("project.name", "=", project)
        .groupBy("test.id")
        .select(({ fn }) => [
          "test.name as id",
          fn.count<number>("result_failure.result_id").as("attempts"),
        ])
        .orderBy("attempts", "desc")
        .orderBy("test.name")
        .limit(limit)
        .execute(),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database[Symbol.asyncDispose]();
  }
}

/** Whether a result of an attempt is kept. */
export async function hasResult(db: Kysely<Tables>, attemptId: string): Promise<boolean> {
  const row = await db
    .selectFrom("result")
    .select("id")
    .where("id", "=", attemptId)
    .executeTakeFirst();
  return row !== undefined;
}

/**
 * Keeps an attempt within a transaction: once, however often it is said.
 * @returns whether a second attempt of the same would be news (`noteVerdict`).
 */
export async function insertResult(within: Within, recording: AttemptRecording): Promise<boolean> {
  const { attempt, results } = recording;
  if (await hasResult(within, attempt.id)) return false;
  const release = await internRelease(within, recording);
  const keys = {
    ...release,
    configuration_id: await internName(within, "configuration", attempt.configuration),
    image_id: await internName(within, "image", attempt.axes.image),
  };
  await within
    .insertInto("result")
    .values({ ...rowOf(recording), ...keys })
    .execute();
  await noteKnown(within, recording, keys);
  const failed = results
    .filter(({ outcome }) => outcome === "failed" || outcome === "error")
    .slice(0, MAX_NON_PASSES);
  for (const { id, outcome, message } of failed) {
    await within
      .insertInto("result_failure")
      .values({
        result_id: attempt.id,
        test_id: await internTest(within, release.project_id, id),
        outcome,
        message: withoutNul((message ?? "").slice(0, MAX_MESSAGE_CHARS)),
      })
      .onConflict((on) => on.columns(["result_id", "test_id"]).doNothing())
      .execute();
  }
  return noteVerdict(within, recording, keys);
}

/** Results with all that they refer to, as `attemptOf` reads them. */
export function joinedResults(db: Kysely<Tables>) {
  return db
    .selectFrom("result")
    .innerJoin("release", "release.id", "result.release_id")
    .innerJoin("project", "project.id", "result.project_id")
    .innerJoin("configuration", "configuration.id", "result.configuration_id")
    .innerJoin("image", "image.id", "result.image_id")
    .select([
      "result.id",
      "result.reason",
      "result.of_attempt",
      "result.started_ms",
      "result.outcome",
      "result.cause_kind",
      "result.detail",
      "project.name as project",
      "project.visibility",
      "release.version",
      "configuration.name as configuration",
      "image.name as image",
    ]);
}
