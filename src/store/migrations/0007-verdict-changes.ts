import { sql } from "kysely";

import type { Migration } from "./migration.ts";
import { tableByKey, tableWithId } from "./tables.ts";

/** How each project stands on each configuration, and when that changed. What was kept before is no change: nobody waits for old news. */
export const verdictChanges: Migration = {
  number: 7,
  what: "changes of verdict",
  async up(db, kind) {
    // A row for each cell of the farm, 1.8 million of them: what it says stands in the results that it names.
    await tableByKey(db, kind, "verdict")
      .addColumn("project_id", "integer", (column) => column.notNull().references("project.id"))
      .addColumn("configuration_id", "integer", (column) =>
        column.notNull().references("configuration.id"),
      )
      // Empty for releases; of a repository the branch.
      .addColumn("line", "text", (column) => column.notNull())
      .addColumn("attempt", "text", (column) => column.references("result.id"))
      .addColumn("pending", "text", (column) => column.references("result.id"))
      .addPrimaryKeyConstraint("verdict_key", ["project_id", "configuration_id", "line"])
      .execute();
    await tableWithId(db, kind, "verdict_change")
      .addColumn("project_id", "integer", (column) => column.notNull().references("project.id"))
      .addColumn("configuration_id", "integer", (column) =>
        column.notNull().references("configuration.id"),
      )
      .addColumn("line", "text", (column) => column.notNull())
      .addColumn("kind", "text", (column) => column.notNull())
      .addColumn("version", "text", (column) => column.notNull())
      .addColumn("attempt", "text", (column) => column.notNull().references("result.id"))
      .addColumn("outcome", "text", (column) => column.notNull())
      .addColumn("cause", "text")
      .addColumn("before_version", "text", (column) => column.notNull())
      .addColumn("before_attempt", "text", (column) => column.notNull().references("result.id"))
      .addColumn("before_outcome", "text", (column) => column.notNull())
      .addColumn("before_cause", "text")
      .addColumn("root", "text", (column) => column.notNull())
      .addColumn("at_ms", "bigint", (column) => column.notNull())
      .execute();
    for (const index of [
      "create index verdict_change_by_time on verdict_change (at_ms)",
      "create index verdict_change_by_project on verdict_change (project_id, id)",
      "create index verdict_change_by_root on verdict_change (root, at_ms)",
    ])
      await sql.raw(index).execute(db);
  },
};
