import { sql, type Kysely } from "kysely";

import type { Within } from "../database.ts";
import type { Tables } from "../schema.ts";

/** Of a notice; all but the first are ends. */
export const NOTICE_STATE = {
  waiting: 0,
  delivered: 1,
  /** Its receiver would never take it. */
  refused: 2,
  /** Nobody took it for too long. */
  expired: 3,
  /** Something newer is said in its place. */
  superseded: 4,
  /** Nobody is to be told any more. */
  dropped: 5,
} as const;
export type NoticeEnd = Exclude<keyof typeof NOTICE_STATE, "waiting">;

export interface DueNotice {
  readonly project_id: number;
  readonly attempt: string;
  readonly changeId: number | null;
  readonly targetId: number | null;
}

/** That there is something to tell of, for whoever plans notices: in the transaction that keeps it. */
export async function noteDue(
  within: Within,
  { project_id, attempt, changeId, targetId }: DueNotice,
): Promise<void> {
  await within
    .insertInto("notice_due")
    .values({ project_id, attempt, change_id: changeId, target_id: targetId })
    .execute();
}

export async function isAnythingDue(db: Kysely<Tables>): Promise<boolean> {
  return (await db.selectFrom("notice_due").select("id").limit(1).executeTakeFirst()) !== undefined;
}

/** Takes the oldest: of two who do so at once each gets others. */
export async function takeDue(within: Within, most: number) {
  const first = within.selectFrom("notice_due").select("id").orderBy("id").limit(most);
  const taken = await within
    .deleteFrom("notice_due")
    .where("id", "in", first)
    .returningAll()
    .execute();
  return taken.toSorted((one, other) => one.id - other.id);
}

export function targetOf(within: Within, id: number) {
  return within
    .selectFrom("target")
    .select(["word", "version", "line"])
    .where("id", "=", id)
    .executeTakeFirst();
}

export async function projectNames(
  within: Within,
  ids: readonly number[],
): Promise<ReadonlyMap<number, string>> {
  if (ids.length === 0) return new Map();
  const rows = await within
    .selectFrom("project")
    .select(["id", "name"])
    .where("id", "in", [...new Set(ids)])
    .execute();
  return new Map(rows.map(({ id, name }) => [id, name]));
}

export type NewNotice = Pick<
  Tables["notice"],
  "key" | "project_id" | "target" | "body" | "made_ms"
>;

export async function insertNotice(within: Within, notice: NewNotice): Promise<number> {
  const { id } = await within
    .insertInto("notice")
    .values({
      ...notice,
      state: NOTICE_STATE.waiting,
      tries: 0,
      next_ms: notice.made_ms,
      ended_ms: null,
      answer: null,
    })
    .returning("id")
    .executeTakeFirstOrThrow();
  return id;
}

export type ToldCommit = Pick<
  Tables["commit_told"],
  "project_id" | "target" | "commit_name" | "configuration_id"
>;

export function lastTold(within: Within, told: ToldCommit) {
  return within
    .selectFrom("commit_told")
    .select(["said", "notice_id as noticeId"])
    .where("project_id", "=", told.project_id)
    .where("target", "=", told.target)
    .where("commit_name", "=", told.commit_name)
    .where("configuration_id", "=", told.configuration_id)
    .executeTakeFirst();
}

export async function putTold(
  within: Within,
  told: ToldCommit & Pick<Tables["commit_told"], "said" | "notice_id" | "told_ms">,
): Promise<void> {
  const { said, notice_id, told_ms } = told;
  await within
    .insertInto("commit_told")
    .values(told)
    .onConflict((on) =>
      on
        .columns(["project_id", "target", "commit_name", "configuration_id"])
        .doUpdateSet({ said, notice_id, told_ms }),
    )
    .execute();
}

/** Those to be tried now, the oldest first. */
export async function nextNotices(db: Kysely<Tables>, nowMs: number, most: number) {
  const rows = await db
    .selectFrom("notice")
    .innerJoin("project", "project.id", "notice.project_id")
    .selectAll("notice")
    .select("project.name as project")
    .where("notice.state", "=", sql.lit(NOTICE_STATE.waiting))
    .where("notice.next_ms", "<=", nowMs)
    .orderBy("notice.next_ms")
    .orderBy("notice.id")
    .limit(most)
    .execute();
  return rows.toSorted((one, other) => one.id - other.id);
}
export type WaitingNotice = Awaited<ReturnType<typeof nextNotices>>[number];

/** Before it is sent: nobody else tries it until then. @returns false where somebody else has it, or it is over. */
export async function claimNotice(
  within: Within,
  { id, next_ms, tries }: Pick<WaitingNotice, "id" | "next_ms" | "tries">,
  untilMs: number,
): Promise<boolean> {
  const claimed = await within
    .updateTable("notice")
    .set({ next_ms: untilMs, tries: tries + 1 })
    .where("id", "=", id)
    .where("state", "=", sql.lit(NOTICE_STATE.waiting))
    .where("next_ms", "=", next_ms)
    .where("tries", "=", tries)
    .returning("id")
    .execute();
  return claimed.length > 0;
}

/** What is over stays as it is. */
export async function endNotice(
  within: Within,
  id: number,
  end: NoticeEnd,
  answer: string | null,
  nowMs: number,
): Promise<void> {
  await within
    .updateTable("notice")
    .set({ state: NOTICE_STATE[end], ended_ms: nowMs, answer })
    .where("id", "=", id)
    .where("state", "=", sql.lit(NOTICE_STATE.waiting))
    .execute();
}

/** @param answer null leaves what was said before. */
export async function postponeNotices(
  within: Within,
  ids: readonly number[],
  nextMs: number,
  answer: string | null,
): Promise<void> {
  if (ids.length === 0) return;
  await within
    .updateTable("notice")
    .set({ next_ms: nextMs, ...(answer === null ? {} : { answer }) })
    .where("id", "in", ids)
    .where("state", "=", sql.lit(NOTICE_STATE.waiting))
    .execute();
}

export interface WaitingNotices {
  readonly count: number;
  /** When the oldest was made; null where none waits. */
  readonly oldestMs: number | null;
}

export function waitingNotices(db: Kysely<Tables>): Promise<WaitingNotices> {
  return db
    .selectFrom("notice")
    .select(({ fn }) => [
      fn.countAll<number>().as("count"),
      fn.min<number | null>("made_ms").as("oldestMs"),
    ])
    .where("state", "=", sql.lit(NOTICE_STATE.waiting))
    .executeTakeFirstOrThrow();
}

/** Forgets notices that ended, and what was said of commits, before an instant. */
export async function forgetNotices(within: Within, beforeMs: number): Promise<void> {
  await within
    .deleteFrom("notice")
    .where("state", "!=", sql.lit(NOTICE_STATE.waiting))
    .where("ended_ms", "<", beforeMs)
    .execute();
  await within.deleteFrom("commit_told").where("told_ms", "<", beforeMs).execute();
}
