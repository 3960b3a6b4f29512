import { sql } from "kysely";
import { z } from "zod";

import { OUTCOMES, type Outcome, type TestCounts } from "../../model/attempt.ts";
import type { Within } from "../../model/authorise.ts";
import { TestCountsJson } from "../../model/result-json.ts";
import type { Database } from "../database.ts";
import type { JobReason, StoredAttempt } from "../store.ts";
import type { KnownProject } from "./project-queries.ts";
import { STATE } from "./job-rows.ts";
import { unpackDetail } from "./packed-detail.ts";
import { attemptOf } from "./result-row.ts";
import { joinedResults } from "./sql-store.ts";
import { isVisible } from "./visible-projects.ts";
import { withoutNul } from "./without-nul.ts";
import { AVisibility } from "./stored-words.ts";

/** What releases x configurations are drawn from: light columns alone, since what is packed costs far more to read. */

/** Of each configuration of a project so many attempts are looked through at most, the newest. */
export const MOST_OF_CONFIGURATION = 500;
/** Of a project so many releases and pushes are known by name at most, those that were heard of last. */
const MOST_VERSIONS = 5000;
/** Far more than there will ever be. */
const MOST_CONFIGURATIONS = 1_000_000;
/** Attempts for another reason than to know how a release stands. */
export const ASIDE: readonly JobReason[] = ["confirm", "experiment", "blame", "reproduce"];

export interface VisibleProject extends KnownProject {
  readonly id: number;
}

/** A project, by its normalised name, if it is among what somebody gets to see. */
export async function visibleProject(
  database: Database,
  name: string,
  within: Within,
): Promise<VisibleProject | null> {
  const row = await database.read((db) =>
    db
      .selectFrom("project")
      .select(["id", "name", "visibility"])
      .where("name", "=", name)
      .where(isVisible(within))
      .executeTakeFirst(),
  );
  return row === undefined ? null : { ...row, visibility: AVisibility.parse(row.visibility) };
}

export interface KnownVersion {
  readonly id: number;
  /** Of a release; the commit of a push. */
  readonly version: string;
}

/** What of a project was ever tested, heard of last first. */
export function knownVersions(
  database: Database,
  projectId: number,
): Promise<readonly KnownVersion[]> {
  return database.read((db) =>
    db
      .selectFrom("release")
      .select(["id", "version"])
      .where("project_id", "=", projectId)
      .orderBy("id", "desc")
      .limit(MOST_VERSIONS)
      .execute(),
  );
}

export interface CellRow {
  readonly attempt: string;
  readonly versionId: number;
  readonly configuration: string;
  readonly outcome: Outcome;
  /** `timeout`, without its detail; null on a pass. */
  readonly causeKind: string | null;
  readonly startedMs: number;
}

/**
 * The newest attempt of each of these versions on each configuration; those that were made for another reason are left out.
 * @param mostEach of each configuration so many attempts are looked through at most, the newest.
 */
export async function newestCells(
  database: Database,
  projectId: number,
  versionIds: readonly number[],
  mostEach: number = MOST_OF_CONFIGURATION,
): Promise<readonly CellRow[]> {
  if (versionIds.length === 0) return [];
  const { rows, names } = await database.read(async (db) => {
    const configurations = await db
      .selectFrom("configuration")
      .select([
        "id",
        "name",
        sql<string | null>`(select older.id from result older
          where older.project_id = ${projectId} and older.configuration_id = configuration.id
          order by older.id desc limit 1 offset ${mostEach})`.as("windowEnd"),
      ])
      .execute();
    let select = db
      .selectFrom("result")
      .select([
        "configuration_id",
        "id as attempt",
        "release_id as versionId",
        "outcome",
        "cause_kind as causeKind",
        "started_ms as startedMs",
      ])
      .where("project_id", "=", projectId)
      .where("release_id", "in", versionIds)
      .where("reason", "not in", ASIDE);
    // Few projects have so many that the oldest are left out.
    if (configurations.some(({ windowEnd }) => windowEnd !== null))
      select = select.where((eb) =>
        eb.or(
          configurations.map(({ id, windowEnd }) =>
            windowEnd === null
              ? eb("configuration_id", "=", id)
              : eb.and([eb("configuration_id", "=", id), eb("id", ">", windowEnd)]),
          ),
        ),
      );
    return {
      rows: await select.execute(),
      names: new Map(configurations.map(({ id, name }) => [id, name])),
    };
  });
  const newest = new Map<number, (typeof rows)[number]>();
  for (const row of rows) {
    const key = row.versionId * MOST_CONFIGURATIONS + row.configuration_id;
    const other = newest.get(key);
    // Ids are made in the order of time.
    if (other === undefined || other.attempt < row.attempt) newest.set(key, row);
  }
  return [...newest.values()].map((row) => ({
    attempt: row.attempt,
    versionId: row.versionId,
    configuration: names.get(row.configuration_id) ?? "",
    outcome: outcomeOf(row.outcome),
    causeKind: row.causeKind,
    startedMs: row.startedMs,
  }));
}

