import { sql } from "kysely";

import type { Within } from "../../model/authorise.ts";
import type { Database } from "../database.ts";
import type { Visibility } from "../../model/principals.ts";
import { isVisible } from "./visible-projects.ts";
import { AVisibility } from "./stored-words.ts";

export interface KnownProject {
  readonly name: string;
  readonly visibility: Visibility;
}

export interface ListedProject extends KnownProject {
  /** The attempt that was begun last; null where there is none yet. */
  readonly newestAttempt: string | null;
}

export interface ProjectQuery {
  readonly within: Within;
  /** Of normalised names; characters of names alone. */
  readonly prefix: string;
  readonly limit: number;
  /** Only names after this one, for the next page. */
  readonly after?: string;
}

/** Projects by their names, in the database's own order of texts. */
export async function projectsPage(
  database: Database,
  { within, prefix, limit, after }: ProjectQuery,
): Promise<readonly ListedProject[]> {
  const rows = await database.read((db) => {
    let select = db
      .selectFrom("project")
      .select([
        "project.name",
        "project.visibility",
        sql<
          string | null
        >`(select max(result.id) from result where result.project_id = project.id)`.as(
          "newestAttempt",
        ),
      ])
      .where(isVisible(within))
      .orderBy("project.name")
      .limit(limit);
    if (prefix !== "") {
      select = select.where("project.name", "like", `${prefix}%`);
      // SQLite compares by bytes, and looks only where the prefix is; PostgreSQL's order depends on its collation.
      if (database.kind === "sqlite")
        select = select
          .where("project.name", ">=", prefix)
          .where("project.name", "<", `${prefix}\u007f`);
    }
    if (after !== undefined) select = select.where("project.name", ">", after);
    return select.execute();
  });
  return rows.map((row) => ({ ...row, visibility: visibilityOf(row.visibility) }));
}

/** A project, whoever may see it: for the decision who may. Null where there is none. */
export async function knownProject(database: Database, name: string): Promise<KnownProject | null> {
  const row = await database.read((db) =>
    db
      .selectFrom("project")
      .select(["name", "visibility"])
      .where("name", "=", name)
      .executeTakeFirst(),
  );
  return row === undefined ? null : { name: row.name, visibility: visibilityOf(row.visibility) };
}

export interface ListedRelease {
  readonly version: string;
  /** Of all configurations. */
  readonly attempts: number;
  /** ISO 8601; null where none was made yet. */
  readonly lastStartedAt: string | null;
}

export interface NumberedRelease extends ListedRelease {
  readonly id: number;
}

/** Releases of a project, the one that was heard of last first. @param before only those heard of before this one. */
export async function releasesPage(
  database: Database,
  project: string,
  limit: number,
  before?: number,
): Promise<readonly NumberedRelease[]> {
  const rows = await database.read((db) => {
    let select = db
      .selectFrom("release")
      .innerJoin("project", "project.id", "release.project_id")
      .select([
        "release.id",
        "release.version",
        sql<number>`(select count(*) from result where result.project_id = project.id and result.release_id = release.id)`.as(
          "attempts",
        ),
        sql<
          number | null
        >`(select max(started_ms) from result where result.project_id = project.id and result.release_id = release.id)`.as(
          "lastMs",
        ),
      ])
      .where("project.name", "=", project)
      .orderBy("release.id", "desc")
      .limit(limit);
    if (before !== undefined) select = select.where("release.id", "<", before);
    return select.execute();
  });
  return rows.map(({ id, version, attempts, lastMs }) => ({
    id,
    version,
    attempts,
    lastStartedAt: lastMs === null ? null : new Date(lastMs).toISOString(),
  }));
}

export async function hasRelease(
  database: Database,
  project: string,
  version: string,
): Promise<boolean> {
  const row = await database.read((db) =>
    db
      .selectFrom("release")
      .innerJoin("project", "project.id", "release.project_id")
      .select("release.id")
      .where("project.name", "=", project)
      .where("release.version", "=", version)
      .executeTakeFirst(),
  );
  return row !== undefined;
}

function visibilityOf(text: string): Visibility {
  return AVisibility.parse(text);
}
