import { sql, type Selectable, type Updateable } from "kysely";

import type { Within } from "../database.ts";
import type { SqlKind } from "../migrations/migration.ts";
import type { Tables } from "../schema.ts";
import { bulkInsert } from "./bulk-insert.ts";
import { indexedText } from "./indexed-text.ts";

/** In the order of src/queue/job.ts. */
export const STATE = {
  queued: 0,
  waiting: 1,
  leased: 2,
  done: 3,
  dead: 4,
  cancelled: 5,
  superseded: 6,
} as const;

export type JobRow = Selectable<Tables["queue_job"]>;
export type JobChange = Omit<Updateable<Tables["queue_job"]>, "id" | "key">;

export interface TargetKey {
  readonly projectId: number;
  readonly word: string;
  readonly version: string;
  readonly line: string;
}

export interface PendingJob {
  readonly id: number;
  readonly key: string;
  readonly targetId: number;
  readonly projectId: number;
  readonly configurationId: number;
  readonly reason: string;
  readonly lane: number;
  readonly readyMs: number;
  readonly version: string;
  readonly line: string;
  readonly plan: string | null;
}

export type NewJob = Pick<
  Tables["queue_job"],
  | "key"
  | "target_id"
  | "configuration_id"
  | "reason"
  | "lane"
  | "state"
  | "tag"
  | "enqueued_ms"
  | "ready_ms"
> & { readonly plan: string | null; readonly why: string | null };

/** Rows of the queue within one transaction; what they mean is for the queue to say. */
export class JobRows {
  readonly within: Within;
  readonly #kind: SqlKind;

  constructor(within: Within, kind: SqlKind) {
    this.within = within;
    this.#kind = kind;
  }

  /**
   * Ids of projects by name, made where they are not there yet. Held until the transaction ends: of two that enqueue for
   * one project the second sees all of the first.
   */
  async lockProjects(projects: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, number>> {
    const names = [...projects.keys()].toSorted();
    const rows = names.map((name) => [name, projects.get(name) ?? "public"]);
    await bulkInsert(this.within, this.#kind, "project", ["name", "visibility"], rows, {
      conflict: "on conflict (name) do nothing",
    });
    let select = this.within.selectFrom("project").select(["id", "name"]).orderBy("id");
    if (this.#kind === "postgresql") select = select.forNoKeyUpdate();
    const found = await inParts(names, (part) => select.where("name", "in", part).execute());
    return new Map(found.map(({ name, id }) => [name, id]));
  }

  async configurations(names: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const rows = names.toSorted().map((name) => [name]);
    await bulkInsert(this.within, this.#kind, "configuration", ["name"], rows, {
      conflict: "on conflict (name) do nothing",
    });
    const found = await inParts(names, (part) =>
      this.within
        .selectFrom("configuration")
        .select(["id", "name"])
        .where("name", "in", part)
        .execute(),
    );
    return new Map(found.map(({ name, id }) => [name, id]));
  }

  /** Ids, in the order of the targets. */
  async targets(targets: readonly TargetKey[]): Promise<readonly number[]> {
    const rows = targets.map(({ projectId, word, version, line }) => [
      projectId,
      indexedText(word),
      indexedText(version),
      indexedText(line),
    ]);
    await bulkInsert(
      this.within,
      this.#kind,
      "target",
      ["project_id", "word", "version", "line"],
      rows,
      { conflict: "on conflict (project_id, word, line) do nothing" },
    );
    const projectIds = [...new Set(targets.map(({ projectId }) => projectId))];
    const words = new Set(rows.map(([, word]) => String(word)));
    const found = await inParts(projectIds, (part) =>
      this.within
        .selectFrom("target")
        .select(["id", "project_id", "word", "line"])
        .where("project_id", "in", part)
        .where("word", "in", [...words])
        .execute(),
    );
    const ids = new Map(
      found.map((row) => [`${row.project_id}\0${row.word}\0${row.line}`, row.id]),
    );
    return rows.map(([projectId, word, , line]) => ids.get(`${projectId}\0${word}\0${line}`) ?? -1);
  }

  /** What is queued or waiting of these projects. */
  async pending(projectIds: readonly number[]): Promise<readonly PendingJob[]> {
    return inParts(projectIds, (part) =>
      this.within
        .selectFrom("target")
        .innerJoin("queue_job", "queue_job.target_id", "target.id")
        .select([
          "queue_job.id",
          "queue_job.key",
          "queue_job.target_id as targetId",
          "target.project_id as projectId",
          "queue_job.configuration_id as configurationId",
          "queue_job.reason",
          "queue_job.lane",
          "queue_job.ready_ms as readyMs",
          "target.version",
          "target.line",
          "queue_job.plan",
        ])
        .where("target.project_id", "in", part)
        .where("queue_job.state", "<=", sql.lit(STATE.waiting))
        .execute(),
    );
  }

