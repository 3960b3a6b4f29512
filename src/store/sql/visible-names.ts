import { sql } from "kysely";

import type { Within } from "../../model/authorise.ts";
import type { Database } from "../database.ts";
import { isVisible } from "./visible-projects.ts";

/** So many names stand in one query. */
const AT_ONCE = 500;

/** Of some names: which projects the store knows, and which of them somebody gets to see. */
export interface KnownNames {
  readonly known: ReadonlySet<string>;
  readonly visible: ReadonlySet<string>;
}

export async function knownNames(
  database: Database,
  names: Iterable<string>,
  within: Within,
): Promise<KnownNames> {
  const asked = [...new Set(names)];
  const known = new Set<string>();
  const visible = new Set<string>();
  for (let at = 0; at < asked.length; at += AT_ONCE) {
    const rows = await database.read((db) =>
      db
        .selectFrom("project")
        .select(["name", sql<number>`case when ${isVisible(within)} then 1 else 0 end`.as("seen")])
        .where("name", "in", asked.slice(at, at + AT_ONCE))
        .execute(),
    );
    for (const { name, seen } of rows) {
      known.add(name);
      if (seen === 1) visible.add(name);
    }
  }
  return { known, visible };
}
