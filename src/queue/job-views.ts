import { VISIBILITIES } from "../model/principals.ts";
import { sql, type Kysely } from "kysely";
import { z } from "zod";

import type { Tables } from "../store/schema.ts";
import { JOB_REASONS } from "../store/store.ts";
import { JOB_STATES, LANES, type JobView } from "./job.ts";

export interface NumberedView extends JobView {
  readonly id: number;
}

/** Jobs with all that they refer to. */
export async function viewsOf(
  db: Kysely<Tables>,
  narrow: (select: ReturnType<typeof joined>) => ReturnType<typeof joined>,
): Promise<readonly NumberedView[]> {
  const rows = await narrow(joined(db)).execute();
  return rows.map(({ lane, state, reason, visibility, plan, ...rest }) => ({
    ...rest,
    lane: LANES[lane] ?? "background",
    state: JOB_STATES[state] ?? "dead",
    reason: z.enum(JOB_REASONS).parse(reason),
    visibility: z.enum(VISIBILITIES).parse(visibility),
    plan: plan === "smoke" ? "smoke" : "full",
  }));
}

function joined(db: Kysely<Tables>) {
  return db
    .selectFrom("queue_job")
    .innerJoin("target", "target.id", "queue_job.target_id")
    .innerJoin("project", "project.id", "target.project_id")
    .innerJoin("configuration", "configuration.id", "queue_job.configuration_id")
    .leftJoin("worker", "worker.id", "queue_job.worker_id")
    .select([
      "queue_job.id",
      "queue_job.key",
      "project.name as project",
      "project.visibility",
      "target.word",
      "target.version",
      "configuration.name as configuration",
      "queue_job.reason",
      "queue_job.lane",
      "queue_job.state",
      "queue_job.enqueued_ms as enqueuedMs",
      "queue_job.ready_ms as readyMs",
      "queue_job.tries",
      "queue_job.farm_faults as farmFaults",
      "queue_job.attempt",
      "queue_job.lease_ms as leaseUntilMs",
      "worker.name as worker",
      "queue_job.note",
      "queue_job.plan",
      "queue_job.why",
    ]);
}

export interface JobQuery {
  readonly project?: string;
  readonly state?: (typeof JOB_STATES)[number];
  readonly lane?: (typeof LANES)[number];
  /** At most so many, newest first. */
  readonly limit: number;
  /** Only older ones, for the next page: a key's `id`. */
  readonly olderThan?: number;
}

export async function jobs(db: Kysely<Tables>, query: JobQuery): Promise<readonly NumberedView[]> {
  return viewsOf(db, (select) => {
    let narrowed = select.orderBy("queue_job.id", "desc").limit(query.limit);
    if (query.project !== undefined) narrowed = narrowed.where("project.name", "=", query.project);
    if (query.state !== undefined)
      narrowed = narrowed.where("queue_job.state", "=", sql.lit(JOB_STATES.indexOf(query.state)));
    if (query.lane !== undefined)
      narrowed = narrowed.where("queue_job.lane", "=", LANES.indexOf(query.lane));
    if (query.olderThan !== undefined)
      narrowed = narrowed.where("queue_job.id", "<", query.olderThan);
    return narrowed;
  });
}

export async function jobByKey(db: Kysely<Tables>, key: string): Promise<JobView | null> {
  const [view] = await viewsOf(db, (select) => select.where("queue_job.key", "=", key));
  return view ?? null;
}

export interface LaneCount {
  readonly lane: (typeof LANES)[number];
  readonly state: (typeof JOB_STATES)[number];
  readonly count: number;
  readonly oldestMs: number;
}

/** How much is queued, waiting, leased and dead in each lane. Reads each of those: for pages, not for claims. */
export async function laneCounts(db: Kysely<Tables>): Promise<readonly LaneCount[]> {
  const open = ["queued", "waiting", "leased", "dead"] as const;
  const counts: LaneCount[] = [];
  for (const state of open) {
    const rows = await db
      .selectFrom("queue_job")
      .select(({ fn }) => [
        "lane",
        fn.countAll<number>().as("count"),
        fn.min("enqueued_ms").as("oldestMs"),
      ])
      .where("state", "=", sql.lit(JOB_STATES.indexOf(state)))
      .groupBy("lane")
      .orderBy("lane")
      .execute();
    for (const { lane, count, oldestMs } of rows)
      counts.push({ lane: LANES[lane] ?? "background", state, count, oldestMs });
  }
  return counts;
}