  /** @returns the keys of those that were inserted: not what is there already. */
  async insert(jobs: readonly NewJob[]): Promise<ReadonlySet<string>> {
    const rows = jobs.map((job) => [
      job.key,
      job.target_id,
      job.configuration_id,
      job.reason,
      job.lane,
      job.state,
      job.tag,
      job.enqueued_ms,
      job.ready_ms,
      0,
      0,
      job.plan,
      job.why === null ? null : indexedText(job.why),
    ]);
    const columns = [
      "key",
      "target_id",
      "configuration_id",
      "reason",
      "lane",
      "state",
      "tag",
      "enqueued_ms",
      "ready_ms",
      "tries",
      "farm_faults",
      "plan",
      "why",
    ] as const;
    const inserted = await bulkInsert(this.within, this.#kind, "queue_job", columns, rows, {
      conflict: "on conflict do nothing",
      returning: "key",
    });
    return new Set(inserted);
  }

  async knownKeys(keys: readonly string[]): Promise<ReadonlySet<string>> {
    const found = await inParts(keys, (part) =>
      this.within.selectFrom("queue_job").select("key").where("key", "in", part).execute(),
    );
    return new Set(found.map(({ key }) => key));
  }

  /** Ends what is queued or waiting. */
  async close(ids: readonly number[], state: number, note: string): Promise<void> {
    await inParts(ids, async (part) => {
      await this.within
        .updateTable("queue_job")
        .set({ state, note })
        .where("id", "in", part)
        .where("state", "<=", STATE.waiting)
        .execute();
      return [];
    });
  }

  async move(id: number, change: JobChange): Promise<void> {
    await this.within.updateTable("queue_job").set(change).where("id", "=", id).execute();
  }

  /** Where a lane stands: the tag of what comes next; where nothing waits, the end of all that was ever given out. */
  async virtualTime(lane: number): Promise<number> {
    const head = await this.within
      .selectFrom("queue_job")
      .select("tag")
      .where("state", "=", sql.lit(STATE.queued))
      .where("lane", "=", lane)
      .orderBy("tag")
      .limit(1)
      .executeTakeFirst();
    if (head !== undefined) return head.tag;
    const last = await this.within
      .selectFrom("queue_flow")
      .select("finish")
      .where("lane", "=", lane)
      .orderBy("finish", "desc")
      .limit(1)
      .executeTakeFirst();
    return last?.finish ?? 0;
  }

  async flows(lane: number, projectIds: readonly number[]): Promise<ReadonlyMap<number, number>> {
    const found = await inParts(projectIds, (part) =>
      this.within
        .selectFrom("queue_flow")
        .select(["project_id", "finish"])
        .where("lane", "=", lane)
        .where("project_id", "in", part)
        .execute(),
    );
    return new Map(found.map(({ project_id: id, finish }) => [id, finish]));
  }

  async putFlows(lane: number, flows: ReadonlyMap<number, number>): Promise<void> {
    const rows = [...flows]
      .toSorted(([one], [other]) => one - other)
      .map(([id, finish]) => [lane, id, finish]);
    await bulkInsert(
      this.within,
      this.#kind,
      "queue_flow",
      ["lane", "project_id", "finish"],
      rows,
      { conflict: "on conflict (lane, project_id) do update set finish = excluded.finish" },
    );
  }

  /** Instant of the last batch of pushes to a line, ms; undefined where there was none. */
  async cooldown(projectId: number, line: string): Promise<number | undefined> {
    const row = await this.within
      .selectFrom("queue_cooldown")
      .select("ready_ms")
      .where("project_id", "=", projectId)
      .where("line", "=", indexedText(line))
      .executeTakeFirst();
    return row?.ready_ms;
  }

  async putCooldown(projectId: number, line: string, readyMs: number): Promise<void> {
    await bulkInsert(
      this.within,
      this.#kind,
      "queue_cooldown",
      ["project_id", "line", "ready_ms"],
      [[projectId, indexedText(line), readyMs]],
      { conflict: "on conflict (project_id, line) do update set ready_ms = excluded.ready_ms" },
    );
  }

  /** Makes ready what waited until now. @returns how many. */
  async wake(nowMs: number, most: number): Promise<number> {
    const due = await this.#skippingLocked(
      this.within
        .selectFrom("queue_job")
        .select("id")
        .where("state", "=", sql.lit(STATE.waiting))
        .where("ready_ms", "<=", nowMs)
        .orderBy("ready_ms")
        .limit(most),
    ).execute();
    if (due.length === 0) return 0;
    const ids = due.map(({ id }) => id);
    await this.within
      .updateTable("queue_job")
      .set({ state: STATE.queued })
      .where("id", "in", ids)
      .execute();
    return ids.length;
  }

  /** The first of a lane that nobody else is taking, by fairness and then by age. */
  async heads(lane: number, most: number, without: readonly number[]) {
    let select = this.within
      .selectFrom("queue_job")
      .select(["id", "tag", "enqueued_ms as enqueuedMs"])
      .where("state", "=", sql.lit(STATE.queued))
      .where("lane", "=", lane)
      .orderBy("tag")
      .orderBy("id")
      .limit(most);
    if (without.length > 0) select = select.where("configuration_id", "not in", without);
    return this.#skippingLocked(select).execute();
  }

  /** Leases jobs, each to a worker for an attempt, in one statement. */
  async give(
    leases: readonly { readonly id: number; readonly attempt: string; readonly workerId: number }[],
    leaseMs: number,
  ): Promise<void> {
    const values = sql.join(
      leases.map(
        ({ id, attempt, workerId }) =>
          sql`(cast(${id} as integer), cast(${attempt} as text), cast(${workerId} as integer))`,
      ),
    );
    await sql`with given (id, attempt, worker_id) as (values ${values})
      update queue_job set state = ${sql.lit(STATE.leased)}, attempt = given.attempt, worker_id = given.worker_id,
        lease_ms = ${leaseMs}, tries = tries + 1 from given where queue_job.id = given.id`.execute(
      this.within,
    );
  }

  /** Leases that ended before an instant, their projects held. */
  async expired(nowMs: number, most: number) {
    return this.#leases((select) =>
      select.where("lease_ms", "<", nowMs).orderBy("lease_ms").limit(most),
    );
  }

  async leasesOf(workerId: number) {
    return this.#leases((select) => select.where("worker_id", "=", workerId));
  }

  /** @returns the attempts whose leases are a worker's still, and end then. */
  async renew(
    workerId: number,
    attempts: readonly string[],
    untilMs: number,
  ): Promise<readonly string[]> {
    if (attempts.length === 0) return [];
    const renewed = await this.within
      .updateTable("queue_job")
      .set({ lease_ms: untilMs })
      .where("state", "=", STATE.leased)
      .where("worker_id", "=", workerId)
      .where("attempt", "in", attempts)
      .returning("attempt")
      .execute();
    return renewed.flatMap(({ attempt }) => attempt ?? []);
  }

  async lease(workerId: number, attempt: string) {
    const found = await this.#leases((select) =>
      select.where("worker_id", "=", workerId).where("attempt", "=", attempt),
    );
    return found[0];
  }

  /** The first verdict on a release: from its upload to here is what the farm takes. */
  async noteVerdict(targetId: number, nowMs: number): Promise<void> {
    await this.within
      .updateTable("release_time")
      .set({ verdict_ms: nowMs })
      .where("target_id", "=", targetId)
      .where("verdict_ms", "is", null)
      .execute();
  }

  async byKey(key: string) {
    const select = this.within.selectFrom("queue_job").selectAll().where("key", "=", key);
    return (this.#kind === "postgresql" ? select.forUpdate() : select).executeTakeFirst();
  }

  /** The key of another job for the same that is queued or waiting. */
  async twinOf(job: {
    readonly id: number;
    readonly target_id: number;
    readonly configuration_id: number;
    readonly reason: string;
  }): Promise<string | undefined> {
    const twin = await this.within
      .selectFrom("queue_job")
      .select("key")
      .where("state", "<=", sql.lit(STATE.waiting))
      .where("target_id", "=", job.target_id)
      .where("configuration_id", "=", job.configuration_id)
      .where("reason", "=", job.reason)
      .where("id", "!=", job.id)
      .executeTakeFirst();
    return twin?.key;
  }

  async #leases(narrow: (select: ReturnType<typeof leased>) => ReturnType<typeof leased>) {
    const select = narrow(leased(this.within));
    return (this.#kind === "postgresql" ? select.forUpdate() : select).execute();
  }

  #skippingLocked<Select extends { forUpdate(): { skipLocked(): Select } }>(
    select: Select,
  ): Select {
    return this.#kind === "postgresql" ? select.forUpdate().skipLocked() : select;
  }
}

function leased(within: Within) {
  return within
    .selectFrom("queue_job")
    .selectAll("queue_job")
    .where("state", "=", sql.lit(STATE.leased));
}

const MOST_IN = 5000;

/** A question about many ids, in parts that both databases take. */
export async function inParts<Item, Row>(
  items: readonly Item[],
  ask: (part: readonly Item[]) => Promise<readonly Row[]>,
): Promise<readonly Row[]> {
  if (items.length <= MOST_IN) return items.length === 0 ? [] : ask(items);
  const rows: Row[] = [];
  for (let start = 0; start < items.length; start += MOST_IN)
    rows.push(...(await ask(items.slice(start, start + MOST_IN))));
  return rows;
}
