import { sql } from "kysely";

import type { Within } from "../../model/authorise.ts";
import type { Database } from "../database.ts";
import { projectsPage, type ListedProject } from "./project-queries.ts";
import { joinedResults } from "./sql-store.ts";
import { attemptOf } from "./result-row.ts";
import type { StoredAttempt } from "../store.ts";
import { isVisible } from "./visible-projects.ts";

const PAGE = 1000;

/** All projects that somebody gets to see, in no order that the two databases share. */
export async function* visibleProjects(
  database: Database,
  within: Within,
): AsyncGenerator<ListedProject> {
  for (let after = ""; ;) {
    const page = await projectsPage(database, {
      within,
      prefix: "",
      limit: PAGE,
      ...(after === "" ? {} : { after }),
    });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = last.name;
  }
}

export interface CellAttempt {
  readonly id: string;
  readonly version: string;
  /** Ms since 1970. */
  readonly startedMs: number;
}

/**
 * The newest attempts of each release on each configuration of a project, oldest first; runs that only confirmed another are
 * counted apart.
 * @param newest at most so many of each.
 */
export async function newestOfCells(
  database: Database,
  project: string,
  newest: number,
  within: Within,
): Promise<readonly CellAttempt[]> {
  const rows = await database.read((db) =>
    db
      .with("ranked", (inner) =>
        inner
          .selectFrom("result")
          .innerJoin("project", "project.id", "result.project_id")
          .where("project.name", "=", project)
          .where(isVisible(within))
          .select([
            "result.id",
            "result.release_id",
            "result.started_ms",
            sql<number>`row_number() over (partition by result.release_id, result.configuration_id, case when result.reason = 'confirm' then 1 else 0 end order by result.id desc)`.as(
              "place",
            ),
          ]),
      )
      .selectFrom("ranked")
      .innerJoin("release", "release.id", "ranked.release_id")
      .where("ranked.place", "<=", newest)
      .select(["ranked.id", "ranked.started_ms as startedMs", "release.version"])
      .execute(),
  );
  return rows.toSorted((one, other) => (one.id < other.id ? -1 : 1));
}

/** Attempts by their ids, as far as somebody gets to see them, newest first. */
export async function visibleResults(
  database: Database,
  ids: readonly string[],
  within: Within,
): Promise<readonly StoredAttempt[]> {
  if (ids.length === 0) return [];
  const rows = await database.read((db) =>
    joinedResults(db).where("result.id", "in", ids).where(isVisible(within)).execute(),
  );
  return rows.map(attemptOf).toSorted((one, other) => (one.attempt.id < other.attempt.id ? 1 : -1));
}
