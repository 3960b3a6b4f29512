import type { Migration } from "./migration.ts";
import { tableByKey } from "./tables.ts";

/** Browsers that somebody is logged in with. */
export const sessions: Migration = {
  number: 9,
  what: "sessions of who is logged in",
  async up(db, kind) {
    await tableByKey(db, kind, "session")
      .addColumn("sha256", "text", (column) => column.primaryKey().notNull())
      .addColumn("principal_id", "text", (column) => column.notNull())
      .addColumn("how", "text", (column) => column.notNull())
      .addColumn("who", "text")
      .addColumn("created_ms", "bigint", (column) => column.notNull())
      .addColumn("expires_ms", "bigint", (column) => column.notNull())
      .addColumn("used_ms", "bigint", (column) => column.notNull())
      .execute();
    await db.schema
      .createIndex("session_by_principal")
      .on("session")
      .column("principal_id")
      .execute();
  },
};
