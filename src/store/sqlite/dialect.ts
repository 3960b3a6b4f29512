import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import {
  type DatabaseConnection,
  type Dialect,
  type SqliteDatabase,
  SqliteAdapter,
  SqliteDriver,
  SqliteIntrospector,
  SqliteQueryCompiler,
  CompiledQuery,
} from "kysely";

/** Lets kysely speak to node:sqlite. Writers begin at once, so that two processes wait for each other instead of failing midway. */
export function nodeSqliteDialect(database: DatabaseSync): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new OneAtATimeDriver({ database: asKyselyDatabase(database) }),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

function asKyselyDatabase(database: DatabaseSync): SqliteDatabase {
  const prepared = new PreparedStatements(database);
  return {
    close: () => database.close(),
    prepare: (sql) => {
      const { statement, reader } = prepared.of(sql);
      return {
        reader,
        all: (parameters) => statement.all(...parameters.map(inputValue)),
        run: (parameters) => statement.run(...parameters.map(inputValue)),
        // Who reads it may stop in the middle: a statement of its own.
        iterate: (parameters) => database.prepare(sql).iterate(...parameters.map(inputValue)),
      };
    },
  };
}

interface Prepared {
  readonly statement: StatementSync;
  readonly reader: boolean;
}

const MOST_PREPARED = 200;
/** Longer ones insert many rows at once: there preparing is the least of it, and they hold much memory. */
const LONGEST_PREPARED = 4000;

/** Preparing a statement takes about as long as running one that finds its rows by an index: those asked lately are kept. */
class PreparedStatements {
  readonly #database: DatabaseSync;
  readonly #kept = new Map<string, Prepared>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  of(sql: string): Prepared {
    const known = this.#kept.get(sql);
    if (known !== undefined) {
      this.#kept.delete(sql);
      this.#kept.set(sql, known);
      return known;
    }
    const statement = this.#database.prepare(sql);
    const prepared = { statement, reader: statement.columns().length > 0 };
    if (sql.length > LONGEST_PREPARED) return prepared;
    this.#kept.set(sql, prepared);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MOST_PREPARED) break;
      this.#kept.delete(oldest);
    }
    return prepared;
  }
}

function inputValue(value: unknown): SQLInputValue {
  if (
    value === null ||
    typeof value === "string" ||
    typeof value === "number" ||
    typeof value === "bigint"
  )
    return value;
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`SQLite has no place for a ${typeof value}`);
}

/** There is one connection: whoever wants it while it is in use waits, so that no query slips into another's transaction. */
class OneAtATimeDriver extends SqliteDriver {
  #free: Promise<void> = Promise.resolve();
  #release: (() => void) | undefined;

  override async acquireConnection(): Promise<DatabaseConnection> {
    const before = this.#free;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#free = promise;
    await before;
    this.#release = resolve;
    return super.acquireConnection();
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("begin immediate"));
  }

  override async releaseConnection(): Promise<void> {
    this.#release?.();
  }
}
