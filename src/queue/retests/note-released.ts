import { isPrerelease, parseVersion } from "../../python/versions.ts";
import type { Within } from "../../store/database.ts";
import { noteNewest } from "../../store/sql/known-rows.ts";

export interface ReleasedProject {
  readonly project: string;
  readonly version: string;
  /** Known projects that need it. */
  readonly dependents: number;
  /** Null where upstream does not say. */
  readonly uploadedMs: number | null;
  readonly nowMs: number;
}

/** What was uploaded before is no news to those who depend on it: it was seen late, or just named. */
const NEWS_MS = 7 * 86_400_000;

/**
 * What a release that was seen means for others: it is the newest of its project, and whoever depends on it gets it from now on and is
 * to be tested again. A pre-release, a release of an older line and one of a project that nobody needs mean nothing to anybody else.
 */
export async function noteReleased(within: Within, released: ReleasedProject): Promise<void> {
  const { project, version, dependents, uploadedMs, nowMs } = released;
  const known = await within
    .selectFrom("project")
    .select("id")
    .where("name", "=", project)
    .executeTakeFirst();
  // Of what was not admitted the farm knows nothing but that it was there.
  if (known === undefined || !(await noteNewest(within, known.id, version, nowMs))) return;
  const parsed = parseVersion(version);
  if (dependents === 0 || parsed === null || isPrerelease(parsed)) return;
  if (uploadedMs !== null && nowMs - uploadedMs > NEWS_MS) return;
  await within
    .insertInto("retest_wave")
    .values({ project, version, noted_ms: nowMs, planned: 0, ended_ms: null, note: null })
    .onConflict((on) => on.columns(["project", "version"]).doNothing())
    .execute();
  // Whoever was to be tested with the one before is tested with this one.
  await within
    .updateTable("retest_wave")
    .set({ ended_ms: nowMs, note: `by ${version}` })
    .where("project", "=", project)
    .where("version", "!=", version)
    .where("ended_ms", "is", null)
    .execute();
}
