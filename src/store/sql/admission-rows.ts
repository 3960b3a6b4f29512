import { sql, type Kysely } from "kysely";
import { z } from "zod";

import type { Within } from "../database.ts";
import type { Tables } from "../schema.ts";
import { inParts, STATE } from "./job-rows.ts";
import { unpackDetail } from "./packed-detail.ts";
import { withoutNul } from "./without-nul.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** A host that said nothing for so long does no work. */
const HOST_SILENT_MS = 5 * MINUTE_MS;
/** What a usual hour is, is looked for in so much of the past. */
const USUAL_MS = 7 * DAY_MS;

export type SeenRelease = Tables["seen_release"];

/** Of these, the ones of which the farm saw a release or knows anything else. */
export async function knownNames(
  db: Kysely<Tables>,
  names: readonly string[],
): Promise<ReadonlySet<string>> {
  const projects = await inParts(names, (part) =>
    db.selectFrom("project").select("name").where("name", "in", part).execute(),
  );
  const seen = await inParts(names, (part) =>
    db
      .selectFrom("seen_release")
      .select("project as name")
      .distinct()
      .where("project", "in", part)
      .execute(),
  );
  return new Set([...projects, ...seen].map(({ name }) => name));
}

export async function seenReleases(
  db: Kysely<Tables>,
  releases: readonly { readonly project: string; readonly version: string }[],
): Promise<ReadonlyMap<string, SeenRelease>> {
  const rows = await inParts([...new Set(releases.map(({ project }) => project))], (part) =>
    db.selectFrom("seen_release").selectAll().where("project", "in", part).execute(),
  );
  return new Map(rows.map((row) => [`${row.project}==${row.version}`, row]));
}

/** Keeps what became of a release: what is said last counts, and when it was seen first. */
export async function putSeenRelease(within: Within, row: SeenRelease): Promise<void> {
  const clean = {
    ...row,
    project: withoutNul(row.project),
    version: withoutNul(row.version),
    reason: withoutNul(row.reason),
  };
  const { class: kind, decision, reason, expires_ms } = clean;
  await within
    .insertInto("seen_release")
    .values(clean)
    .onConflict((on) =>
      on.columns(["project", "version"]).doUpdateSet({ class: kind, decision, reason, expires_ms }),
    )
    .execute();
}

export interface NewNameCounts {
  readonly lastHour: number;
  /** New names in a usual hour of the last week, floods left out; null while less than a day is known. */
  readonly usualHour: number | null;
}

export async function newNameCounts(db: Kysely<Tables>, nowMs: number): Promise<NewNameCounts> {
  const recent = await db
    .selectFrom("seen_release")
    .select(({ fn }) => fn.countAll<number>().as("count"))
    .where("new_name", "=", sql.lit(1))
    .where("seen_ms", ">", nowMs - HOUR_MS)
    .executeTakeFirstOrThrow();
  const usual = await db
    .selectFrom("seen_release")
    .select(({ fn }) => [fn.countAll<number>().as("count"), fn.min("seen_ms").as("firstMs")])
    .where("new_name", "=", sql.lit(1))
    .where("seen_ms", ">", nowMs - USUAL_MS)
    .where("seen_ms", "<=", nowMs - HOUR_MS)
    .where("class", "!=", "flood")
    .executeTakeFirstOrThrow();
  // Without a row there is no first one, whatever its type says.
  const spanMs = usual.count === 0 ? 0 : nowMs - HOUR_MS - usual.firstMs;
  return {
    lastHour: recent.count,
    usualHour: spanMs < DAY_MS ? null : usual.count / (spanMs / HOUR_MS),
  };
}

export interface Work {
  /** Jobs that are due or run in the lanes that matter, whole and smoke. */
  readonly full: number;
  readonly smoke: number;
  /** Of all hosts that are there; 1 at least. */
  readonly slots: number;
  /** Releases that are delayed. */
  readonly delayed: number;
}

