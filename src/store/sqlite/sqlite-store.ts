import type { DatabaseSync } from "node:sqlite";
import { Kysely } from "kysely";

import { storeFault } from "../store-fault.ts";
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
import { attemptOf, NO_BASELINE, rowOf } from "./attempt-row.ts";
import { nodeSqliteDialect } from "./dialect.ts";
import { internAxes, internJob, internTest } from "./intern.ts";

/** A suite that fails everywhere is told by its counts; so many of its tests are kept here, all in the bucket. */
const MAX_NON_PASSES = 5000;
const MAX_MESSAGE_CHARS = 2000;

/** The store in one SQLite file. */
export class SqliteStore implements Store {
  readonly #db: Kysely<Tables>;
  readonly #path: string;

  constructor(database: DatabaseSync, path: string) {
    this.#db = new Kysely<Tables>({ dialect: nodeSqliteDialect(database) });
    this.#path = path;
    this.#close = () => {
      if (database.isOpen) database.close();
    };
  }

  readonly #close: () => void;

  recordAttempt(recording: AttemptRecording): Promise<void> {
    return this.#asking(() =>
      this.#db.transaction().execute(async (transaction) => {
        const { attempt, results } = recording;
        const there = await transaction
          .selectFrom("attempt")
          .select("id")
          .where("id", "=", attempt.id)
          .executeTakeFirst();
        if (there !== undefined) return;
        const { jobId, projectId } = await internJob(transaction, recording);
        const axesId = await internAxes(transaction, attempt.axes);
        await transaction
          .insertInto("attempt")
          .values({ ...rowOf(recording), job_id: jobId, axes_id: axesId })
          .execute();
        const failed = results
          .filter(({ outcome }) => outcome === "failed" || outcome === "error")
          .slice(0, MAX_NON_PASSES);
        for (const { id, outcome, message } of failed) {
          await transaction
            .insertInto("test_nonpass")
            .values({
              attempt_id: attempt.id,
              test_id: await internTest(transaction, projectId, id),
              outcome,
              message: (message ?? "").slice(0, MAX_MESSAGE_CHARS),
            })
            .onConflict((on) => on.columns(["attempt_id", "test_id"]).doNothing())
            .execute();
        }
      }),
    );
  }

  attempt(id: string): Promise<StoredAttempt | null> {
    if (!isAttemptId(id)) return Promise.resolve(null);
    return this.#asking(async () => {
      const exact = await this.#joined().where("attempt.id", "=", id).executeTakeFirst();
      if (exact !== undefined) return attemptOf(exact);
      // `~` sorts after all that an id is made of.
      const begun = await this.#joined()
        .where("attempt.id", ">=", id)
        .where("attempt.id", "<", `${id}~`)
        .limit(2)
        .execute();
      const [only] = begun;
      return only !== undefined && begun.length === 1 ? attemptOf(only) : null;
    });
  }

  attempts(query: AttemptQuery): Promise<readonly StoredAttempt[]> {
    return this.#asking(async () => {
      let select = this.#joined().orderBy("attempt.id", "desc").limit(query.limit);
      if (query.project !== undefined) select = select.where("project.name", "=", query.project);
      if (query.configuration !== undefined)
        select = select.where("configuration.name", "=", query.configuration);
      if (query.olderThan !== undefined) select = select.where("attempt.id", "<", query.olderThan);
      return (await select.execute()).map(attemptOf);
    });
  }

  nonPasses(attemptId: string): Promise<readonly NonPass[]> {
    return this.#asking(async () => {
      const rows = await this.#db
        .selectFrom("test_nonpass")
        .innerJoin("test", "test.id", "test_nonpass.test_id")
        .select(["test.name as id", "test_nonpass.outcome", "test_nonpass.message"])
        .where("test_nonpass.attempt_id", "=", attemptId)
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
    return this.#asking(async () => {
      let select = this.#joined()
        .where("project.name", "=", query.project)
        .where("configuration.name", "=", query.configuration)
        .where("attempt.id", "<", query.olderThan)
        .where("job.reason", "!=", "confirm")
        .where((expression) =>
          expression.or([
            expression("attempt.cause_kind", "is", null),
            expression("attempt.cause_kind", "not in", NO_BASELINE),
          ]),
        )
        .orderBy("attempt.id", "desc")
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
    return this.#asking(() =>
      this.#db
        .selectFrom("test_nonpass")
        .innerJoin("test", "test.id", "test_nonpass.test_id")
        .innerJoin("project", "project.id", "test.project_id")
        .where("project.name", "=", project)
        .groupBy("test.id")
        .select(({ fn }) => [
          "test.name as id",
          fn.count<number>("test_nonpass.attempt_id").as("attempts"),
        ])
        .orderBy("attempts", "desc")
        .orderBy("test.name")
        .limit(limit)
        .execute(),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#db.destroy();
    this.#close();
  }

  #joined() {
    return joinedAttempts(this.#db);
  }

  async #asking<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    try {
      return await work();
    } catch (thrown) {
      throw storeFault(thrown, this.#path);
    }
  }
}

function joinedAttempts(db: Kysely<Tables>) {
  return db
    .selectFrom("attempt")
    .innerJoin("job", "job.id", "attempt.job_id")
    .innerJoin("source", "source.id", "job.source_id")
    .innerJoin("release", "release.id", "source.release_id")
    .innerJoin("project", "project.id", "release.project_id")
    .innerJoin("configuration", "configuration.id", "job.configuration_id")
    .innerJoin("axes", "axes.id", "attempt.axes_id")
    .innerJoin("image", "image.id", "axes.image_id")
    .selectAll("attempt")
    .select([
      "project.name as project",
      "project.visibility",
      "release.version",
      "source.kind as source_kind",
      "source.sha256 as source_sha256",
      "configuration.name as configuration",
      "job.reason",
      "axes.source_sha256 as axes_source",
      "axes.interpreter as axes_interpreter",
      "axes.builder as axes_builder",
      "image.name as axes_image",
      "axes.machine as axes_machine",
      "axes.index_date as axes_index_date",
      "axes.lock as axes_lock",
      "axes.plan as axes_plan",
      "axes.agent as axes_agent",
    ]);
}
