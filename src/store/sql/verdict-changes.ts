import type { Kysely } from "kysely";
import { z } from "zod";

import type { Outcome } from "../../model/attempt.ts";
import type { Within } from "../../model/authorise.ts";
import type { Visibility } from "../../model/principals.ts";
import { CHANGE_KINDS, type ChangeKind } from "../../model/settle-verdict.ts";
import type { Database } from "../database.ts";
import type { Tables } from "../schema.ts";
import { isVisible } from "./visible-projects.ts";
import { AnOutcome, AVisibility } from "./stored-words.ts";

/** A result on either side of a change. */
export interface ChangeSide {
  readonly attempt: string;
  readonly version: string;
  readonly outcome: Outcome;
  /** As it is written for people, `dependency-build(cffi)`; null on a pass. */
  readonly cause: string | null;
}

/** A change of verdict (docs/results.md). */
export interface ListedChange {
  readonly id: number;
  readonly project: string;
  readonly visibility: Visibility;
  readonly configuration: string;
  /** Empty for releases; of a repository the branch or tag. */
  readonly line: string;
  readonly kind: ChangeKind;
  readonly now: ChangeSide;
  readonly before: ChangeSide;
  readonly root: string;
  /** When the attempt ended, ms since 1970. */
  readonly atMs: number;
}

export interface ChangeQuery {
  readonly within: Within;
  /** Normalised name. */
  readonly project?: string;
  readonly configuration?: string;
  /** All kinds where it is left out. */
  readonly kinds?: readonly ChangeKind[];
  /** Ms since 1970. */
  readonly sinceMs?: number;
  /** At most so many, newest first. */
  readonly limit: number;
  /** Only those with smaller numbers, for the next page. */
  readonly olderThan?: number;
}

export interface ChangePage {
  readonly changes: readonly ListedChange[];
  /** `olderThan` of the next page; null on the last. A page may be short, or empty, and not be the last. */
  readonly next: number | null;
}

/** Of all projects together, one page looks through so many. */
const MOST_LOOKED_THROUGH = 20_000;

/** Changes that fit, newest first: in the order in which they were kept. */
export async function newestChanges(
  database: Database,
  query: ChangeQuery,
  mostLookedThrough: number = MOST_LOOKED_THROUGH,
): Promise<ChangePage> {
  const { within, project, configuration, kinds, sinceMs, limit, olderThan } = query;
  return database.read(async (db) => {
    let select = joinedChanges(db)
      .where(isVisible(within))
      .orderBy("verdict_change.id", "desc")
      .limit(limit + 1);
    let end: number | null = null;
    if (project === undefined) {
      end = await windowEnd(db, olderThan, mostLookedThrough);
      if (end !== null) select = select.where("verdict_change.id", ">=", end);
    } else {
      const row = await db
        .selectFrom("project")
        .select("id")
        .where("name", "=", project)
        .executeTakeFirst();
      if (row === undefined) return { changes: [], next: null };
      select = select.where("verdict_change.project_id", "=", row.id);
    }
    if (configuration !== undefined)
      select = select.where("configuration.name", "=", configuration);
    if (kinds !== undefined) select = select.where("verdict_change.kind", "in", kinds);
    if (sinceMs !== undefined) select = select.where("verdict_change.at_ms", ">=", sinceMs);
    if (olderThan !== undefined) select = select.where("verdict_change.id", "<", olderThan);
    const found = (await select.execute()).map(changeOf);
    const changes = found.slice(0, limit);
    const last = found.length > limit ? changes.at(-1)?.id : undefined;
    return { changes, next: last ?? end };
  });
}

/** One by its number, if it is among what somebody gets to see. */
export async function visibleChange(
  database: Database,
  id: number,
  within: Within,
): Promise<ListedChange | null> {
  const row = await database.read((db) =>
    joinedChanges(db)
      .where("verdict_change.id", "=", id)
      .where(isVisible(within))
      .executeTakeFirst(),
  );
  return row === undefined ? null : changeOf(row);
}

/**
 * Changes of all projects, private ones too, after one of them, in the order in which they were kept: for what tells others of them.
 * Whoever reads on after the last it was given misses none.
 */
export async function changesAfter(
  db: Kysely<Tables>,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<readonly ListedChange[]> {
  const rows = await joinedChanges(db)
    .where("verdict_change.id", ">", after)
    .orderBy("verdict_change.id")
    .limit(limit)
    .execute();
  return rows.map(changeOf);
}

/** The number of the newest; 0 where there is none. */
export async function lastChange(db: Kysely<Tables>): Promise<number> {
  const row = await db
    .selectFrom("verdict_change")
    .select("id")
    .orderBy("id", "desc")
    .limit(1)
    .executeTakeFirst();
  return row?.id ?? 0;
}

/** The smallest number that one page may look at; null where it may look at all that is left. */
async function windowEnd(
  db: Kysely<Tables>,
  olderThan: number | undefined,
  most: number,
): Promise<number | null> {
  const from = olderThan ?? (await lastChange(db)) + 1;
  return from - most > 1 ? from - most : null;
}

/** Changes with all that they refer to, as `changeOf` reads them. */
export function joinedChanges(db: Kysely<Tables>) {
  return db
    .selectFrom("verdict_change")
    .innerJoin("project", "project.id", "verdict_change.project_id")
    .innerJoin("configuration", "configuration.id", "verdict_change.configuration_id")
    .select([
      "verdict_change.id",
      "verdict_change.line",
      "verdict_change.kind",
      "verdict_change.version",
      "verdict_change.attempt",
      "verdict_change.outcome",
      "verdict_change.cause",
      "verdict_change.before_version",
      "verdict_change.before_attempt",
      "verdict_change.before_outcome",
      "verdict_change.before_cause",
      "verdict_change.root",
      "verdict_change.at_ms",
      "project.name as project",
      "project.visibility",
      "configuration.name as configuration",
    ]);
}

type JoinedChange = Awaited<ReturnType<ReturnType<typeof joinedChanges>["execute"]>>[number];

const Kind = z.enum(CHANGE_KINDS);

export function changeOf(row: JoinedChange): ListedChange {
  const { id, project, configuration, line, root } = row;
  return {
    id,
    project,
    visibility: AVisibility.parse(row.visibility),
    configuration,
    line,
    kind: Kind.parse(row.kind),
    now: {
      attempt: row.attempt,
      version: row.version,
      outcome: AnOutcome.parse(row.outcome),
      cause: row.cause,
    },
    before: {
      attempt: row.before_attempt,
      version: row.before_version,
      outcome: AnOutcome.parse(row.before_outcome),
      cause: row.before_cause,
    },
    root,
    atMs: row.at_ms,
  };
}
