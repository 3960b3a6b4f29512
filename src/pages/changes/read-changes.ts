import { compareConfigurations } from "../../model/configuration-name.ts";
import type { Database } from "../../store/database.ts";
import { changeGroups, type ChangeGroups } from "../../store/sql/change-groups.ts";
import type { PageContext } from "../shell/page.ts";
import { SHOWN_KINDS, type ChangesQuery } from "./changes-query.ts";

const DAY_MS = 86_400_000;
const MOST_GROUPS = 50;
const MOST_OF_EACH = 10;
const MOST_OF_ONE = 200;
const MOST_CONFIGURATIONS = 200;

export interface ChangesFacts extends ChangeGroups {
  /** That can be chosen from. */
  readonly configurations: readonly string[];
}

/** What changed in a period, by its roots, of what who looks gets to see; of one root more of it. */
export async function readChanges(
  database: Database,
  { days, kind, configuration, root }: ChangesQuery,
  { within, nowMs }: Pick<PageContext, "within" | "nowMs">,
): Promise<ChangesFacts> {
  const groups = await changeGroups(database, {
    within,
    sinceMs: nowMs - days * DAY_MS,
    kinds: SHOWN_KINDS[kind],
    ...(configuration === null ? {} : { configuration }),
    ...(root === null ? {} : { root }),
    mostGroups: MOST_GROUPS,
    mostEach: root === null ? MOST_OF_EACH : MOST_OF_ONE,
  });
  const names = await database.read((db) =>
    db
      .selectFrom("configuration")
      .select("name")
      .orderBy("id", "desc")
      .limit(MOST_CONFIGURATIONS)
      .execute(),
  );
  const configurations = names.map(({ name }) => name).toSorted(compareConfigurations);
  return { ...groups, configurations };
}
