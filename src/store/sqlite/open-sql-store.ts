import type { DatabaseSync } from "node:sqlite";

import { SqlStore } from "../sql/sql-store.ts";
import type { Store } from "../store.ts";
import { SqliteDatabase } from "./sqlite-database.ts";

/** The results of a file that was opened and brought up to date. */
export function openSqlStore(file: DatabaseSync, path: string): Store {
  return new SqlStore(new SqliteDatabase(file, path));
}
