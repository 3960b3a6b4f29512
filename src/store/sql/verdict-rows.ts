import { sql } from "kysely";
import { z } from "zod";

import { standing } from "../../model/compare.ts";
import { rootOf } from "../../model/change-root.ts";
import { formatCause, parseCause, parseConfidence } from "../../model/result-words.ts";
import {
  settle,
  weightOf,
  type Cell,
  type NewResult,
  type SettledResult,
  type VerdictChange,
} from "../../model/settle-verdict.ts";
import type { Within } from "../database.ts";
import type { AttemptRecording } from "../store.ts";
import { indexedText } from "./indexed-text.ts";
import { STATE } from "./job-rows.ts";
import type { KnownKeys } from "./known-rows.ts";
import { noteDue } from "./notice-rows.ts";
import { unpackDetail } from "./packed-detail.ts";
import { AnOutcome } from "./stored-words.ts";

/** Of releases. */
export const RELEASES = "";
/** Of a repository that nobody named a branch of. */
const UNNAMED = "HEAD";
/** A row of settings that whoever writes a change holds until it is kept. */
const LOCK = "verdict-changes";

/**
 * Notes how a result that is being kept, in the same transaction, leaves its project standing, and the change where there is one. Of two
 * of one cell at once the second sees what the first has said.
 * @returns whether a second attempt of the same release would be news: it failed where it had not, and nothing has confirmed that yet.
 */
export async function noteVerdict(
  within: Within,
  recording: AttemptRecording,
  { project_id, configuration_id }: KnownKeys,
): Promise<boolean> {
  const result = newResult(recording);
  if (result === null || weightOf(result) === "nothing") return false;
  const target = result.source === "release" ? null : await leasedTarget(within, result.attempt);
  const line = result.source === "release" ? RELEASES : (target?.line ?? UNNAMED);
  const key = { project_id, configuration_id, line };
  // Locks the row where others write beside, and makes it where there is none.
  const row = await within
    .insertInto("verdict")
    .values({ ...key, attempt: null, pending: null })
    .onConflict((on) =>
      on
        .columns(["project_id", "configuration_id", "line"])
        .doUpdateSet({ pending: sql<string | null>`verdict.pending` }),
    )
    .returning(["attempt", "pending"])
    .executeTakeFirstOrThrow();
  const before = await cellOf(within, row.attempt, row.pending);
  const { cell, change } = settle(before, result);
  const now = {
    attempt: cell.settled?.attempt ?? null,
    pending: cell.pending?.attempt ?? null,
  };
  if (now.attempt !== row.attempt || now.pending !== row.pending)
    await within
      .updateTable("verdict")
      .set(now)
      .where("project_id", "=", project_id)
      .where("configuration_id", "=", configuration_id)
      .where("line", "=", line)
      .execute();
  const changeId =
    change === null ? null : await insertChange(within, key, { result, change, recording });
  // A commit is told what came of it also where that is what came of the one before, and where a later one was quicker.
  const isBelieved = weightOf(result) === "settles" || now.attempt === result.attempt;
  const targetId = isBelieved ? (target?.id ?? null) : null;
  if (changeId !== null || targetId !== null)
    await noteDue(within, { project_id, attempt: result.attempt, changeId, targetId });
  const { settled, pending } = cell;
  // Of what comes to another end each time, once; a release that failed before as well is no news, a commit is told what came of it.
  const isFirst = before.pending === null || before.pending.version !== result.version;
  const wasGood = settled !== null && standing(settled.outcome) === "good";
  return (
    isFirst && pending?.attempt === result.attempt && (wasGood || result.source === "repository")
  );
}

/** Null for what has a cause or a confidence that is none: a later Creamery's. */
function newResult({ attempt, reason }: AttemptRecording): NewResult | null {
  const { id, version, source, phase, outcome } = attempt;
  const cause = attempt.cause === null ? null : parseCause(attempt.cause);
  const confidence = parseConfidence(attempt.confidence);
  if (confidence === null || (attempt.cause !== null && cause === null)) return null;
  return {
    attempt: id,
    // As it is read back of a release.
    version: indexedText(version),
    source: source.kind,
    reason,
    phase,
    outcome,
    cause,
    confidence,
  };
}

/** What a leased job's attempt is of, and its branch or tag. */
async function leasedTarget(
  within: Within,
  attempt: string,
): Promise<{ readonly id: number; readonly line: string } | null> {
  const row = await within
    .selectFrom("queue_job")
    .innerJoin("target", "target.id", "queue_job.target_id")
    .select(["target.id", "target.line"])
    .where("queue_job.state", "=", sql.lit(STATE.leased))
    .where("queue_job.attempt", "=", attempt)
    .executeTakeFirst();
  if (row === undefined) return null;
  return { id: row.id, line: row.line === "" ? UNNAMED : indexedText(row.line) };
}

const Detail = z.looseObject({ cause: z.string().nullable() });

async function cellOf(
  within: Within,
  settled: string | null,
  pending: string | null,
): Promise<Cell> {
  const ids = [settled, pending].filter((id) => id !== null);
  if (ids.length === 0) return { settled: null, pending: null };
  const rows = await within
    .selectFrom("result")
    .innerJoin("release", "release.id", "result.release_id")
    .select([
      "result.id",
      "result.outcome",
      "result.cause_kind",
      "result.detail",
      "release.version",
    ])
    .where("result.id", "in", ids)
    .execute();
  const results = rows.map((row): SettledResult => {
    const text = row.cause_kind === null ? null : Detail.parse(unpackDetail(row.id, row.detail));
    return {
      attempt: row.id,
      version: row.version,
      outcome: AnOutcome.parse(row.outcome),
      cause: typeof text?.cause === "string" ? parseCause(text.cause) : null,
    };
  });
  const named = (id: string | null) => results.find(({ attempt }) => attempt === id) ?? null;
  return { settled: named(settled), pending: named(pending) };
}

interface Noted {
  readonly result: NewResult;
  readonly change: VerdictChange;
  readonly recording: AttemptRecording;
}

async function insertChange(
  within: Within,
  key: {
    readonly project_id: number;
    readonly configuration_id: number;
    readonly line: string;
  },
  { result, change: { kind, before }, recording: { attempt, startedAt } }: Noted,
): Promise<number> {
  // Ids are given in the order in which changes are seen: who reads on after the last that it has seen misses none.
  await sql`insert into farm_setting (name, value) values (${LOCK}, 'null')
    on conflict (name) do update set value = farm_setting.value`.execute(within);
  const text = (cause: NewResult["cause"]) =>
    cause === null ? null : indexedText(formatCause(cause));
  const { project, why } = attempt;
  const root = rootOf({ project, cause: result.cause, beforeCause: before.cause, why });
  const { id } = await within
    .insertInto("verdict_change")
    .values({
      ...key,
      kind,
      version: result.version,
      attempt: result.attempt,
      outcome: result.outcome,
      cause: text(result.cause),
      before_version: before.version,
      before_attempt: before.attempt,
      before_outcome: before.outcome,
      before_cause: text(before.cause),
      root: indexedText(root),
      at_ms: Date.parse(startedAt) + Math.round((attempt.seconds["total"] ?? 0) * 1000),
    })
    .returning("id")
    .executeTakeFirstOrThrow();
  return id;
}
