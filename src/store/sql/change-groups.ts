import type { Within } from "../../model/authorise.ts";
import type { ChangeKind } from "../../model/settle-verdict.ts";
import type { Database } from "../database.ts";
import { changeOf, joinedChanges, type ListedChange } from "./verdict-changes.ts";
import { isVisible } from "./visible-projects.ts";

export interface GroupQuery {
  readonly within: Within;
  /** Ms since 1970. */
  readonly sinceMs: number;
  readonly kinds: readonly ChangeKind[];
  readonly configuration?: string;
  /** Only of this root. */
  readonly root?: string;
  /** So many groups at most, and of each so many of its changes. */
  readonly mostGroups: number;
  readonly mostEach: number;
}

/** Projects in which something changed in one way, each counted once. */
export type ChangedProjects = Readonly<Record<ChangeKind, number>>;

/** Changes that have one root, of what somebody gets to see. */
export interface ChangeGroup extends ChangedProjects {
  readonly root: string;
  readonly projects: number;
  readonly configurations: number;
  readonly changes: number;
  /** Ms since 1970. */
  readonly newestMs: number;
  /** The newest of them. */
  readonly newest: readonly ListedChange[];
}

export interface ChangeGroups extends ChangedProjects {
  /** The one with the newest change first. */
  readonly groups: readonly ChangeGroup[];
  readonly groupCount: number;
  /** The root of most projects that broke; null where none did. */
  readonly largest: { readonly root: string; readonly broke: number } | null;
  /** Whether there were more than were looked through: then all of it is of the newest alone. */
  readonly isCut: boolean;
}

/** Of a period that has more, the newest so many are grouped. */
export const MOST_GROUPED = 5000;

/** Changes since an instant by their roots. */
export async function changeGroups(
  database: Database,
  query: GroupQuery,
  mostGrouped: number = MOST_GROUPED,
): Promise<ChangeGroups> {
  return database.read(async (db) => {
    let looked = db
      .selectFrom("verdict_change")
      .select(["id", "project_id", "configuration_id", "kind", "root", "at_ms"])
      .where("at_ms", ">=", query.sinceMs)
      .orderBy("at_ms", "desc")
      .orderBy("id", "desc")
      .limit(mostGrouped);
    if (query.root !== undefined) looked = looked.where("root", "=", query.root);
    let fitting = db
      .selectFrom(looked.as("looked"))
      .innerJoin("project", "project.id", "looked.project_id")
      .select([
        "looked.id",
        "looked.project_id",
        "looked.configuration_id",
        "looked.kind",
        "looked.root",
        "looked.at_ms",
      ])
      .where(isVisible(query.within))
      .where("looked.kind", "in", query.kinds)
      .orderBy("looked.at_ms", "desc")
      .orderBy("looked.id", "desc");
    if (query.configuration !== undefined)
      fitting = fitting
        .innerJoin("configuration", "configuration.id", "looked.configuration_id")
        .where("configuration.name", "=", query.configuration);
    const counting = db
      .selectFrom(looked.as("looked"))
      .select(({ fn }) => fn.countAll<number | string>().as("rows"));

    const all = new Tally();
    const byRoot = new Map<string, Tally>();
    for (const row of await fitting.execute()) {
      const tally = byRoot.get(row.root) ?? new Tally();
      byRoot.set(row.root, tally.add(row));
      all.add(row);
    }
    // Each stands where its newest change does.
    const shown = [...byRoot].slice(0, query.mostGroups);
    const ids = shown.flatMap(([, { ids: own }]) => own.slice(0, query.mostEach));
    const rows =
      ids.length === 0
        ? []
        : await joinedChanges(db).where("verdict_change.id", "in", ids).execute();
    const changes = new Map(rows.map((row) => [row.id, changeOf(row)]));
    const { rows: count } = await counting.executeTakeFirstOrThrow();
    return {
      groups: shown.map(([root, tally]) => ({
        root,
        ...tally.counts(),
        newest: tally.ids.slice(0, query.mostEach).flatMap((id) => changes.get(id) ?? []),
      })),
      groupCount: byRoot.size,
      ...all.counts(),
      largest: largestOf(byRoot),
      isCut: Number(count) >= mostGrouped,
    };
  });
}

interface Tallied {
  readonly id: number;
  readonly project_id: number;
  readonly configuration_id: number;
  readonly kind: string;
  readonly at_ms: number;
}

/** Changes as they are counted, newest first. */
class Tally {
  readonly ids: number[] = [];
  readonly #projects = new Map<string, Set<number>>();
  readonly #configurations = new Set<number>();
  #newestMs = 0;

  add({ id, project_id: project, configuration_id: configuration, kind, at_ms }: Tallied): this {
    this.ids.push(id);
    for (const name of [kind, ""])
      this.#projects.set(name, (this.#projects.get(name) ?? new Set()).add(project));
    this.#configurations.add(configuration);
    this.#newestMs = Math.max(this.#newestMs, at_ms);
    return this;
  }

  of(kind: ChangeKind | ""): number {
    return this.#projects.get(kind)?.size ?? 0;
  }

  counts() {
    return {
      projects: this.of(""),
      configurations: this.#configurations.size,
      changes: this.ids.length,
      broke: this.of("broke"),
      fixed: this.of("fixed"),
      changed: this.of("changed"),
      newestMs: this.#newestMs,
    };
  }
}

function largestOf(byRoot: ReadonlyMap<string, Tally>): ChangeGroups["largest"] {
  let largest: ChangeGroups["largest"] = null;
  for (const [root, tally] of byRoot) {
    const broke = tally.of("broke");
    if (broke > (largest?.broke ?? 0)) largest = { root, broke };
  }
  return largest;
}
