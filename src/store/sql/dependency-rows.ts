import { sql, type Kysely } from "kysely";

import { DEPENDENCY_KINDS, type Dependency } from "../../python/depends-on.ts";
import { isPreferredRelease } from "../../python/newest.ts";
import type { Within } from "../database.ts";
import type { Tables } from "../schema.ts";
import { inParts } from "./job-rows.ts";
import { withoutNul } from "./without-nul.ts";

/** Those that count: an extra's is not there for everybody. */
const COUNTING: readonly string[] = ["run", "build"];
const MAX_NAME_CHARS = 200;
const KINDS: ReadonlySet<string> = new Set(DEPENDENCY_KINDS);

export interface SeenDependencies {
  readonly projectId: number;
  readonly version: string;
  readonly dependencies: readonly Dependency[];
  /** When the release said so, ms. */
  readonly seenMs: number;
}

/**
 * Keeps whom a release depends on, within a transaction. A newer release's word takes the place of an older one's, so that what it dropped
 * is gone; of one release all that was seen counts together (its metadata may differ by interpreter); an older one's word says nothing.
 */
export async function noteDependencies(
  within: Within,
  { projectId, version: given, dependencies, seenMs }: SeenDependencies,
): Promise<void> {
  const version = withoutNul(given);
  const said = saidOf(dependencies);
  const last = await sourceOf(within, projectId);
  if (last !== undefined && isOlderWord(version, last)) return;
  if (last === version) {
    // The usual case: one more configuration of a release says the same.
    const known = await keptOf(within, projectId);
    if ([...said.keys()].every((one) => known.has(one))) return;
  }
  // Whoever else says something of the project waits here, and then sees all of this.
  await sql`insert into dependency_source (project_id, version, seen_ms) values (${projectId}, '', ${seenMs})
    on conflict (project_id) do update set seen_ms = excluded.seen_ms`.execute(within);
  const source = await sourceOf(within, projectId);
  if (source !== undefined && isOlderWord(version, source)) return;
  const had = await keptOf(within, projectId);
  const before = [...had.values()];
  const replaces = source !== undefined && source !== version;
  const added = [...said].flatMap(([one, row]) => (had.has(one) ? [] : [row]));
  const dropped = replaces ? [...had].flatMap(([one, row]) => (said.has(one) ? [] : [row])) : [];
  for (const { depends_on, kind } of dropped)
    await within
      .deleteFrom("dependency")
      .where("project_id", "=", projectId)
      .where("depends_on", "=", depends_on)
      .where("kind", "=", kind)
      .execute();
  if (added.length > 0)
    await within
      .insertInto("dependency")
      .values(added.map((row) => ({ project_id: projectId, ...row })))
      .onConflict((on) => on.columns(["project_id", "depends_on", "kind"]).doNothing())
      .execute();
  const after = [...before.filter((row) => !dropped.includes(row)), ...added];
  await recount(within, counted(before), counted(after));
  await within
    .updateTable("dependency_source")
    .set({ version })
    .where("project_id", "=", projectId)
    .execute();
}

interface Said {
  readonly depends_on: string;
  readonly kind: string;
}

function saidOf(dependencies: readonly Dependency[]): ReadonlyMap<string, Said> {
  const said = new Map<string, Said>();
  for (const { name, kind } of dependencies) {
    if (name === "" || name.length > MAX_NAME_CHARS || !KINDS.has(kind)) continue;
    const row = { depends_on: withoutNul(name), kind };
    said.set(keyOf(row), row);
  }
  return said;
}

function keyOf({ depends_on: name, kind }: Said): string {
  return `${kind} ${name}`;
}

function isOlderWord(version: string, than: string): boolean {
  return version !== than && !isPreferredRelease(version, than);
}

/** Of which release its word is kept; undefined where none is. */
async function sourceOf(within: Within, projectId: number): Promise<string | undefined> {
  const row = await within
    .selectFrom("dependency_source")
    .select("version")
    .where("project_id", "=", projectId)
    .executeTakeFirst();
  return row === undefined || row.version === "" ? undefined : row.version;
}

async function keptOf(within: Within, projectId: number): Promise<ReadonlyMap<string, Said>> {
  const rows = await within
    .selectFrom("dependency")
    .select(["depends_on", "kind"])
    .where("project_id", "=", projectId)
    .execute();
  return new Map(rows.map((row) => [keyOf(row), row]));
}

function counted(rows: readonly Said[]): ReadonlySet<string> {
  return new Set(rows.flatMap((row) => (COUNTING.includes(row.kind) ? [row.depends_on] : [])));
}

