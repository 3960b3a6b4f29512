import { DatabaseSync, type StatementSync } from "node:sqlite";

import type { Database } from "../../store/database.ts";
import { MIGRATIONS } from "../../store/migrations/all.ts";
import { migrate } from "../../store/sqlite/migrate.ts";
import { SqliteDatabase } from "../../store/sqlite/sqlite-database.ts";

const MOST_STATEMENTS = 500;

/** Asked for the same often, and by nobody else: it needn't be read anew each time. */
class KeepingDatabase extends DatabaseSync {
  readonly #statements = new Map<string, StatementSync>();

  override prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = super.prepare(sql);
    if (this.#statements.size < MOST_STATEMENTS) this.#statements.set(sql, statement);
    return statement;
  }
}

/** A whole store that lies in memory and ends with the process: the real schema, the real statements, no disk. */
export async function openMemoryDatabase(): Promise<Database> {
  const file = new KeepingDatabase(":memory:");
  file.exec("pragma foreign_keys = on");
  await migrate(file, MIGRATIONS);
  return new SqliteDatabase(file, "the simulated store");
}
