import { sql } from "kysely";

import type { Migration } from "./migration.ts";
import { tableByKey } from "./tables.ts";

/** Who depends on whom, what was done with each release that was seen, and what is tested anew. */
export const graphAndRetests: Migration = {
  number: 6,
  what: "the graph of dependencies, admission and retests",
  async up(db, kind) {
    // Null for all of it: `smoke` installs and imports, and looks for no tests.
    await db.schema.alterTable("queue_job").addColumn("plan", "text").execute();
    // Why it is tested again, for people: `numpy 2.4 is new`.
    await db.schema.alterTable("queue_job").addColumn("why", "text").execute();
    await tableByKey(db, kind, "dependency")
      .addColumn("project_id", "integer", (column) => column.notNull().references("project.id"))
      .addColumn("depends_on", "text", (column) => column.notNull())
      .addColumn("kind", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("dependency_key", ["project_id", "depends_on", "kind"])
      .execute();
    await db.schema
      .createIndex("dependency_by_name")
      .on("dependency")
      .columns(["depends_on", "project_id"])
      .execute();
    await tableByKey(db, kind, "dependency_source")
      .addColumn("project_id", "integer", (column) => column.primaryKey().notNull())
      .addColumn("version", "text", (column) => column.notNull())
      .addColumn("seen_ms", "bigint", (column) => column.notNull())
      .execute();
    await tableByKey(db, kind, "dependent_count")
      .addColumn("name", "text", (column) => column.primaryKey().notNull())
      .addColumn("direct", "integer", (column) => column.notNull())
      .execute();
    await db.schema
      .createIndex("dependent_count_rank")
      .on("dependent_count")
      .columns(["direct", "name"])
      .execute();
    await tableByKey(db, kind, "newest_release")
      .addColumn("project_id", "integer", (column) => column.primaryKey().notNull())
      .addColumn("version", "text", (column) => column.notNull())
      .addColumn("seen_ms", "bigint", (column) => column.notNull())
      .execute();
    await tableByKey(db, kind, "tested")
      .addColumn("project_id", "integer", (column) => column.notNull())
      .addColumn("configuration_id", "integer", (column) => column.notNull())
      .addColumn("version", "text", (column) => column.notNull())
      .addColumn("tested_ms", "bigint", (column) => column.notNull())
      .addColumn("image_id", "integer")
      .addColumn("interpreter", "text", (column) => column.notNull())
      .addColumn("planned_ms", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("tested_key", ["project_id", "configuration_id"])
      .execute();
    await db.schema
      .createIndex("tested_by_age")
      .on("tested")
      .columns(["configuration_id", "tested_ms"])
      .execute();
    await tableByKey(db, kind, "retest_wave")
      .addColumn("project", "text", (column) => column.notNull())
      .addColumn("version", "text", (column) => column.notNull())
      .addColumn("noted_ms", "bigint", (column) => column.notNull())
      .addColumn("planned", "integer", (column) => column.notNull())
      .addColumn("ended_ms", "bigint")
      .addColumn("note", "text")
      .addPrimaryKeyConstraint("retest_wave_key", ["project", "version"])
      .execute();
    await tableByKey(db, kind, "seen_release")
      .addColumn("project", "text", (column) => column.notNull())
      .addColumn("version", "text", (column) => column.notNull())
      .addColumn("seen_ms", "bigint", (column) => column.notNull())
      .addColumn("class", "text", (column) => column.notNull())
      .addColumn("decision", "text", (column) => column.notNull())
      .addColumn("reason", "text", (column) => column.notNull())
      .addColumn("new_name", "smallint", (column) => column.notNull())
      .addColumn("expires_ms", "bigint")
      .addPrimaryKeyConstraint("seen_release_key", ["project", "version"])
      .execute();
    for (const index of [
      "create index seen_release_by_time on seen_release (seen_ms)",
      "create index seen_release_delayed on seen_release (expires_ms) where expires_ms is not null",
      "create index seen_release_new on seen_release (seen_ms, class) where new_name = 1",
      "create index retest_wave_open on retest_wave (noted_ms) where ended_ms is null",
    ])
      await sql.raw(index).execute(db);
  },
};