/** In the order of names, so that two who count at once wait for each other and for nobody else. */
async function recount(
  within: Within,
  before: ReadonlySet<string>,
  after: ReadonlySet<string>,
): Promise<void> {
  const changes = [
    ...[...after].filter((name) => !before.has(name)).map((name) => [name, 1] as const),
    ...[...before].filter((name) => !after.has(name)).map((name) => [name, -1] as const),
  ].toSorted(([one], [other]) => (one < other ? -1 : 1));
  for (const [name, change] of changes)
    await sql`insert into dependent_count (name, direct) values (${name}, ${change})
      on conflict (name) do update set direct = dependent_count.direct + ${change}`.execute(within);
  if (changes.some(([, change]) => change < 0))
    await within
      .deleteFrom("dependent_count")
      .where(
        "name",
        "in",
        changes.map(([name]) => name),
      )
      .where("direct", "<=", 0)
      .execute();
}

/** How many known projects depend on each name, to run or to be built; names that nobody needs are left out. */
export async function dependentCounts(
  db: Kysely<Tables>,
  names: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await inParts(names, (part) =>
    db.selectFrom("dependent_count").select(["name", "direct"]).where("name", "in", part).execute(),
  );
  return new Map(rows.map(({ name, direct }) => [name, direct]));
}

export interface Dependent {
  readonly project: string;
  /** 1: it names it itself; 2: it needs one that does, and so on. */
  readonly distance: number;
  /** `run` or `build` where it is either, else `extra`; through others always that of the last step. */
  readonly kind: string;
  /** How many depend on it in turn. */
  readonly dependents: number;
}

export interface DependentsQuery {
  /** Whom others depend on; normalised. */
  readonly name: string;
  /** Also those that need it through others. */
  readonly transitive: boolean;
  /** What needs it only for an extra, too: direct ones alone, since who needs these seldom gets the extra. */
  readonly extras?: boolean;
  /** Of all, or only of what anybody may see. */
  readonly visibility: "all" | "public";
  /** No more than so many. */
  readonly limit: number;
}

export interface Dependents {
  readonly direct: number;
  /** With the direct ones; null where it was not asked for. */
  readonly transitive: number | null;
  /** Nearest first, then by how many depend on them. */
  readonly list: readonly Dependent[];
  /** More than this could hold were left out. */
  readonly truncated: boolean;
}

const MAX_REACHED = 100_000;

/** Who depends on a project, as far as the farm knows: who was tested here, by what its newest tested release says. */
export async function dependents(db: Kysely<Tables>, query: DependentsQuery): Promise<Dependents> {
  const reached = new Map<string, { distance: number; kind: string; visible: boolean }>();
  let truncated = false;
  let level: readonly string[] = [query.name];
  for (let distance = 1; level.length > 0 && (distance === 1 || query.transitive); distance++) {
    const kinds = distance === 1 && query.extras === true ? [...DEPENDENCY_KINDS] : COUNTING;
    const rows = await inParts(level, (part) =>
      db
        .selectFrom("dependency")
        .innerJoin("project", "project.id", "dependency.project_id")
        .select(["project.name", "project.visibility", "dependency.kind"])
        .where("dependency.depends_on", "in", part)
        .where("dependency.kind", "in", kinds)
        .execute(),
    );
    const next = new Set<string>();
    for (const { name, visibility, kind } of rows) {
      if (name === query.name) continue;
      const known = reached.get(name);
      if (known !== undefined) {
        if (known.distance === distance && known.kind !== "run" && kind !== "extra")
          known.kind = kind;
        continue;
      }
      if (reached.size >= MAX_REACHED) {
        truncated = true;
        break;
      }
      // What nobody may see leads to no one else either: it would show that it is there.
      const visible = query.visibility === "all" || visibility === "public";
      reached.set(name, { distance, kind, visible });
      if (visible && kind !== "extra") next.add(name);
    }
    level = [...next];
  }
  const found = [...reached].filter(([, { visible }]) => visible);
  const counts = await dependentCounts(
    db,
    found.map(([name]) => name),
  );
  const list = found
    .map(([project, { distance, kind }]) => ({
      project,
      distance,
      kind,
      dependents: counts.get(project) ?? 0,
    }))
    .toSorted(
      (one, other) =>
        one.distance - other.distance ||
        other.dependents - one.dependents ||
        (one.project < other.project ? -1 : 1),
    );
  return {
    direct: list.filter(({ distance }) => distance === 1).length,
    transitive: query.transitive ? list.length : null,
    list: list.slice(0, query.limit),
    truncated: truncated || list.length > query.limit,
  };
}
