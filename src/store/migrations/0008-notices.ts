import { sql } from "kysely";

import type { Migration } from "./migration.ts";
import { tableByKey, tableWithId } from "./tables.ts";

/** What is to be told to whom of a project, until it is delivered. */
export const notices: Migration = {
  number: 8,
  what: "notices",
  async up(db, kind) {
    // Written with a change of verdict, or with what came of a pushed commit; taken away by whoever plans notices of it.
    await tableWithId(db, kind, "notice_due")
      .addColumn("project_id", "integer", (column) => column.notNull().references("project.id"))
      .addColumn("attempt", "text", (column) => column.notNull())
      .addColumn("change_id", "integer")
      .addColumn("target_id", "integer")
      .execute();
    await tableWithId(db, kind, "notice")
      .addColumn("key", "text", (column) => column.notNull().unique())
      .addColumn("project_id", "integer", (column) => column.notNull().references("project.id"))
      .addColumn("target", "text", (column) => column.notNull())
      .addColumn("body", "text", (column) => column.notNull())
      .addColumn("state", "smallint", (column) => column.notNull())
      .addColumn("tries", "integer", (column) => column.notNull())
      .addColumn("made_ms", "bigint", (column) => column.notNull())
      .addColumn("next_ms", "bigint", (column) => column.notNull())
      .addColumn("ended_ms", "bigint")
      .addColumn("answer", "text")
      .execute();
    // What was said last of each commit on each configuration.
    await tableByKey(db, kind, "commit_told")
      .addColumn("project_id", "integer", (column) => column.notNull().references("project.id"))
      .addColumn("target", "text", (column) => column.notNull())
      .addColumn("commit_name", "text", (column) => column.notNull())
      .addColumn("configuration_id", "integer", (column) => column.notNull())
      .addColumn("said", "text", (column) => column.notNull())
      .addColumn("notice_id", "integer", (column) => column.notNull())
      .addColumn("told_ms", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("commit_told_key", [
        "project_id",
        "target",
        "commit_name",
        "configuration_id",
      ])
      .execute();
    for (const index of [
      // State 0: not over yet (src/store/sql/notice-rows.ts).
      "create index notice_next on notice (next_ms) where state = 0",
      "create index notice_ended on notice (ended_ms) where state <> 0",
      "create index commit_told_by_time on commit_told (told_ms)",
    ])
      await sql.raw(index).execute(db);
  },
};
