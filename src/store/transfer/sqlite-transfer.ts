import { chmodSync, existsSync } from "node:fs";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";

import { Kysely } from "kysely";

import { CreameryError } from "../../base/errors.ts";
import { MIGRATIONS } from "../migrations/all.ts";
import { newerSchema } from "../newer-schema.ts";
import { nodeSqliteDialect } from "../sqlite/dialect.ts";
import { userVersion } from "../sqlite/user-version.ts";
import { storeFault } from "../store-fault.ts";
import { asCell, type Row } from "./cell.ts";
import { knownTables } from "./known-tables.ts";
import { inOrderOfReference, quoted, type TableShape } from "./table-shape.ts";
import {
  notEmpty,
  noStore,
  notOurs,
  PageBuilder,
  type Loading,
  type Snapshot,
} from "./transfer-database.ts";

const BUSY_MS = 10_000;

/** @throws CreameryError `store`. */
export async function openSqliteSnapshot(path: string): Promise<Snapshot> {
  if (!existsSync(path)) throw noStore(path);
  const file = openFile(path, true);
  try {
    // The first question begins it: a reader waits for no writer, and none for it.
    file.exec("begin");
    const schema = userVersion(file);
    if (schema === 0) throw noStore(path);
    if (schema > MIGRATIONS.length) throw newerSchema(path, schema);
    return {
      kind: "sqlite",
      label: path,
      schema,
      tables: tablesOf(file),
      pages: (table) => pagesOf(file, path, table),
      count: async (table) => countOf(file, table),
      [Symbol.asyncDispose]: async () => file.close(),
    };
  } catch (thrown) {
    file.close();
    throw storeFault(thrown, path);
  }
}

/** @throws CreameryError `store`, `disk-full`. */
export async function openSqliteLoading(path: string): Promise<Loading> {
  const isNew = !existsSync(path);
  const file = openFile(path, false);
  try {
    if (isNew) chmodSync(path, 0o600);
    file.exec("pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on");
    file.exec("begin immediate; pragma defer_foreign_keys = on");
    return new SqliteLoading(file, path);
  } catch (thrown) {
    file.close();
    throw storeFault(thrown, path);
  }
}

function openFile(path: string, readOnly: boolean): DatabaseSync {
  try {
    return new DatabaseSync(path, { readOnly, timeout: BUSY_MS });
  } catch (thrown) {
    throw storeFault(thrown, path);
  }
}

class SqliteLoading implements Loading {
  readonly kind = "sqlite";
  readonly label: string;
  readonly #file: DatabaseSync;
  #triggers: readonly string[] = [];

  constructor(file: DatabaseSync, path: string) {
    this.#file = file;
    this.label = path;
  }

