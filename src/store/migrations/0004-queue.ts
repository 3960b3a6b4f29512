import { sql } from "kysely";

import type { Migration } from "./migration.ts";
import { tableByKey, tableWithId } from "./tables.ts";

/** The queue: what waits to be tested, who works at what, and who has had how much. */
export const queue: Migration = {
  number: 4,
  what: "the queue",
  async up(db, kind) {
    await tableWithId(db, kind, "worker")
      .addColumn("name", "text", (column) => column.notNull().unique())
      .addColumn("boot", "text", (column) => column.notNull())
      .addColumn("state", "text", (column) => column.notNull())
      .addColumn("reason", "text")
      .addColumn("slots", "integer", (column) => column.notNull())
      .addColumn("seen_ms", "bigint", (column) => column.notNull())
      .addColumn("facts", "text", (column) => column.notNull())
      .execute();
    await tableWithId(db, kind, "target")
      .addColumn("project_id", "integer", (column) => column.notNull().references("project.id"))
      .addColumn("word", "text", (column) => column.notNull())
      .addColumn("version", "text", (column) => column.notNull())
      .addColumn("line", "text", (column) => column.notNull())
      .addUniqueConstraint("target_once", ["project_id", "word", "line"])
      .execute();
    await tableWithId(db, kind, "queue_job")
      .addColumn("key", "text", (column) => column.notNull().unique())
      .addColumn("target_id", "integer", (column) => column.notNull().references("target.id"))
      .addColumn("configuration_id", "integer", (column) =>
        column.notNull().references("configuration.id"),
      )
      .addColumn("reason", "text", (column) => column.notNull())
      .addColumn("lane", "smallint", (column) => column.notNull())
      .addColumn("state", "smallint", (column) => column.notNull())
      .addColumn("tag", "bigint", (column) => column.notNull())
      .addColumn("enqueued_ms", "bigint", (column) => column.notNull())
      .addColumn("ready_ms", "bigint", (column) => column.notNull())
      .addColumn("tries", "smallint", (column) => column.notNull())
      .addColumn("farm_faults", "smallint", (column) => column.notNull())
      .addColumn("attempt", "text")
      .addColumn("lease_ms", "bigint")
      .addColumn("worker_id", "integer")
      .addColumn("note", "text")
      .execute();
    // States: 0 queued, 1 waiting, 2 leased, 4 dead (src/queue/job.ts). Only what is not over has its place in an index.
    for (const index of [
      "create index queue_job_ready on queue_job (lane, tag, id) where state = 0",
      "create index queue_job_due on queue_job (ready_ms) where state = 1",
      "create unique index queue_job_pending on queue_job (target_id, configuration_id, reason) where state <= 1",
      "create index queue_job_lease on queue_job (lease_ms) where state = 2",
      "create unique index queue_job_attempt on queue_job (attempt) where state = 2",
      "create index queue_job_dead on queue_job (id) where state = 4",
      "create index queue_job_target on queue_job (target_id)",
    ])
      await sql.raw(index).execute(db);
    await tableByKey(db, kind, "queue_flow")
      .addColumn("lane", "smallint", (column) => column.notNull())
      .addColumn("project_id", "integer", (column) => column.notNull())
      .addColumn("finish", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("queue_flow_key", ["lane", "project_id"])
      .execute();
    await db.schema
      .createIndex("queue_flow_finish")
      .on("queue_flow")
      .columns(["lane", "finish"])
      .execute();
    await tableByKey(db, kind, "queue_cooldown")
      .addColumn("project_id", "integer", (column) => column.notNull())
      .addColumn("line", "text", (column) => column.notNull())
      .addColumn("ready_ms", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("queue_cooldown_key", ["project_id", "line"])
      .execute();
    await tableByKey(db, kind, "farm_setting")
      .addColumn("name", "text", (column) => column.primaryKey().notNull())
      .addColumn("value", "text", (column) => column.notNull())
      .execute();
  },
};
