import { DatabaseSync } from "node:sqlite";

import { Kysely } from "kysely";

import { MIGRATIONS } from "../migrations/all.ts";
import { nodeSqliteDialect } from "../sqlite/dialect.ts";

/** Names of the tables that the farm's own migrations make, up to a schema: by making them. */
export async function knownTables(schema: number): Promise<ReadonlySet<string>> {
  using database = new DatabaseSync(":memory:");
  const db = new Kysely<unknown>({ dialect: nodeSqliteDialect(database) });
  for (const migration of MIGRATIONS.slice(0, schema)) await migration.up(db, "sqlite");
  const rows = database.prepare("select name from sqlite_master where type = 'table'").all();
  return new Set(rows.map(({ name }) => String(name)));
}
