import { sql, type Kysely } from "kysely";

import type { Within } from "../model/authorise.ts";
import type { Tables } from "../store/schema.ts";
import { isVisible } from "../store/sql/visible-projects.ts";
import { JOB_STATES, LANES, type JobView } from "./job.ts";
import { AReason, AVisibility } from "../store/sql/stored-words.ts";

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
    reason: AReason.parse(reason),
    visibility: AVisibility.parse(visibility),
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
  /** What who asks gets to see; everything where it is left out, for the farm itself. */
  readonly within?: Within;
  readonly project?: string;
  readonly configuration?: string;
  readonly state?: (typeof JOB_STATES)[number];
  readonly lane?: (typeof LANES)[number];
  /** At most so many, newest first. */
  readonly limit: number;
  /** Only older ones, for the next page: a key's `id`. */
  readonly olderThan?: number;
  /** Only this one and newer ones. */
  readonly notOlderThan?: number;
}

export async function jobs(db: Kysely<Tables>, query: JobQuery): Promise<readonly NumberedView[]> {
  return viewsOf(db, (select) => {
    let narrowed = select.orderBy("queue_job.id", "desc").limit(query.limit);
    if (query.within !== undefined) narrowed = narrowed.where(isVisible(query.within));
    if (query.project !== undefined) narrowed = narrowed.where("project.name", "=", query.project);
    if (query.configuration !== undefined)
      narrowed = narrowed.where("configuration.name", "=", query.configuration);
    if (query.state !== undefined)
      narrowed = narrowed.where("queue_job.state", "=", sql.lit(JOB_STATES.indexOf(query.state)));
    if (query.lane !== undefined)
      narrowed = narrowed.where("queue_job.lane", "=", LANES.indexOf(query.lane));
    if (query.olderThan !== undefined)
      narrowed = narrowed.where("queue_job.id", "<", query.olderThan);
    if (query.notOlderThan !== undefined)
      narrowed = narrowed.where("queue_job.id", ">=", query.notOlderThan);
    return narrowed;
  });
}

/** What is over stays for long: of all projects together, one page looks through so many of those. */
const MOST_LOOKED_THROUGH = 20_000;

export interface JobPage {
  readonly jobs: readonly NumberedView[];
  /** `olderThan` of the next page; null on the last. A page may be short, or empty, and not be the last. */
  readonly next: number | null;
}

/** A page of jobs for whoever asks: no filter that fits little is a way to keep the store busy. */
export async function jobsPage(
  db: Kysely<Tables>,
  query: JobQuery,
  mostLookedThrough: number = MOST_LOOKED_THROUGH,
): Promise<JobPage> {
  // What is not over has indexes of its own, and of one project there are not so many.
  const isOpen = query.state !== undefined && OPEN_STATES.has(query.state);
  const end =
    isOpen || query.project !== undefined
      ? null
      : await windowEnd(db, query.olderThan, mostLookedThrough);
  const found = await jobs(db, {
    ...query,
    limit: query.limit + 1,
    ...(end === null ? {} : { notOlderThan: end }),
  });
  const page = found.slice(0, query.limit);
  const last = found.length > query.limit ? page.at(-1)?.id : undefined;
  return { jobs: page, next: last ?? end };
}

const OPEN_STATES: ReadonlySet<string> = new Set(["queued", "waiting", "leased", "dead"]);

async function windowEnd(
  db: Kysely<Tables>,
  olderThan: number | undefined,
  most: number,
): Promise<number | null> {
  let select = db
    .selectFrom("queue_job")
    .select("id")
    .orderBy("id", "desc")
    .limit(1)
    .offset(most - 1);
  if (olderThan !== undefined) select = select.where("id", "<", olderThan);
  return (await select.executeTakeFirst())?.id ?? null;
}

export async function jobByKey(db: Kysely<Tables>, key: string): Promise<JobView | null> {
  const [view] = await viewsOf(db, (select) => select.where("queue_job.key", "=", key));
  return view ?? null;
}

/** The job that an attempt is run for at present; null where none is. */
export async function jobRunBy(db: Kysely<Tables>, attempt: string): Promise<JobView | null> {
  const [view] = await viewsOf(db, (select) =>
    // As the index of leases has it.
    select
      .where("queue_job.attempt", "=", attempt)
      .where("queue_job.state", "=", sql.lit(JOB_STATES.indexOf("leased"))),
  );
  return view ?? null;
}
