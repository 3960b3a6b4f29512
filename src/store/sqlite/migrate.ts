import type { DatabaseSync } from "node:sqlite";
import { Kysely } from "kysely";

import type { Migration } from "../migrations/migration.ts";
import { nodeSqliteDialect } from "./dialect.ts";
import { userVersion } from "./user-version.ts";

/** Runs what is missing, all in one transaction that holds the write lock: two processes never migrate at once. */
export async function migrate(
  database: DatabaseSync,
  migrations: readonly Migration[],
): Promise<void> {
  const db = new Kysely<unknown>({ dialect: nodeSqliteDialect(database) });
  await db.transaction().execute(async (transaction) => {
    // Read again under the lock: another process may have been quicker.
    for (const migration of migrations.slice(userVersion(database))) {
      await migration.up(transaction, "sqlite");
      database.exec(`pragma user_version = ${migration.number}`);
    }
  });
}
