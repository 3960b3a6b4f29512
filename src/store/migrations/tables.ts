import { sql, type Kysely } from "kysely";

import type { SqlKind } from "./migration.ts";

/** A table whose rows are numbered: SQLite's row id, PostgreSQL's identity. */
export function tableWithId(db: Kysely<unknown>, kind: SqlKind, name: string) {
  const table = db.schema.createTable(name);
  return kind === "sqlite"
    ? table.addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
    : table.addColumn("id", "integer", (column) =>
        column.primaryKey().generatedByDefaultAsIdentity(),
      );
}

/** A table that lies in the order of its key: SQLite keeps the key once, not twice. */
export function tableByKey(db: Kysely<unknown>, kind: SqlKind, name: string) {
  const table = db.schema.createTable(name);
  return kind === "sqlite" ? table.modifyEnd(sql`without rowid`) : table;
}

/** The name of a type for bytes. */
export function bytesOf(kind: SqlKind): "blob" | "bytea" {
  return kind === "sqlite" ? "blob" : "bytea";
}