/** @param lanes how many, from the most urgent down. */
export async function workAhead(db: Kysely<Tables>, lanes: number, nowMs: number): Promise<Work> {
  let [full, smoke] = [0, 0];
  for (const state of [STATE.queued, STATE.leased]) {
    const rows = await db
      .selectFrom("queue_job")
      .select(({ fn }) => ["plan", fn.countAll<number>().as("count")])
      .where("state", "=", sql.lit(state))
      .where("lane", "<", lanes)
      .groupBy("plan")
      .execute();
    for (const { plan, count } of rows)
      if (plan === "smoke") smoke += count;
      else full += count;
  }
  const hosts = await db
    .selectFrom("worker")
    .select("slots")
    .where("state", "=", "active")
    .where("seen_ms", ">", nowMs - HOST_SILENT_MS)
    .execute();
  const delayed = await db
    .selectFrom("seen_release")
    .select(({ fn }) => fn.countAll<number>().as("count"))
    .where("expires_ms", "is not", null)
    .executeTakeFirstOrThrow();
  return {
    full,
    smoke,
    slots: Math.max(
      1,
      hosts.reduce((sum, { slots }) => sum + slots, 0),
    ),
    delayed: delayed.count,
  };
}

/** What a job takes, in a slot, ms. */
export interface MeasuredMeans {
  readonly fullMs: number;
  readonly smokeMs: number;
}

const LOOKED_AT = 200;
const ENOUGH = 20;
const UNKNOWN_FULL_MS = 60_000;
const SMOKE_SHARE = 4;
const Seconds = z.looseObject({ seconds: z.looseObject({ total: z.number().nonnegative() }) });

/** Of the newest results. With too few of them a minute, and for smoke a quarter of what all of it takes. */
export async function measuredMeans(db: Kysely<Tables>): Promise<MeasuredMeans> {
  const rows = await db
    .selectFrom("result")
    .select(["id", "cause_kind", "detail"])
    .where("reason", "!=", "confirm")
    .orderBy("id", "desc")
    .limit(LOOKED_AT)
    .execute();
  const [full, smoke]: [number[], number[]] = [[], []];
  for (const { id, cause_kind: cause, detail } of rows) {
    const totalMs = totalMsOf(id, detail);
    if (totalMs !== null) (cause === "smoke-only" ? smoke : full).push(totalMs);
  }
  const fullMs = meanOf(full) ?? UNKNOWN_FULL_MS;
  return { fullMs, smokeMs: meanOf(smoke) ?? fullMs / SMOKE_SHARE };
}

/** Null for a row that can't be read: nobody waits for a mean until somebody mends it. */
function totalMsOf(id: string, detail: Uint8Array): number | null {
  try {
    return Seconds.parse(unpackDetail(id, detail)).seconds.total * 1000;
  } catch {
    return null;
  }
}

function meanOf(values: readonly number[]): number | null {
  if (values.length < ENOUGH) return null;
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export interface DelayedRelease extends SeenRelease {
  /** Jobs of it that nobody has begun. */
  readonly pending: readonly number[];
  /** Of all its jobs, begun or not. */
  readonly jobs: number;
}

/** What is delayed, with its jobs: first what ends first. */
export async function delayedReleases(
  db: Kysely<Tables>,
  most: number,
): Promise<readonly DelayedRelease[]> {
  const rows = await db
    .selectFrom("seen_release")
    .selectAll()
    .where("expires_ms", "is not", null)
    .orderBy("expires_ms")
    .limit(most)
    .execute();
  const found: DelayedRelease[] = [];
  for (const row of rows) {
    const jobs = await db
      .selectFrom("project")
      .innerJoin("target", "target.project_id", "project.id")
      .innerJoin("queue_job", "queue_job.target_id", "target.id")
      .select(["queue_job.id", "queue_job.state"])
      .where("project.name", "=", row.project)
      .where("target.word", "=", `${row.project}==${row.version}`)
      .where("target.line", "=", "")
      .where("queue_job.reason", "=", "release")
      .execute();
    const pending = jobs.flatMap(({ id, state }) => (state <= STATE.waiting ? [id] : []));
    found.push({ ...row, pending, jobs: jobs.length });
  }
  return found;
}
