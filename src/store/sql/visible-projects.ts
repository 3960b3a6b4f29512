import { sql, type RawBuilder } from "kysely";

import type { Within } from "../../model/authorise.ts";

/**
 * The condition that a row's project is one that somebody gets to see (`authorise(…).within`), for queries in which
 * `project` is joined. Every query that answers a stranger has it.
 */
export function isVisible(within: Within): RawBuilder<boolean> {
  const parts: RawBuilder<boolean>[] = [];
  if (within.allPublic) parts.push(sql<boolean>`project.visibility = 'public'`);
  else if (within.public.length > 0)
    parts.push(
      sql<boolean>`(project.visibility = 'public' and project.name in (${sql.join(within.public)}))`,
    );
  if (within.private === "all") parts.push(sql<boolean>`project.visibility = 'private'`);
  else if (within.private.length > 0)
    parts.push(
      sql<boolean>`(project.visibility = 'private' and project.name in (${sql.join(within.private)}))`,
    );
  return parts.length === 0 ? sql<boolean>`1 = 0` : sql<boolean>`(${sql.join(parts, sql` or `)})`;
}
