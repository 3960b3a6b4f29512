import { parseCause } from "../../model/result-words.ts";
import { isPreferredRelease } from "../../python/newest.ts";
import type { Within } from "../database.ts";
import type { AttemptRecording } from "../store.ts";
import { noteDependencies } from "./dependency-rows.ts";
import { FARM_CAUSES } from "./result-row.ts";
import { withoutNul } from "./without-nul.ts";

/** Attempts of which the next retest is counted. */
const COUNTING_REASONS: ReadonlySet<string> = new Set(["release", "retest", "manual", "reproduce"]);

export interface KnownKeys {
  readonly project_id: number;
  readonly configuration_id: number;
  readonly image_id: number;
}

/** What an attempt of a release makes known besides its result: which is the newest, when it was tested, whom it depends on. */
export async function noteKnown(
  within: Within,
  recording: AttemptRecording,
  { project_id: projectId, configuration_id, image_id }: KnownKeys,
): Promise<void> {
  const { attempt, reason, dependencies } = recording;
  if (attempt.source.kind !== "release" || !COUNTING_REASONS.has(reason)) return;
  const startedMs = Date.parse(recording.startedAt);
  const version = withoutNul(attempt.version);
  await noteNewest(within, projectId, version, startedMs);
  if (dependencies !== undefined)
    await noteDependencies(within, { projectId, version, dependencies, seenMs: startedMs });
  const cause = attempt.cause === null ? null : parseCause(attempt.cause);
  // What the farm did wrong tested nothing.
  if (cause !== null && FARM_CAUSES.has(cause.kind)) return;
  const { interpreter } = attempt.axes;
  const row = { version, tested_ms: startedMs, image_id, interpreter };
  await within
    .insertInto("tested")
    .values({ project_id: projectId, configuration_id, planned_ms: 0, ...row })
    .onConflict((on) =>
      on
        .columns(["project_id", "configuration_id"])
        .doUpdateSet(row)
        // An older one that comes late changes nothing.
        .where("tested.tested_ms", "<=", startedMs),
    )
    .execute();
}

/** @returns whether it took another's place, or is the project's first. */
export async function noteNewest(
  within: Within,
  projectId: number,
  given: string,
  seenMs: number,
): Promise<boolean> {
  const version = withoutNul(given);
  const before = await within
    .selectFrom("newest_release")
    .select("version")
    .where("project_id", "=", projectId)
    .executeTakeFirst();
  if (before !== undefined && !isPreferredRelease(version, before.version)) return false;
  const row = { version, seen_ms: seenMs };
  await within
    .insertInto("newest_release")
    .values({ project_id: projectId, ...row })
    .onConflict((on) => on.column("project_id").doUpdateSet(row))
    .execute();
  return true;
}
