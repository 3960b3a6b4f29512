import type { Kysely } from "kysely";

import type { Migration } from "./migration.ts";
import { tableWithId } from "./tables.ts";

/** Projects with their visibility, releases, axes, jobs, attempts and the tests that did not pass. */
export const results: Migration = {
  number: 1,
  what: "results",
  async up(db, kind) {
    const table = (name: string) => tableWithId(db, kind, name);
    const interned = (name: string) =>
      table(name).addColumn("name", "text", (column) => column.notNull().unique());
    await interned("project")
      .addColumn("visibility", "text", (column) => column.notNull())
      .execute();
    await interned("configuration").execute();
    await interned("image").execute();
    await table("release")
      .addColumn("project_id", "integer", (column) => column.notNull().references("project.id"))
      .addColumn("version", "text", (column) => column.notNull())
      .addUniqueConstraint("release_once", ["project_id", "version"])
      .execute();
    await table("source")
      .addColumn("release_id", "integer", (column) => column.notNull().references("release.id"))
      .addColumn("kind", "text", (column) => column.notNull())
      .addColumn("sha256", "text", (column) => column.notNull())
      .addUniqueConstraint("source_once", ["release_id", "kind", "sha256"])
      .execute();
    await table("axes")
      .addColumn("digest", "text", (column) => column.notNull().unique())
      .addColumn("source_sha256", "text", (column) => column.notNull())
      .addColumn("interpreter", "text", (column) => column.notNull())
      .addColumn("image_id", "integer", (column) => column.notNull().references("image.id"))
      .addColumn("machine", "text", (column) => column.notNull())
      .addColumn("index_date", "text", (column) => column.notNull())
      .addColumn("lock", "text")
      .addColumn("plan", "text")
      .addColumn("agent", "text", (column) => column.notNull())
      .execute();
    await table("job")
      .addColumn("source_id", "integer", (column) => column.notNull().references("source.id"))
      .addColumn("configuration_id", "integer", (column) =>
        column.notNull().references("configuration.id"),
      )
      .addColumn("reason", "text", (column) => column.notNull())
      .addUniqueConstraint("job_once", ["source_id", "configuration_id", "reason"])
      .execute();
    await attempts(db);
    await table("test")
      .addColumn("project_id", "integer", (column) => column.notNull().references("project.id"))
      .addColumn("name", "text", (column) => column.notNull())
      .addUniqueConstraint("test_once", ["project_id", "name"])
      .execute();
    await db.schema
      .createTable("test_nonpass")
      .addColumn("attempt_id", "text", (column) => column.notNull().references("attempt.id"))
      .addColumn("test_id", "integer", (column) => column.notNull().references("test.id"))
      .addColumn("outcome", "text", (column) => column.notNull())
      .addColumn("message", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("test_nonpass_key", ["attempt_id", "test_id"])
      .execute();
    await db.schema
      .createIndex("test_nonpass_by_test")
      .on("test_nonpass")
      .column("test_id")
      .execute();
  },
};

async function attempts(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("attempt")
    .addColumn("id", "text", (column) => column.primaryKey().notNull())
    .addColumn("job_id", "integer", (column) => column.notNull().references("job.id"))
    .addColumn("axes_id", "integer", (column) => column.notNull().references("axes.id"))
    .addColumn("of_attempt", "text")
    .addColumn("started_at", "text", (column) => column.notNull())
    .addColumn("phase", "text", (column) => column.notNull())
    .addColumn("outcome", "text", (column) => column.notNull())
    .addColumn("cause_kind", "text")
    .addColumn("cause_detail", "text")
    .addColumn("smoke", "text")
    .addColumn("confidence", "text", (column) => column.notNull())
    .addColumn("comparison", "text")
    .addColumn("installed", "text")
    .addColumn("machine", "text", (column) => column.notNull())
    .addColumn("plan_rung", "text")
    .addColumn("plan_command", "text")
    .addColumn("plan_rejected", "text", (column) => column.notNull())
    .addColumn("collected", "integer")
    .addColumn("passed", "integer")
    .addColumn("failed", "integer")
    .addColumn("errors", "integer")
    .addColumn("skipped", "integer")
    .addColumn("deselected", "integer")
    .addColumn("seconds", "text", (column) => column.notNull())
    .addColumn("evidence", "text", (column) => column.notNull())
    .addColumn("log", "text")
    .addColumn("report", "text")
    .execute();
  await db.schema.createIndex("attempt_by_job").on("attempt").columns(["job_id", "id"]).execute();
}