  async prepare(schema: number): Promise<readonly TableShape[]> {
    try {
      const file = this.#file;
      const version = userVersion(file);
      if (version > MIGRATIONS.length) throw newerSchema(this.label, version);
      const there = tablesOf(file);
      const known = await knownTables(version);
      for (const { name } of there) {
        if (!known.has(name)) throw notOurs(this.label, name);
        const rows = file.prepare(`select 1 as found from ${quoted(name)} limit 1`).all();
        if (rows.length > 0) throw notEmpty(this.label, name);
      }
      if (version !== schema) {
        for (const { name } of there.toReversed()) file.exec(`drop table ${quoted(name)}`);
        await this.#migrate(0, schema);
      }
      // What keeps an older Creamery from writing would keep its rows from being brought over.
      const triggers = file.prepare("select name, sql from sqlite_master where type = 'trigger'");
      this.#triggers = triggers.all().map(({ name, sql }) => {
        file.exec(`drop trigger ${quoted(String(name))}`);
        return String(sql);
      });
      return tablesOf(file);
    } catch (thrown) {
      throw storeFault(thrown, this.label);
    }
  }

  async insert(table: TableShape, rows: readonly Row[]): Promise<void> {
    try {
      const columns = table.columns.map(({ name }) => quoted(name)).join(", ");
      const marks = table.columns.map(() => "?").join(", ");
      const statement = this.#file.prepare(
        `insert into ${quoted(table.name)} (${columns}) values (${marks})`,
      );
      for (const row of rows) statement.run(...row.map(inputOf));
    } catch (thrown) {
      throw storeFault(thrown, `${this.label}, ${table.name}`);
    }
  }

  pages(table: TableShape): AsyncIterable<readonly Row[]> {
    return pagesOf(this.#file, this.label, table);
  }

  async setLastNumber({ name }: TableShape, last: bigint): Promise<void> {
    this.#file.prepare("delete from sqlite_sequence where name = ?").run(name);
    if (last > 0)
      this.#file.prepare("insert into sqlite_sequence (name, seq) values (?, ?)").run(name, last);
  }

  async commit(): Promise<void> {
    try {
      for (const trigger of this.#triggers) this.#file.exec(trigger);
      const [broken] = this.#file.prepare("pragma foreign_key_check").all();
      if (broken !== undefined)
        throw new CreameryError(
          "bad-archive",
          `a row of ${String(broken["table"])} refers to one of ${String(broken["parent"])} that is not in it`,
        );
      await this.#migrate(userVersion(this.#file), MIGRATIONS.length);
      this.#file.exec("commit");
    } catch (thrown) {
      throw storeFault(thrown, this.label);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#file.isTransaction) this.#file.exec("rollback");
    this.#file.close();
  }

  async #migrate(from: number, to: number): Promise<void> {
    const db = new Kysely<unknown>({ dialect: nodeSqliteDialect(this.#file) });
    for (const migration of MIGRATIONS.slice(from, to)) await migration.up(db, "sqlite");
    this.#file.exec(`pragma user_version = ${to}`);
  }
}

function inputOf(cell: Row[number]): SQLInputValue {
  return cell;
}

function tablesOf(file: DatabaseSync): readonly TableShape[] {
  const found = file
    .prepare(
      "select name, sql from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\'",
    )
    .all();
  return inOrderOfReference(
    found.map(({ name: given, sql }) => {
      const name = String(given);
      const columns = file.prepare("select name, type, pk from pragma_table_info(?)").all(name);
      const parents = file.prepare('select "table" from pragma_foreign_key_list(?)').all(name);
      return {
        name,
        columns: columns.map((column) => ({
          name: String(column["name"]),
          type: String(column["type"]).toLowerCase(),
        })),
        key: columns
          .filter(({ pk }) => Number(pk) > 0)
          .toSorted((one, other) => Number(one["pk"]) - Number(other["pk"]))
          .map((column) => String(column["name"])),
        refersTo: [...new Set(parents.map((row) => String(row["table"])))],
        lastNumber: /\bautoincrement\b/iu.test(String(sql)) ? lastNumberOf(file, name) : null,
      };
    }),
  );
}

function lastNumberOf(file: DatabaseSync, table: string): bigint {
  const statement = file.prepare("select seq from sqlite_sequence where name = ?");
  statement.setReadBigInts(true);
  const last = statement.get(table)?.["seq"];
  return typeof last === "bigint" ? last : 0n;
}

function countOf(file: DatabaseSync, table: string): number {
  const counted = file.prepare(`select count(*) as rows from ${quoted(table)}`).get();
  return Number(counted?.["rows"]);
}

async function* pagesOf(
  file: DatabaseSync,
  path: string,
  { name, columns, key }: TableShape,
): AsyncGenerator<readonly Row[]> {
  const names = columns.map((column) => quoted(column.name)).join(", ");
  const order = (key.length > 0 ? key : columns.map((column) => column.name)).map(quoted);
  try {
    const statement = file.prepare(
      `select ${names} from ${quoted(name)} order by ${order.join(", ")}`,
    );
    statement.setReadBigInts(true);
    const page = new PageBuilder();
    for (const row of statement.iterate()) {
      const full = page.add(Object.values(row).map(asCell));
      if (full !== undefined) yield full;
    }
    const rest = page.take();
    if (rest.length > 0) yield rest;
  } catch (thrown) {
    throw storeFault(thrown, `${path}, ${name}`);
  }
}
