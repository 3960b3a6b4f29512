import { sql, type Kysely } from "kysely";

import type { Within } from "../model/authorise.ts";
import type { Tables } from "../store/schema.ts";
import { isVisible } from "../store/sql/visible-projects.ts";

/** From a release's upload to its first verdict. */
export interface ReleaseLatency {
  readonly p50: number;
  readonly p90: number;
  /** So many releases it was measured on. */
  readonly count: number;
}

/** So many of the newest are looked at. */
const NEWEST = 1000;

/**
 * Seconds from upload to first verdict, of the releases whose verdict came since then, at most the newest so many; null where there was
 * none. Of what was uploaded before it was watched nobody could have been faster, and it does not count; nor does a release whose
 * index does not say when it was uploaded.
 * @param within only of what somebody gets to see; all, where it is left out, for the farm itself.
 */
export async function releaseLatency(
  db: Kysely<Tables>,
  sinceMs: number,
  most = 100,
  within?: Within,
): Promise<ReleaseLatency | null> {
  const newest = db
    .selectFrom("release_time")
    .selectAll()
    .orderBy("target_id", "desc")
    .limit(NEWEST)
    .as("newest");
  let select = db
    .selectFrom(newest)
    .innerJoin("target", "target.id", "newest.target_id")
    .innerJoin("project", "project.id", "target.project_id")
    .select(["newest.uploaded_ms as uploadedMs", "newest.verdict_ms as verdictMs"])
    .where("newest.verdict_ms", ">=", sinceMs)
    .where("newest.uploaded_ms", "is not", null)
    .where((build) =>
      build.exists(
        build
          .selectFrom("watched")
          .select("watched.name")
          .where(sql<boolean>`watched.name in (project.name, '*')`)
          .whereRef("watched.since_ms", "<=", "newest.uploaded_ms"),
      ),
    )
    .orderBy("newest.verdict_ms", "desc")
    .limit(most);
  if (within !== undefined) select = select.where(isVisible(within));
  const rows = await select.execute();
  const seconds = rows
    .map(({ uploadedMs, verdictMs }) =>
      Math.max(0, (Number(verdictMs) - Number(uploadedMs)) / 1000),
    )
    .toSorted((one, other) => one - other);
  if (seconds.length === 0) return null;
  return { p50: quantile(seconds, 0.5), p90: quantile(seconds, 0.9), count: seconds.length };
}

/** The smallest that at least that part of them does not exceed. @param sorted not empty. */
export function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN;
}
