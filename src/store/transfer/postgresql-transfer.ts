import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";

import { MIGRATIONS } from "../migrations/all.ts";
import { newerSchema } from "../newer-schema.ts";
import {
  assertVersion,
  CONNECT_MS,
  labelOf,
  MIGRATION_LOCK,
} from "../postgresql/open-postgresql.ts";
import { postgresqlFault } from "../postgresql/postgresql-database.ts";
import { asCell, type Cell, type Row } from "./cell.ts";
import { knownTables } from "./known-tables.ts";
import { cellKindOf, sequenceOf, tablesOf, VERSION_TABLE } from "./postgresql-catalogue.ts";
import { quoted, type TableShape } from "./table-shape.ts";
import {
  notEmpty,
  noStore,
  notOurs,
  rowsOfPage,
  sizeOf,
  type Loading,
  type Snapshot,
} from "./transfer-database.ts";

/** Of the parameters of one statement. */
const MOST_PARAMETERS = 30_000;
const FIRST_PAGE = 20;

/** One connection that the query builder may take for one of a pool: it is whoever opened it that ends it. */
class HeldClient extends pg.Client {
  release(): void {
    // Nothing waits for it.
  }
}

/** @throws CreameryError `store`. */
export async function openPostgresqlSnapshot(url: string): Promise<Snapshot> {
  const label = labelOf(url);
  const client = await connect(url, label);
  try {
    await client.query("begin isolation level repeatable read read only");
    await noTimeout(client);
    const schema = await schemaOf(client);
    if (schema === 0) throw noStore(label);
    if (schema > MIGRATIONS.length) throw newerSchema(label, schema);
    return {
      kind: "postgresql",
      label,
      schema,
      tables: await tablesOf(client),
      pages: (table) => pagesOf(client, label, table),
      count: (table) => countOf(client, label, table),
      [Symbol.asyncDispose]: () => client.end(),
    };
  } catch (thrown) {
    await client.end();
    throw postgresqlFault(thrown, label);
  }
}

/** @throws CreameryError `store`. */
export async function openPostgresqlLoading(url: string): Promise<Loading> {
  const label = labelOf(url);
  const client = await connect(url, label);
  try {
    await client.query("begin");
    await noTimeout(client);
    await client.query("select pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
    return new PostgresqlLoading(client, label);
  } catch (thrown) {
    await client.end();
    throw postgresqlFault(thrown, label);
  }
}

async function connect(url: string, label: string): Promise<HeldClient> {
  try {
    const client = new HeldClient({
      connectionString: url,
      connectionTimeoutMillis: CONNECT_MS,
      keepAlive: true,
      application_name: "creamery store",
    });
    // What was asked meanwhile hears of it itself.
    client.on("error", () => undefined);
    await client.connect();
    await assertVersion(client, label);
    return client;
  } catch (thrown) {
    throw postgresqlFault(thrown, label);
  }
}

/** It takes as long as there are rows. */
async function noTimeout(client: pg.Client): Promise<void> {
  await client.query("set local statement_timeout = 0");
  await client.query("set local idle_in_transaction_session_timeout = 0");
}

/** The number of the last migration; 0 where there was none yet. */
async function schemaOf(client: pg.Client): Promise<number> {
  const there = await client.query<{ there: boolean }>(
    "select to_regclass(quote_ident(current_schema()) || '.' || $1) is not null as there",
    [VERSION_TABLE],
  );
  if (there.rows[0]?.there !== true) return 0;
  const { rows } = await client.query<{ number: number }>(`select number from ${VERSION_TABLE}`);
  return rows[0]?.number ?? 0;
}

class PostgresqlLoading implements Loading {
  readonly kind = "postgresql";
  readonly label: string;
  readonly #client: HeldClient;

  constructor(client: HeldClient, label: string) {
    this.#client = client;
    this.label = label;
  }

  prepare(schema: number): Promise<readonly TableShape[]> {
    return this.#asking("", async () => {
      const client = this.#client;
      const version = await schemaOf(client);
      if (version > MIGRATIONS.length) throw newerSchema(this.label, version);
      const there = await tablesOf(client);
      const known = await knownTables(version);
      for (const { name } of there) {
        if (!known.has(name)) throw notOurs(this.label, name);
        // Nobody writes to it, or reads half of it, until all is there.
        await client.query(`lock table ${quoted(name)} in access exclusive mode`);
        const found = await client.query(`select 1 from ${quoted(name)} limit 1`);
        if (found.rows.length > 0) throw notEmpty(this.label, name);
      }
      if (version !== schema) {
        await this.#drop(there);
        await this.#migrate(0, schema);
      }
      const tables = await tablesOf(client);
      // What keeps an older Creamery from writing would keep its rows from being brought over.
      for (const { name } of tables)
        await client.query(`alter table ${quoted(name)} disable trigger user`);
      return tables;
    });
  }

  insert(table: TableShape, rows: readonly Row[]): Promise<void> {
    return this.#asking(table.name, async () => {
      const columns = table.columns.map(({ name }) => quoted(name)).join(", ");
      const most = Math.max(1, Math.floor(MOST_PARAMETERS / table.columns.length));
      for (let start = 0; start < rows.length; start += most) {
        const part = rows.slice(start, start + most);
        let number = 0;
        const values = part.map((row) => `(${row.map(() => `$${++number}`).join(",")})`);
        await this.#client.query(
          `insert into ${quoted(table.name)} (${columns}) values ${values.join(",")}`,
          part.flat().map(parameterOf),
        );
      }
    });
  }

  pages(table: TableShape): AsyncIterable<readonly Row[]> {
    return pagesOf(this.#client, this.label, table);
  }

  setLastNumber({ name, key }: TableShape, last: bigint): Promise<void> {
    return this.#asking(name, async () => {
      const sequence = await sequenceOf(this.#client, name, key[0] ?? "id");
      await this.#client.query("select setval($1::regclass, $2::bigint, $3)", [
        sequence,
        String(last > 0n ? last : 1n),
        last > 0n,
      ]);
    });
  }

  commit(): Promise<void> {
    return this.#asking("", async () => {
      for (const { name } of await tablesOf(this.#client))
        await this.#client.query(`alter table ${quoted(name)} enable trigger user`);
      await this.#migrate(await schemaOf(this.#client), MIGRATIONS.length);
      await this.#client.query("commit");
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What was not committed ends with the connection.
    await this.#client.end();
  }

  /** Tables of the farm's own, that hold nothing, and the functions that their triggers call. */
  async #drop(tables: readonly TableShape[]): Promise<void> {
    const { rows } = await this.#client.query<{ function: string }>(
      `select distinct t.tgfoid::regprocedure::text as function from pg_trigger t
        join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
        where not t.tgisinternal and n.nspname = current_schema()`,
    );
    for (const { name } of tables.toReversed())
      await this.#client.query(`drop table ${quoted(name)}`);
    for (const row of rows) await this.#client.query(`drop function ${row.function}`);
  }

  async #migrate(from: number, to: number): Promise<void> {
    const client = this.#client;
    // All of it within this connection's transaction.
    const pool = { connect: async () => client, end: async () => undefined, options: {} };
    const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
    for (const migration of MIGRATIONS.slice(from, to)) await migration.up(db, "postgresql");
    await client.query(`create table if not exists ${VERSION_TABLE} (number integer not null)`);
    await client.query(`delete from ${VERSION_TABLE}`);
    await client.query(`insert into ${VERSION_TABLE} (number) values ($1)`, [to]);
  }

  async #asking<Answer>(table: string, ask: () => Promise<Answer>): Promise<Answer> {
    try {
      return await ask();
    } catch (thrown) {
      throw postgresqlFault(thrown, table === "" ? this.label : `${this.label}, ${table}`);
    }
  }
}

