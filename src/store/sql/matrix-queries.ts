import { sql } from "kysely";
import { z } from "zod";

import { OUTCOMES, type Outcome } from "../../model/attempt.ts";
import type { Within } from "../../model/authorise.ts";
import { VISIBILITIES } from "../../model/principals.ts";
import type { Database } from "../database.ts";
import type { JobReason } from "../store.ts";
import type { KnownProject } from "./project-queries.ts";
import { isVisible } from "./visible-projects.ts";
import { withoutNul } from "./without-nul.ts";

/** What releases x configurations are drawn from: light columns alone, since what is packed costs far more to read. */

/** Of each configuration of a project so many attempts are looked through at most, the newest. */
export const MOST_OF_CONFIGURATION = 500;
/** Of a project so many releases and pushes are known by name at most, those that were heard of last. */
const MOST_VERSIONS = 5000;
/** Attempts for another reason than to know how a release stands. */
const ASIDE: readonly JobReason[] = ["confirm", "experiment", "blame", "reproduce"];

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
  return row === undefined
    ? null
    : { ...row, visibility: z.enum(VISIBILITIES).parse(row.visibility) };
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
  const rows = await database.read((db) => {
    const windowEnd = sql<string>`coalesce((select older.id from result older
      where older.project_id = ${projectId} and older.configuration_id = configuration.id
      order by older.id desc limit 1 offset ${mostEach}), '')`;
    return db
      .selectFrom("configuration")
      .innerJoin("result", "result.configuration_id", "configuration.id")
      .select([
        "configuration.name as configuration",
        "result.id as attempt",
        "result.release_id as versionId",
        "result.outcome",
        "result.cause_kind as causeKind",
        "result.started_ms as startedMs",
      ])
      .where("result.project_id", "=", projectId)
      .where("result.id", ">", windowEnd)
      .where("result.release_id", "in", versionIds)
      .where("result.reason", "not in", ASIDE)
      .execute();
  });
  const newest = new Map<string, (typeof rows)[number]>();
  for (const row of rows) {
    const key = `${row.versionId} ${row.configuration}`;
    const other = newest.get(key);
    // Ids are made in the order of time.
    if (other === undefined || other.attempt < row.attempt) newest.set(key, row);
  }
  return [...newest.values()].map((row) => ({ ...row, outcome: outcomeOf(row.outcome) }));
}

function outcomeOf(text: string): Outcome {
  return OUTCOMES.find((outcome) => outcome === text) ?? "error";
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