export function outcomeOf(text: string): Outcome {
  return OUTCOMES.find((outcome) => outcome === text) ?? "error";
}

/** On how many configurations a version waits or runs at present; null where it was never to be tested. */
export async function pendingOf(
  database: Database,
  projectId: number,
  version: string,
): Promise<number | null> {
  const { known, pending } = await database.read((db) =>
    db
      .selectFrom("target")
      .leftJoin("queue_job", (join) =>
        join
          .onRef("queue_job.target_id", "=", "target.id")
          .on("queue_job.state", "in", [STATE.queued, STATE.waiting, STATE.leased]),
      )
      .select(({ fn }) => [
        fn.count<number>("target.id").as("known"),
        fn.count<number>("queue_job.configuration_id").distinct().as("pending"),
      ])
      .where("target.project_id", "=", projectId)
      .where("target.version", "=", version)
      .executeTakeFirstOrThrow(),
  );
  return known === 0 ? null : pending;
}

export interface Withdrawal {
  /** `yanked`, `removed` or `quarantined`. */
  readonly state: string;
  /** By whoever did it; a text of theirs. */
  readonly reason: string | null;
}

/** What was withdrawn of a project, by version; by the empty one where it was the whole project. */
export async function withdrawals(
  database: Database,
  project: string,
  versions: readonly string[],
): Promise<ReadonlyMap<string, Withdrawal>> {
  const rows = await database.read((db) =>
    db
      .selectFrom("withdrawn")
      .select(["version", "state", "reason"])
      .where("project", "=", project)
      .where("version", "in", ["", ...versions.map(withoutNul)])
      .execute(),
  );
  return new Map(rows.map(({ version, state, reason }) => [version, { state, reason }]));
}

const Sizes = z.object({
  tests: TestCountsJson.nullable(),
  seconds: z.looseObject({ total: z.number().optional() }),
});

export interface AttemptSizes {
  readonly tests: TestCounts | null;
  readonly totalSeconds: number | null;
}

/** How many tests attempts had and how long they took, by their ids: for some fifty, since each has to be unpacked. */
export async function attemptSizes(
  database: Database,
  ids: readonly string[],
): Promise<ReadonlyMap<string, AttemptSizes>> {
  if (ids.length === 0) return new Map();
  const rows = await database.read((db) =>
    db.selectFrom("result").select(["id", "detail"]).where("id", "in", ids).execute(),
  );
  return new Map(
    rows.map(({ id, detail }) => {
      const { tests, seconds } = Sizes.parse(unpackDetail(id, detail));
      return [id, { tests, totalSeconds: seconds.total ?? null }];
    }),
  );
}

/** Attempts by their ids, whole: each costs some 60 µs to unpack, so for few. No order. */
export async function attemptsOf(
  database: Database,
  ids: readonly string[],
): Promise<readonly StoredAttempt[]> {
  if (ids.length === 0) return [];
  const rows = await database.read((db) =>
    joinedResults(db).where("result.id", "in", ids).execute(),
  );
  return rows.map(attemptOf);
}
