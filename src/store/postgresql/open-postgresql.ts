import { Kysely, PostgresDialect, sql } from "kysely";
import pg from "pg";

import { CreameryError } from "../../base/errors.ts";
import type { Database } from "../database.ts";
import { MIGRATIONS } from "../migrations/all.ts";
import type { Migration } from "../migrations/migration.ts";
import { newerSchema } from "../newer-schema.ts";
import type { Tables } from "../schema.ts";
import { SilentSockets } from "./silent-sockets.ts";
import { PostgresqlDatabase, postgresqlFault } from "./postgresql-database.ts";

// pg would give a `bigint` as text; all of ours are below 2^53.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

const OLDEST = 15;
export const CONNECT_MS = 10_000;
/** No statement of ours takes so long: what does is stuck. */
const STATEMENT_MS = 120_000;
/** No question of a farm at work waits so long. */
const SILENT_MS = 30_000;
/** Any number that is the farm's own: whoever migrates holds this lock. */
export const MIGRATION_LOCK = 7_273_001;

export interface PostgresqlOptions {
  /** So many connections at once. */
  readonly connections?: number;
  readonly migrations?: readonly Migration[];
  /** A question that has no answer for so long is given up, and its connection too; by default 30 s. */
  readonly silentMs?: number;
}

/**
 * Opens the store in PostgreSQL, and brings its schema up to date.
 * @param url `postgres://user:password@host:port/name`, or with `?host=/run/postgresql` for a socket.
 * @throws CreameryError `store` for one that can't be reached, is older than 15, or that a newer Creamery wrote.
 */
export async function openPostgresql(
  url: string,
  { connections = 10, migrations = MIGRATIONS, silentMs = SILENT_MS }: PostgresqlOptions = {},
): Promise<Database> {
  const label = labelOf(url);
  const watched = new SilentSockets(silentMs);
  const pool = new pg.Pool({
    connectionString: url,
    max: connections,
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: STATEMENT_MS,
    keepAlive: true,
    application_name: "creamery",
    stream: () => watched.open(),
  });
  // A connection that breaks while nobody uses it is replaced by the next one that is wanted.
  pool.on("error", () => undefined);
  // One that is in use tells so by what was asked of it; unheard, its own event would end the process.
  pool.on("connect", (client) => void client.on("error", () => undefined));
  const dialect = new PostgresDialect({ pool });
  const db = new Kysely<Tables>({ dialect });
  try {
    await assertVersion(pool, label);
    await migrate(new Kysely<unknown>({ dialect }), migrations, label);
  } catch (thrown) {
    await db.destroy();
    throw postgresqlFault(thrown, label);
  }
  watched.begin();
  return new PostgresqlDatabase(db, label);
}

export async function assertVersion(pool: Pick<pg.Client, "query">, label: string): Promise<void> {
  const { rows } = await pool.query<{ version: string }>(
    "select current_setting('server_version_num') as version",
  );
  const version = Math.floor(Number(rows[0]?.version) / 10_000);
  if (version >= OLDEST) return;
  throw new CreameryError("store", `PostgreSQL ${version} is too old`, {
    input: label,
    nextStep: `use PostgreSQL ${OLDEST} or newer`,
  });
}

/** All that is missing, in one transaction that holds the lock: two coordinators never migrate at once. */
async function migrate(
  db: Kysely<unknown>,
  migrations: readonly Migration[],
  label: string,
): Promise<void> {
  await db.transaction().execute(async (within) => {
    await sql`select pg_advisory_xact_lock(${MIGRATION_LOCK})`.execute(within);
    await sql`create table if not exists schema_version (number integer not null)`.execute(within);
    const found = await sql<{ number: number }>`select number from schema_version`.execute(within);
    const version = found.rows[0]?.number ?? 0;
    if (version > migrations.length) throw newerSchema(label, version);
    if (version === migrations.length) return;
    for (const migration of migrations.slice(version)) await migration.up(within, "postgresql");
    await sql`delete from schema_version`.execute(within);
    await sql`insert into schema_version (number) values (${migrations.length})`.execute(within);
  });
}

/** @throws never: what can't be read is shown as nothing of it, since it may hold a password. */
export function labelOf(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null) return "PostgreSQL";
  const host = parsed.host === "" ? (parsed.searchParams.get("host") ?? "") : parsed.host;
  return `postgresql ${host}${parsed.pathname}`;
}
