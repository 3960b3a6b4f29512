import type { Migration } from "./migration.ts";
import { tableByKey, tableWithId } from "./tables.ts";

/** What watchers know and saw, what is watched and withdrawn, deliveries of webhooks, who may do what, and who did what. */
export const watchersAndPrincipals: Migration = {
  number: 5,
  what: "watchers, deliveries, principals and their record",
  async up(db, kind) {
    await tableByKey(db, kind, "watcher")
      .addColumn("name", "text", (column) => column.primaryKey().notNull())
      .addColumn("revision", "integer", (column) => column.notNull())
      .execute();
    await tableByKey(db, kind, "watcher_part")
      .addColumn("watcher", "text", (column) => column.notNull())
      .addColumn("key", "text", (column) => column.notNull())
      .addColumn("text", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("watcher_part_key", ["watcher", "key"])
      .execute();
    await tableWithId(db, kind, "watch_event")
      .addColumn("watcher", "text", (column) => column.notNull())
      .addColumn("seen_ms", "bigint", (column) => column.notNull())
      .addColumn("event", "text", (column) => column.notNull())
      .execute();
    await db.schema
      .createIndex("watch_event_by_time")
      .on("watch_event")
      .column("seen_ms")
      .execute();
    await tableByKey(db, kind, "watched")
      .addColumn("name", "text", (column) => column.primaryKey().notNull())
      .addColumn("since_ms", "bigint", (column) => column.notNull())
      .execute();
    await tableByKey(db, kind, "withdrawn")
      .addColumn("project", "text", (column) => column.notNull())
      .addColumn("version", "text", (column) => column.notNull())
      .addColumn("state", "text", (column) => column.notNull())
      .addColumn("reason", "text")
      .addColumn("since_ms", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("withdrawn_key", ["project", "version", "state"])
      .execute();
    await tableByKey(db, kind, "release_time")
      .addColumn("target_id", "integer", (column) => column.primaryKey().notNull())
      .addColumn("uploaded_ms", "bigint")
      .addColumn("seen_ms", "bigint", (column) => column.notNull())
      .addColumn("verdict_ms", "bigint")
      .execute();
    await tableWithId(db, kind, "delivery")
      .addColumn("scope", "text", (column) => column.notNull())
      .addColumn("delivery", "text")
      .addColumn("body_sha256", "text", (column) => column.notNull())
      .addColumn("kept_ms", "bigint", (column) => column.notNull())
      .execute();
    for (const [name, columns] of [
      ["delivery_by_id", ["scope", "delivery"]],
      ["delivery_by_body", ["scope", "body_sha256"]],
      ["delivery_by_time", ["kept_ms"]],
    ] as const)
      await db.schema
        .createIndex(name)
        .on("delivery")
        .columns([...columns])
        .execute();
    await tableByKey(db, kind, "principal")
      .addColumn("id", "text", (column) => column.primaryKey().notNull())
      .addColumn("sha256", "text", (column) => column.notNull().unique())
      .addColumn("kind", "text", (column) => column.notNull())
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("scopes", "text", (column) => column.notNull())
      .addColumn("projects", "text")
      .addColumn("created_ms", "bigint", (column) => column.notNull())
      .addColumn("created_by", "text")
      .addColumn("expires_ms", "bigint")
      .addColumn("revoked_ms", "bigint")
      .addColumn("used_ms", "bigint")
      .execute();
    await tableByKey(db, kind, "audit")
      .addColumn("id", "text", (column) => column.primaryKey().notNull())
      .addColumn("at_ms", "bigint", (column) => column.notNull())
      .addColumn("by_kind", "text", (column) => column.notNull())
      .addColumn("by_id", "text")
      .addColumn("by_name", "text", (column) => column.notNull())
      .addColumn("action", "text", (column) => column.notNull())
      .addColumn("subject", "text", (column) => column.notNull())
      .addColumn("outcome", "text", (column) => column.notNull())
      .addColumn("detail", "text", (column) => column.notNull())
      .addColumn("address", "text", (column) => column.notNull())
      .execute();
  },
};
