import { sql, type Kysely } from "kysely";
import { z } from "zod";

import type { Tables } from "../schema.ts";
import { FARM_CAUSES } from "./result-row.ts";

/**
 * What became of a release that was seen, each in exactly one: a full verdict on one configuration at least, smoke alone, still to be
 * tested, superseded by a newer one before it was, withdrawn upstream, not admitted; `no-verdict` is what was tried and came to none, or what
 * an operator ended.
 */
export const COVERAGE_STATES = [
  "full",
  "smoke-only",
  "waiting",
  "superseded",
  "withdrawn",
  "not-admitted",
  "no-verdict",
] as const;
export type CoverageState = (typeof COVERAGE_STATES)[number];

export interface Coverage {
  readonly sinceMs: number;
  /** Releases of watched projects that were seen since then. */
  readonly seen: number;
  /** Their sum is `seen`. */
  readonly states: Readonly<Record<CoverageState, number>>;
  /** The same by class; a class of which nothing was seen is left out. */
  readonly classes: readonly {
    readonly class: string;
    readonly seen: number;
    readonly states: Readonly<Record<CoverageState, number>>;
  }[];
}

const Row = z.object({
  class: z.string(),
  state: z.enum(COVERAGE_STATES),
  count: z.coerce.number(),
});

/** What was tested of all that was seen since an instant. Only of what anybody may see, unless all is asked for. */
export async function coverage(
  db: Kysely<Tables>,
  { sinceMs, visibility }: { readonly sinceMs: number; readonly visibility: "all" | "public" },
): Promise<Coverage> {
  const farm = sql.join([...FARM_CAUSES].map((cause) => sql.lit(cause)));
  // States of jobs: src/queue/job.ts.
  const { rows } = await sql`
    with seen as (
      select seen_release.project, seen_release.version, seen_release.class, seen_release.decision, project.id as project_id
      from seen_release left join project on project.name = seen_release.project
      where seen_release.seen_ms >= ${sinceMs}
        and (${visibility === "all" ? 1 : 0} = 1 or project.visibility is null or project.visibility = 'public')
    ), told as (
      select seen.*,
        (select max(case when result.cause_kind = 'smoke-only' then 1 else 2 end)
          from release join result on result.project_id = seen.project_id and result.release_id = release.id
          where release.project_id = seen.project_id and release.version = seen.version
            and result.reason not in ('confirm', 'experiment')
            and (result.cause_kind is null or result.cause_kind not in (${farm}))) as verdict,
        (select min(case when queue_job.state <= 2 then 0 when queue_job.state = 6 then 1 else 2 end)
          from target join queue_job on queue_job.target_id = target.id
          where target.project_id = seen.project_id and target.word = seen.project || '==' || seen.version
            and target.line = '' and queue_job.reason <> 'experiment') as job,
        (select count(*) from withdrawn where withdrawn.project = seen.project
          and withdrawn.version in ('', seen.version)) as gone
      from seen
    ), stated as (
      select class, case
        when verdict = 2 then 'full' when verdict = 1 then 'smoke-only'
        when gone > 0 then 'withdrawn' when job = 0 then 'waiting'
        when decision = 'not-admitted' then 'not-admitted'
        when job = 1 then 'superseded' else 'no-verdict' end as state
      from told
    )
    select class, state, count(*) as count from stated group by class, state order by class, state`.execute(
    db,
  );
  const parsed = rows.map((row) => Row.parse(row));
  const classes = Map.groupBy(parsed, (row) => row.class);
  return {
    sinceMs,
    ...summed(parsed),
    classes: [...classes].map(([name, of]) => ({ class: name, ...summed(of) })),
  };
}

function summed(rows: readonly z.infer<typeof Row>[]): {
  readonly seen: number;
  readonly states: Readonly<Record<CoverageState, number>>;
} {
  const of = (state: CoverageState) =>
    rows.reduce((sum, row) => sum + (row.state === state ? row.count : 0), 0);
  return {
    seen: rows.reduce((sum, { count }) => sum + count, 0),
    states: {
      full: of("full"),
      "smoke-only": of("smoke-only"),
      waiting: of("waiting"),
      superseded: of("superseded"),
      withdrawn: of("withdrawn"),
      "not-admitted": of("not-admitted"),
      "no-verdict": of("no-verdict"),
    },
  };
}

export interface NotAdmitted {
  readonly project: string;
  readonly version: string;
  readonly class: string;
  readonly reason: string;
  readonly seenMs: number;
}

/** What was not admitted, newest first, with its reason: nothing is left out without being told. */
export async function notAdmitted(
  db: Kysely<Tables>,
  { sinceMs, limit }: { readonly sinceMs: number; readonly limit: number },
): Promise<readonly NotAdmitted[]> {
  return db
    .selectFrom("seen_release")
    .select(["project", "version", "class", "reason", "seen_ms as seenMs"])
    .where("decision", "=", "not-admitted")
    .where("seen_ms", ">=", sinceMs)
    .orderBy("seen_ms", "desc")
    .orderBy("project")
    .limit(limit)
    .execute();
}
