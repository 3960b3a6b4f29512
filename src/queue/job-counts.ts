import { sql, type Kysely, type RawBuilder } from "kysely";

import type { Within } from "../model/authorise.ts";
import type { Tables } from "../store/schema.ts";
import { isVisible } from "../store/sql/visible-projects.ts";
import { JOB_STATES, LANES } from "./job.ts";

export interface LaneCount {
  readonly lane: (typeof LANES)[number];
  readonly state: (typeof JOB_STATES)[number];
  readonly count: number;
  readonly oldestMs: number;
}

const QUEUED = JOB_STATES.indexOf("queued");
const COUNTED = ["queued", "waiting", "leased", "dead"].map((state) =>
  JOB_STATES.findIndex((known) => known === state),
);

interface OpenCount {
  readonly lane: number;
  readonly state: number;
  readonly count: number;
  readonly first: number;
  readonly oldestMs: number;
}

/**
 * How much is queued, waiting, leased and dead in each lane. What is queued may be more than a million jobs: they are counted in their
 * index, and what is not somebody's to see, which is little, is taken off. For pages, not for claims.
 */
export async function laneCounts(
  db: Kysely<Tables>,
  within?: Within,
): Promise<readonly LaneCount[]> {
  const counts =
    within === undefined || within.allPublic
      ? await visibleCounts(db, within)
      : await countsOfProjects(db, isVisible(within));
  return counts
    .filter(({ count }) => count > 0)
    .toSorted((one, other) => one.state - other.state || one.lane - other.lane)
    .map(({ lane, state, count, oldestMs }) => ({
      lane: LANES[lane] ?? "background",
      state: JOB_STATES[state] ?? "dead",
      count,
      oldestMs,
    }));
}

/** Of who sees all that is public. */
async function visibleCounts(
  db: Kysely<Tables>,
  within: Within | undefined,
): Promise<readonly OpenCount[]> {
  const all = [...(await queuedCounts(db)), ...(await otherCounts(db))];
  if (within === undefined || within.private === "all") return all;
  const hidden = await countsOfProjects(
    db,
    sql<boolean>`(project.visibility = 'private' and not ${isVisible(within)})`,
  );
  const counts: OpenCount[] = [];
  for (const one of all) {
    const less = hidden.find(({ lane, state }) => lane === one.lane && state === one.state);
    const count = one.count - (less?.count ?? 0);
    // Also when the oldest was queued is nobody's to see where it is hidden.
    const isOldestHidden = less !== undefined && less.first <= one.first;
    const oldestMs = isOldestHidden && count > 0 ? await oldestOf(db, one, within) : one.oldestMs;
    counts.push({ ...one, count, oldestMs });
  }
  return counts;
}

async function queuedCounts(db: Kysely<Tables>): Promise<readonly OpenCount[]> {
  const rows = await db
    .selectFrom("queue_job")
    .select(({ fn }) => ["lane", fn.countAll<number>().as("count"), fn.min("id").as("first")])
    .where("state", "=", sql.lit(QUEUED))
    .groupBy("lane")
    .execute();
  const firsts = rows.map(({ first }) => first);
  const times = await db
    .selectFrom("queue_job")
    .select(["id", "enqueued_ms"])
    .where("id", "in", [-1, ...firsts])
    .execute();
  const timeOf = new Map(times.map(({ id, enqueued_ms }) => [id, enqueued_ms]));
  // Jobs are numbered in the order in which they come.
  return rows.map((row) => ({ ...row, state: QUEUED, oldestMs: timeOf.get(row.first) ?? 0 }));
}

/** What waits for its time, runs or was given up: each has an index of its own, and is little. */
async function otherCounts(db: Kysely<Tables>): Promise<readonly OpenCount[]> {
  const counts: OpenCount[] = [];
  for (const state of COUNTED) {
    if (state === QUEUED) continue;
    const rows = await db
      .selectFrom("queue_job")
      .select(({ fn }) => [
        "lane",
        fn.countAll<number>().as("count"),
        fn.min("id").as("first"),
        fn.min("enqueued_ms").as("oldestMs"),
      ])
      .where("state", "=", sql.lit(state))
      .groupBy("lane")
      .execute();
    counts.push(...rows.map((row) => ({ ...row, state })));
  }
  return counts;
}

/** By their targets, of few projects. */
function countsOfProjects(
  db: Kysely<Tables>,
  condition: RawBuilder<boolean>,
): Promise<readonly OpenCount[]> {
  return db
    .selectFrom("project")
    .innerJoin("target", "target.project_id", "project.id")
    .innerJoin("queue_job", "queue_job.target_id", "target.id")
    .select(({ fn }) => [
      "queue_job.lane",
      "queue_job.state",
      fn.countAll<number>().as("count"),
      fn.min("queue_job.id").as("first"),
      fn.min("queue_job.enqueued_ms").as("oldestMs"),
    ])
    .where(condition)
    .where("queue_job.state", "in", COUNTED)
    .groupBy(["queue_job.lane", "queue_job.state"])
    .execute();
}

async function oldestOf(
  db: Kysely<Tables>,
  { lane, state }: OpenCount,
  within: Within,
): Promise<number> {
  const row = await db
    .selectFrom("queue_job")
    .innerJoin("target", "target.id", "queue_job.target_id")
    .innerJoin("project", "project.id", "target.project_id")
    .select(({ fn }) => fn.min("queue_job.enqueued_ms").as("oldestMs"))
    .where("queue_job.state", "=", sql.lit(state))
    .where("queue_job.lane", "=", lane)
    .where(isVisible(within))
    .executeTakeFirst();
  return row?.oldestMs ?? 0;
}

export interface ProjectCount {
  readonly project: string;
  readonly count: number;
}

/** Which projects have most jobs that are not over, at most so many. They are counted by their targets, in the index of these. */
export async function busiestProjects(
  db: Kysely<Tables>,
  within: Within,
  limit: number,
): Promise<readonly ProjectCount[]> {
  const [waiting, leased] = [JOB_STATES.indexOf("waiting"), JOB_STATES.indexOf("leased")];
  const counted = sql<{ target_id: number; jobs: number }>`(
    select target_id, count(*) as jobs from queue_job where state <= ${sql.lit(waiting)} group by target_id
    union all
    select target_id, count(*) as jobs from queue_job where state = ${sql.lit(leased)} group by target_id)`;
  const rows = await db
    .selectFrom(counted.as("counted"))
    .innerJoin("target", "target.id", "counted.target_id")
    .innerJoin("project", "project.id", "target.project_id")
    .select(["project.name as project", sql<number>`cast(sum(counted.jobs) as bigint)`.as("count")])
    .where(isVisible(within))
    .groupBy("project.name")
    .orderBy("count", "desc")
    .orderBy("project.name")
    .limit(limit)
    .execute();
  return rows;
}
