import { sql, type RawBuilder } from "kysely";

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

/** Changes that have one root, of what somebody gets to see. */
export interface ChangeGroup {
  readonly root: string;
  readonly projects: number;
  readonly configurations: number;
  readonly changes: number;
  /** Of its projects those that broke, and those that were fixed. */
  readonly broke: number;
  readonly fixed: number;
  /** Ms since 1970. */
  readonly newestMs: number;
  /** The newest of them. */
  readonly newest: readonly ListedChange[];
}

export interface ChangeGroups {
  /** The one with the newest change first. */
  readonly groups: readonly ChangeGroup[];
  readonly groupCount: number;
  /** Projects that broke, that were fixed, and in which anything changed. */
  readonly broke: number;
  readonly fixed: number;
  readonly projects: number;
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
    const window = windowOf(query, mostGrouped);
    const looked = await sql<{ rows: number | string }>`
      select count(*) as rows from (${window}) as looked`.execute(db);
    const fits = fitting(query, window);
    const distinct = (kind: ChangeKind): RawBuilder<number> =>
      sql`count(distinct case when kind = ${sql.lit(kind)} then project_id end)`;
    const totals = await sql<Counted & { groups: number | string }>`
      select count(distinct root) as groups, count(distinct project_id) as projects, ${distinct("broke")} as broke,
        ${distinct("fixed")} as fixed
      from (${fits}) as fits`.execute(db);
    const found = await sql<Grouped>`
      select root, count(distinct project_id) as projects, count(distinct configuration_id) as configurations,
        count(*) as changes, ${distinct("broke")} as broke, ${distinct("fixed")} as fixed, max(at_ms) as newest_ms
      from (${fits}) as fits group by root order by max(at_ms) desc, max(id) desc limit ${query.mostGroups}`.execute(
      db,
    );
    const roots = found.rows.map(({ root }) => root);
    const shown =
      roots.length === 0
        ? []
        : await joinedChanges(db)
            .where(isVisible(query.within))
            .where(
              sql<boolean>`verdict_change.id in (select id from (
                select id, row_number() over (partition by root order by at_ms desc, id desc) as place
                from (${fits}) as fits where root in (${sql.join(roots)})) as placed where place <= ${query.mostEach})`,
            )
            .orderBy("verdict_change.at_ms", "desc")
            .orderBy("verdict_change.id", "desc")
            .execute();
    const changes = shown.map(changeOf);
    const [total] = totals.rows;
    return {
      groups: found.rows.map((row) => ({
        root: row.root,
        projects: Number(row.projects),
        configurations: Number(row.configurations),
        changes: Number(row.changes),
        broke: Number(row.broke),
        fixed: Number(row.fixed),
        newestMs: Number(row.newest_ms),
        newest: changes.filter(({ root }) => root === row.root),
      })),
      groupCount: Number(total?.groups ?? 0),
      broke: Number(total?.broke ?? 0),
      fixed: Number(total?.fixed ?? 0),
      projects: Number(total?.projects ?? 0),
      isCut: Number(looked.rows[0]?.rows ?? 0) >= mostGrouped,
    };
  });
}

interface Counted {
  readonly projects: number | string;
  readonly broke: number | string;
  readonly fixed: number | string;
}

interface Grouped extends Counted {
  readonly root: string;
  readonly configurations: number | string;
  readonly changes: number | string;
  readonly newest_ms: number | string;
}

/** The newest changes of the period, whosever they are; of one root by its own index. */
function windowOf({ sinceMs, root }: GroupQuery, most: number): RawBuilder<unknown> {
  const ofRoot = root === undefined ? sql`` : sql`and root = ${root}`;
  return sql`select id, project_id, configuration_id, kind, root, at_ms from verdict_change
    where at_ms >= ${sinceMs} ${ofRoot} order by at_ms desc limit ${most}`;
}

/** Of these what somebody gets to see and asked for. */
function fitting(
  { within, kinds, configuration }: GroupQuery,
  window: RawBuilder<unknown>,
): RawBuilder<unknown> {
  const where =
    configuration === undefined
      ? sql``
      : sql`and looked.configuration_id in (select id from configuration where name = ${configuration})`;
  return sql`select looked.* from (${window}) as looked join project on project.id = looked.project_id
    where looked.kind in (${sql.join(kinds)}) and ${isVisible(within)} ${where}`;
}
