import { sql, type Kysely } from "kysely";
import { z } from "zod";

import type { Within } from "../database.ts";
import type { Tables } from "../schema.ts";
import { inParts, STATE } from "./job-rows.ts";

/** A project and a configuration on which its newest release is to be tested again. */
export interface RetestCandidate {
  readonly projectId: number;
  readonly project: string;
  /** Its newest release. */
  readonly version: string;
  readonly configuration: string;
  /** When it was last tested there, ms; 0 for never. */
  readonly testedMs: number;
}

/** Which of them: all that is given must hold. */
export interface CandidateQuery {
  readonly configuration: string;
  /** Last tested and last planned before this instant, ms. */
  readonly beforeMs: number;
  /** Last tested on another image than this. */
  readonly notImage?: string;
  /** Last tested on another interpreter than this. */
  readonly notInterpreter?: string;
  /** Tested there before, never, or whichever. */
  readonly tested: "before" | "never" | "either";
  /** Of these projects alone. */
  readonly projects?: readonly string[];
  readonly limit: number;
}

/**
 * Newest releases of public projects that are not withdrawn and of which nothing waits or runs on the configuration, oldest test first.
 */
export async function retestCandidates(
  db: Kysely<Tables>,
  query: CandidateQuery,
): Promise<readonly RetestCandidate[]> {
  const { configuration, projects } = query;
  const ask = (part: readonly string[] | null) => {
    let select = db
      .selectFrom("newest_release")
      .innerJoin("project", "project.id", "newest_release.project_id")
      .leftJoin("configuration", (join) => join.on("configuration.name", "=", configuration))
      .leftJoin("tested", (join) =>
        join
          .onRef("tested.project_id", "=", "newest_release.project_id")
          .onRef("tested.configuration_id", "=", "configuration.id"),
      )
      .leftJoin("image", "image.id", "tested.image_id")
      .select([
        "newest_release.project_id as projectId",
        "project.name as project",
        "newest_release.version",
        "tested.tested_ms as testedMs",
      ])
      .where("project.visibility", "=", "public")
      .where(sql<boolean>`coalesce(tested.tested_ms, 0) < ${query.beforeMs}`)
      .where(sql<boolean>`coalesce(tested.planned_ms, 0) < ${query.beforeMs}`)
      .where(
        sql<boolean>`not exists (select 1 from withdrawn where withdrawn.project = project.name
          and withdrawn.version in ('', newest_release.version))`,
      )
      .where(
        sql<boolean>`not exists (select 1 from target join queue_job on queue_job.target_id = target.id
          where target.project_id = project.id and target.line = '' and queue_job.configuration_id = configuration.id
            and queue_job.state <= ${sql.lit(STATE.leased)})`,
      )
      .orderBy(sql`coalesce(tested.tested_ms, 0)`)
      .orderBy("newest_release.project_id")
      .limit(query.limit);
    if (query.tested === "before") select = select.where("tested.tested_ms", ">", 0);
    if (query.tested === "never")
      select = select.where(sql<boolean>`coalesce(tested.tested_ms, 0) = 0`);
    if (query.notImage !== undefined) select = select.where("image.name", "!=", query.notImage);
    if (query.notInterpreter !== undefined)
      select = select.where("tested.interpreter", "!=", query.notInterpreter);
    if (part !== null) select = select.where("project.name", "in", part);
    return select.execute();
  };
  const rows =
    projects === undefined ? await ask(null) : await inParts(projects, (part) => ask(part));
  return rows
    .slice(0, query.limit)
    .map(({ testedMs, ...row }) => ({ ...row, configuration, testedMs: testedMs ?? 0 }));
}

/** Public projects that are known, in the order of their numbers, after one of them. */
export async function knownProjects(
  db: Kysely<Tables>,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<readonly { readonly id: number; readonly name: string }[]> {
  return db
    .selectFrom("newest_release")
    .innerJoin("project", "project.id", "newest_release.project_id")
    .select(["project.id", "project.name"])
    .where("project.visibility", "=", "public")
    .where("newest_release.project_id", ">", after)
    .orderBy("newest_release.project_id")
    .limit(limit)
    .execute();
}

export async function knownProjectCount(db: Kysely<Tables>): Promise<number> {
  const row = await db
    .selectFrom("newest_release")
    .innerJoin("project", "project.id", "newest_release.project_id")
    .select(({ fn }) => fn.countAll<number>().as("count"))
    .where("project.visibility", "=", "public")
    .executeTakeFirstOrThrow();
  return row.count;
}

/** That it was planned, so that it is not again before it is due again; also of what was never tested there. */
export async function notePlanned(
  within: Within,
  planned: readonly { readonly projectId: number; readonly configurationId: number }[],
  nowMs: number,
): Promise<void> {
  for (const { projectId, configurationId } of planned)
    await within
      .insertInto("tested")
      .values({
        project_id: projectId,
        configuration_id: configurationId,
        version: "",
        tested_ms: 0,
        image_id: null,
        interpreter: "",
        planned_ms: nowMs,
      })
      .onConflict((on) =>
        on.columns(["project_id", "configuration_id"]).doUpdateSet({ planned_ms: nowMs }),
      )
      .execute();
}

/** How many wait in a lane, up to a bound. */
export async function waitingIn(db: Kysely<Tables>, lane: number, most: number): Promise<number> {
  const rows = await db
    .selectFrom("queue_job")
    .select("id")
    .where("state", "=", sql.lit(STATE.queued))
    .where("lane", "=", lane)
    .limit(most)
    .execute();
  return rows.length;
}

/** Waves that are not over, oldest first. */
export async function openWaves(
  db: Kysely<Tables>,
  limit: number,
): Promise<readonly Tables["retest_wave"][]> {
  return db
    .selectFrom("retest_wave")
    .selectAll()
    .where("ended_ms", "is", null)
    .orderBy("noted_ms")
    .orderBy("project")
    .limit(limit)
    .execute();
}

export async function changeWave(
  within: Within,
  { project, version }: Pick<Tables["retest_wave"], "project" | "version">,
  change: Partial<Pick<Tables["retest_wave"], "planned" | "ended_ms" | "note">>,
): Promise<void> {
  await within
    .updateTable("retest_wave")
    .set(change)
    .where("project", "=", project)
    .where("version", "=", version)
    .execute();
}

/** A value of the farm's own that is kept as JSON. What can't be read is as if it were not there. */
export async function readSetting<Schema extends z.ZodType>(
  db: Kysely<Tables>,
  name: string,
  schema: Schema,
): Promise<z.infer<Schema> | null> {
  const row = await db
    .selectFrom("farm_setting")
    .select("value")
    .where("name", "=", name)
    .executeTakeFirst();
  if (row === undefined) return null;
  try {
    return schema.parse(JSON.parse(row.value));
  } catch {
    return null;
  }
}

export async function writeSetting(within: Within, name: string, value: unknown): Promise<void> {
  const text = JSON.stringify(value);
  await within
    .insertInto("farm_setting")
    .values({ name, value: text })
    .onConflict((on) => on.column("name").doUpdateSet({ value: text }))
    .execute();
}
