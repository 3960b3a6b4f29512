import { sql } from "kysely";

import type { Within } from "../../model/authorise.ts";
import type { Database } from "../database.ts";
import { ASIDE, outcomeOf, type CellRow } from "./matrix-queries.ts";
import { isVisible } from "./visible-projects.ts";

/** Who depends on a project and on whom it depends, as pages show it: what is not theirs to see is not there. */

/** So many who depend on a project are looked through at most. */
export const MOST_DEPENDENTS = 2000;
const MOST_DEPENDENCIES = 500;

export interface VisibleDependents {
  /** No more than `MOST_DEPENDENTS`. */
  readonly count: number;
  /** Whether there may be more than were looked through. */
  readonly hasMore: boolean;
  /** Those on which most depend first. */
  readonly first: readonly { readonly id: number; readonly name: string }[];
}

/** Who needs a project to run or to be built, by the word of its newest tested release. @param name normalised. */
export async function visibleDependents(
  database: Database,
  name: string,
  within: Within,
  limit: number,
  most: number = MOST_DEPENDENTS,
): Promise<VisibleDependents> {
  const rows = await database.read((db) =>
    db
      .selectFrom(
        db
          .selectFrom("dependency")
          .innerJoin("project", "project.id", "dependency.project_id")
          .select(["project.id", "project.name"])
          .distinct()
          .where("dependency.depends_on", "=", name)
          .where("dependency.kind", "in", ["run", "build"])
          .where("project.name", "!=", name)
          .where(isVisible(within))
          .limit(most + 1)
          .as("found"),
      )
      .leftJoin("dependent_count", "dependent_count.name", "found.name")
      .select(["found.id", "found.name"])
      .orderBy(sql`coalesce(dependent_count.direct, 0)`, "desc")
      .orderBy("found.name")
      .execute(),
  );
  return {
    count: Math.min(rows.length, most),
    hasMore: rows.length > most,
    first: rows.slice(0, limit),
  };
}

export interface ShownDependency {
  /** Normalised; by a package's word, so it may be anything. */
  readonly name: string;
  /** `run`, `build` or `extra`; of several the first of these. */
  readonly kind: "run" | "build" | "extra";
  /** Whether the farm knows a project of this name that is theirs to see. */
  readonly isKnown: boolean;
}

/** On whom a project depends, by the word of its newest tested release; by their names. */
export async function dependenciesOf(
  database: Database,
  projectId: number,
  within: Within,
): Promise<readonly ShownDependency[]> {
  const rows = await database.read((db) =>
    db
      .selectFrom("dependency")
      .leftJoin("project", (join) =>
        join.onRef("project.name", "=", "dependency.depends_on").on(isVisible(within)),
      )
      .select(["dependency.depends_on as name", "dependency.kind", "project.id"])
      .where("dependency.project_id", "=", projectId)
      .orderBy("dependency.depends_on")
      .limit(MOST_DEPENDENCIES)
      .execute(),
  );
  return [...Map.groupBy(rows, ({ name }) => name)].map(([name, own]) => ({
    name,
    kind:
      (["run", "build"] as const).find((kind) => own.some((one) => one.kind === kind)) ?? "extra",
    isKnown: own.some(({ id }) => id !== null),
  }));
}

/** The newest attempt of each of these projects on each configuration, of whatever version. */
export async function newestOfProjects(
  database: Database,
  projectIds: readonly number[],
): Promise<ReadonlyMap<number, readonly CellRow[]>> {
  if (projectIds.length === 0) return new Map();
  const rows = await database.read(async (db) => {
    // In two steps: no planner comes to think of reading all results.
    const newest = await db
      .selectFrom("project")
      .innerJoin("configuration", (join) => join.onTrue())
      .select(
        sql<string | null>`(select own.id from result own where own.project_id = project.id
          and own.configuration_id = configuration.id and own.reason not in (${sql.join(ASIDE)})
          order by own.id desc limit 1)`.as("attempt"),
      )
      .where("project.id", "in", projectIds)
      .execute();
    const ids = newest.flatMap(({ attempt }) => attempt ?? []);
    if (ids.length === 0) return [];
    return db
      .selectFrom("result")
      .innerJoin("configuration", "configuration.id", "result.configuration_id")
      .select([
        "result.project_id as projectId",
        "configuration.name as configuration",
        "result.id as attempt",
        "result.release_id as versionId",
        "result.outcome",
        "result.cause_kind as causeKind",
        "result.started_ms as startedMs",
      ])
      .where("result.id", "in", ids)
      .execute();
  });
  return Map.groupBy(
    rows.map(({ outcome, ...row }) => ({ ...row, outcome: outcomeOf(outcome) })),
    ({ projectId }) => projectId,
  );
}
