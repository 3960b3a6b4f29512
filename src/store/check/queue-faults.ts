import { sql, type Kysely, type RawBuilder } from "kysely";

import type { Tables } from "../schema.ts";
import { STATE } from "../sql/job-rows.ts";
import { MOST_FAULTS, type StoreFault } from "./store-finding.ts";

const LANES = 4;

interface Rule {
  readonly fault: string;
  /** Gives what breaks it, as `subject`. */
  readonly broken: RawBuilder<{ subject: string }>;
}

const job = (fault: string, where: RawBuilder<unknown>): Rule => ({
  fault,
  broken: sql`select 'job ' || key as subject from queue_job where ${where}`,
});

/** What the queue relies on. */
const RULES: readonly Rule[] = [
  job(
    "is in no state that there is",
    sql`state not between ${sql.lit(STATE.queued)} and ${sql.lit(STATE.superseded)}`,
  ),
  job("is in no lane that there is", sql`lane not between 0 and ${sql.lit(LANES - 1)}`),
  job(
    "is leased, and has no attempt, end of its lease or worker",
    sql`state = ${sql.lit(STATE.leased)} and (attempt is null or lease_ms is null or worker_id is null)`,
  ),
  job(
    "is leased to a worker that is not there",
    sql`state = ${sql.lit(STATE.leased)} and worker_id is not null and worker_id not in (select id from worker)`,
  ),
  job(
    "waits, and is leased all the same",
    sql`state <= ${sql.lit(STATE.waiting)} and (attempt is not null or lease_ms is not null)`,
  ),
  job(
    "is done, and its result is not there",
    sql`state = ${sql.lit(STATE.done)} and (attempt is null or attempt not in (select id from result))`,
  ),
  job("was tried less than never", sql`tries < 0 or farm_faults < 0`),
  job("is of a target that is not there", sql`target_id not in (select id from target)`),
  job(
    "is for a configuration that is not there",
    sql`configuration_id not in (select id from configuration)`,
  ),
  {
    fault: "waits more than once for the same",
    broken: sql`select 'job ' || min(key) as subject from queue_job where state <= ${sql.lit(STATE.waiting)}
      group by target_id, configuration_id, reason having count(*) > 1`,
  },
  {
    fault: "is leased more than once",
    broken: sql`select 'attempt ' || attempt as subject from queue_job where state = ${sql.lit(STATE.leased)} and attempt is not null
      group by attempt having count(*) > 1`,
  },
  {
    fault: "waits after the end of its project's flow: others would be given less than their share",
    broken: sql`select 'job ' || queue_job.key as subject from queue_job join target on target.id = queue_job.target_id
      left join queue_flow on queue_flow.lane = queue_job.lane and queue_flow.project_id = target.project_id
      where queue_job.state <= ${sql.lit(STATE.waiting)} and (queue_flow.finish is null or queue_job.tag >= queue_flow.finish)`,
  },
  {
    fault: "has a flow in no lane that there is, or one that ends before it begins",
    broken: sql`select 'project ' || cast(project_id as text) as subject from queue_flow
      where lane not between 0 and ${sql.lit(LANES - 1)} or finish < 0`,
  },
  {
    fault: "has a flow, and is not there",
    broken: sql`select 'project ' || cast(project_id as text) as subject from queue_flow where project_id not in (select id from project)`,
  },
  {
    fault: "has a cool-down, and is not there",
    broken: sql`select 'project ' || cast(project_id as text) as subject from queue_cooldown where project_id not in (select id from project)`,
  },
  {
    fault: "has a time to its verdict, and is not there",
    broken: sql`select 'target ' || cast(target_id as text) as subject from release_time where target_id not in (select id from target)`,
  },
];

/** What of the queue makes no sense; each question is of one instant. */
export async function queueFaults(db: Kysely<Tables>): Promise<readonly StoreFault[]> {
  const faults: StoreFault[] = [];
  for (const { fault, broken } of RULES) {
    const { rows } = await sql<{
      subject: string;
    }>`select subject from (${broken}) as broken order by subject limit ${sql.lit(MOST_FAULTS)}`.execute(
      db,
    );
    for (const { subject } of rows) faults.push({ subject, fault });
  }
  return faults;
}