function parameterOf(cell: Cell): string | Buffer | null {
  if (cell === null || typeof cell === "string") return cell;
  if (cell instanceof Uint8Array) return Buffer.from(cell.buffer, cell.byteOffset, cell.byteLength);
  return String(cell);
}

async function countOf(client: pg.Client, label: string, table: string): Promise<number> {
  try {
    const { rows } = await client.query<{ rows: string }>(
      `select count(*)::text as rows from ${quoted(table)}`,
    );
    return Number(rows[0]?.rows);
  } catch (thrown) {
    throw postgresqlFault(thrown, `${label}, ${table}`);
  }
}

async function* pagesOf(
  client: pg.Client,
  label: string,
  { name, columns, key }: TableShape,
): AsyncGenerator<readonly Row[]> {
  const kinds = columns.map((column) => cellKindOf(name, column));
  // As texts, so that no number is rounded on its way.
  const selected = columns.map((column, index) =>
    kinds[index] === "bytes" ? `t.${quoted(column.name)}` : `t.${quoted(column.name)}::text`,
  );
  const sorted = key.length > 0 ? key : columns.map((column) => column.name);
  const order = sorted.map((one) => {
    const isText = kinds[columns.findIndex((column) => column.name === one)] === "text";
    // As SQLite sorts: by bytes.
    return `t.${quoted(one)}${isText ? ' collate "C"' : ""}`;
  });
  try {
    await client.query(
      `declare page no scroll cursor for select ${selected.join(", ")} from ${quoted(name)} t order by ${order.join(", ")}`,
    );
    for (let most = FIRST_PAGE; ;) {
      const { rows } = await client.query<unknown[]>({
        text: `fetch ${most} from page`,
        rowMode: "array",
      });
      if (rows.length === 0) break;
      const page = rows.map((row) => row.map((value, index) => cellOf(value, kinds[index])));
      yield page;
      most = rowsOfPage(
        page.length,
        page.reduce((sum, row) => sum + sizeOf(row), 0),
      );
    }
    await client.query("close page");
  } catch (thrown) {
    throw postgresqlFault(thrown, `${label}, ${name}`);
  }
}

function cellOf(value: unknown, kind: ReturnType<typeof cellKindOf> | undefined): Cell {
  const cell = asCell(value);
  if (typeof cell !== "string" || kind === "text") return cell;
  return kind === "int" ? BigInt(cell) : Number(cell);
}
