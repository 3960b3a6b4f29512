import { sql, type Kysely } from "kysely";

import type { Migration, SqlKind } from "./migration.ts";
import { bytesOf, tableByKey } from "./tables.ts";

/**
 * Results in a quarter of the space: what no query looks into is packed (../sql/packed-detail.ts). What was kept before is
 * copied, and stays where it was until a later step drops it: an older Creamery that is still at work is told to end
 * rather than to write where nobody looks.
 */
export const compactResults: Migration = {
  number: 3,
  what: "compact results",
  async up(db, kind) {
    await tableByKey(db, kind, "result")
      .addColumn("id", "text", (column) => column.primaryKey().notNull())
      .addColumn("release_id", "integer", (column) => column.notNull().references("release.id"))
      .addColumn("project_id", "integer", (column) => column.notNull().references("project.id"))
      .addColumn("configuration_id", "integer", (column) =>
        column.notNull().references("configuration.id"),
      )
      .addColumn("image_id", "integer", (column) => column.notNull().references("image.id"))
      .addColumn("reason", "text", (column) => column.notNull())
      .addColumn("of_attempt", "text")
      .addColumn("started_ms", "bigint", (column) => column.notNull())
      .addColumn("outcome", "text", (column) => column.notNull())
      .addColumn("cause_kind", "text")
      .addColumn("detail", sql.raw(bytesOf(kind)), (column) => column.notNull())
      .execute();
    await db.schema
      .createIndex("result_by_cell")
      .on("result")
      .columns(["project_id", "configuration_id", "id"])
      .execute();
    await tableByKey(db, kind, "result_failure")
      .addColumn("result_id", "text", (column) => column.notNull().references("result.id"))
      .addColumn("test_id", "integer", (column) => column.notNull().references("test.id"))
      .addColumn("outcome", "text", (column) => column.notNull())
      .addColumn("message", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("result_failure_key", ["result_id", "test_id"])
      .execute();
    await db.schema
      .createIndex("result_failure_by_test")
      .on("result_failure")
      .column("test_id")
      .execute();
    const { copyAttempts } = await import("./copy-attempts.ts");
    await copyAttempts(db);
    await closeOldTable(db, kind);
  },
};

const NEWER = "the store was brought to a newer schema meanwhile: start that Creamery";

/** Whoever opened the store before this step hears of it. */
async function closeOldTable(db: Kysely<unknown>, kind: SqlKind): Promise<void> {
  if (kind === "sqlite") {
    await sql`create trigger attempt_is_old before insert on attempt begin select raise(abort, ${sql.lit(NEWER)}); end`.execute(
      db,
    );
    return;
  }
  await sql`create function attempt_is_old() returns trigger language plpgsql as ${sql.lit(
    `begin raise exception '${NEWER}'; end`,
  )}`.execute(db);
  await sql`create trigger attempt_is_old before insert on attempt execute function attempt_is_old()`.execute(
    db,
  );
}
