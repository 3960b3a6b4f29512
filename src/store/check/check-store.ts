import { existsSync } from "node:fs";

import { sql, type Kysely } from "kysely";

import { CreameryError, reasonOf } from "../../base/errors.ts";
import type { Database } from "../database.ts";
import { openDatabase } from "../open-database.ts";
import { isPostgresqlUrl } from "../postgresql-url.ts";
import type { Tables } from "../schema.ts";
import { attemptOf } from "../sql/result-row.ts";
import { joinedResults } from "../sql/sql-store.ts";
import type { StoredAttempt } from "../store.ts";
import { noStore, openSnapshot } from "../transfer/transfer-database.ts";
import { queueFaults } from "./queue-faults.ts";
import { MOST_FAULTS, type StoreFault } from "./store-finding.ts";

export interface StoreState {
  readonly label: string;
  /** Rows by table. */
  readonly rows: Readonly<Record<string, number>>;
  /** At most so many of each kind as `MOST_FAULTS` says; the last of them tells of more. */
  readonly faults: readonly StoreFault[];
}

export interface CheckOptions {
  readonly signal: AbortSignal;
  /** Is asked of each result: what of it is missing elsewhere; null for nothing. */
  readonly elsewhere?: (stored: StoredAttempt) => Promise<string | null>;
}

const RESULTS_AT_ONCE = 200;

/**
 * Reads all that a store holds: whether the database is sound, every row can be read, every result unpacks, and the queue
 * makes sense.
 * @throws CreameryError `store` where it can't be reached or is a newer Creamery's; `signal`'s reason.
 */
export async function checkStore(
  location: string,
  { signal, elsewhere }: CheckOptions,
): Promise<StoreState> {
  if (!isPostgresqlUrl(location) && !existsSync(location)) throw noStore(location);
  const rows: Record<string, number> = {};
  const faults: StoreFault[] = [];
  let database: Database;
  try {
    database = await openDatabase(location);
  } catch (thrown) {
    const damage = damageOf(thrown);
    if (damage === null) throw thrown;
    return { label: location, rows, faults: [{ subject: location, fault: damage }] };
  }
  await using opened = database;
  const { label } = opened;
  /** A database so damaged that a question ends is a finding; what else there is to find is looked for. */
  const looking = async (subject: string, look: () => Promise<readonly StoreFault[]>) => {
    signal.throwIfAborted();
    try {
      faults.push(...(await look()));
    } catch (thrown) {
      signal.throwIfAborted();
      if (!(thrown instanceof CreameryError) || thrown.code !== "store") throw thrown;
      faults.push({ subject, fault: thrown.message });
    }
  };
  await looking(label, () => opened.read((db) => databaseFaults(db, opened)));
  await looking(label, async () => {
    await using snapshot = await openSnapshot(location);
    for (const table of snapshot.tables)
      await looking(table.name, async () => {
        let count = 0;
        for await (const page of snapshot.pages(table)) {
          signal.throwIfAborted();
          count += page.length;
        }
        rows[table.name] = count;
        return [];
      });
    return [];
  });
  await looking("result", () => resultFaults(opened, elsewhere, signal));
  await looking("queue_job", () => opened.read(queueFaults));
  return { label, rows, faults };
}

/** What SQLite says of a file that is none, or is broken; null where that is not why. */
function damageOf(thrown: unknown): string | null {
  const isDamage =
    thrown instanceof CreameryError &&
    thrown.code === "store" &&
    /malformed|not a database|file is encrypted|disk image/u.test(thrown.message);
  return isDamage ? thrown.message : null;
}

async function databaseFaults(
  db: Kysely<Tables>,
  { kind, label }: Database,
): Promise<readonly StoreFault[]> {
  const faults: StoreFault[] = [];
  if (kind === "sqlite") {
    const sound = await sql<{
      integrity_check: string;
    }>`pragma integrity_check(${sql.lit(MOST_FAULTS)})`.execute(db);
    for (const { integrity_check: told } of sound.rows)
      if (told !== "ok") faults.push({ subject: label, fault: told });
    const broken = await sql<{ table: string; parent: string; rows: number }>`
      select "table", "parent", count(*) as rows from pragma_foreign_key_check group by 1, 2`.execute(
      db,
    );
    for (const { table, parent, rows } of broken.rows)
      faults.push({ subject: table, fault: `${rows} rows refer to what is not in ${parent}` });
    return faults;
  }
  const unproven = await sql<{ table: string; name: string }>`
    select conrelid::regclass::text as table, conname as name from pg_constraint
    where not convalidated and connamespace = current_schema()::regnamespace`.execute(db);
  for (const { table, name } of unproven.rows)
    faults.push({ subject: table, fault: `constraint ${name} is not proven` });
  const broken = await sql<{ table: string; name: string }>`
    select indrelid::regclass::text as table, indexrelid::regclass::text as name from pg_index
    join pg_class on pg_class.oid = indrelid
    where not (indisvalid and indisready) and relnamespace = current_schema()::regnamespace`.execute(
    db,
  );
  for (const { table, name } of broken.rows)
    faults.push({ subject: table, fault: `index ${name} is not valid: reindex it` });
  return faults;
}

/** Each unpacks, and is what a result is. */
async function resultFaults(
  database: Database,
  elsewhere: CheckOptions["elsewhere"],
  signal: AbortSignal,
): Promise<readonly StoreFault[]> {
  const faults: StoreFault[] = [];
  let [after, read, wrong] = ["", 0, 0];
  const tell = (subject: string, fault: string) => {
    if (++wrong <= MOST_FAULTS) faults.push({ subject, fault });
  };
  for (;;) {
    signal.throwIfAborted();
    const page = await database.read((db) =>
      joinedResults(db)
        .where("result.id", ">", after)
        .orderBy("result.id")
        .limit(RESULTS_AT_ONCE)
        .execute(),
    );
    for (const row of page) {
      try {
        const stored = attemptOf(row);
        const missing = await elsewhere?.(stored);
        if (typeof missing === "string") tell(row.id, missing);
      } catch (thrown) {
        signal.throwIfAborted();
        const isOwn = thrown instanceof CreameryError;
        if (isOwn && thrown.code !== "store") throw thrown;
        tell(row.id, isOwn ? thrown.message : `is no result: ${firstLine(thrown)}`);
      }
    }
    read += page.length;
    const last = page.at(-1);
    if (last === undefined) break;
    after = last.id;
  }
  const all = await database.read((db) =>
    db
      .selectFrom("result")
      .select(({ fn }) => fn.countAll<number | string>().as("rows"))
      .executeTakeFirstOrThrow(),
  );
  // Some may have been kept meanwhile.
  const lost = Number(all.rows) - read;
  if (lost > 0 && (await orphans(database)) > 0)
    faults.push({
      subject: "result",
      fault: `${lost} refer to a project, release, configuration or image that is not there`,
    });
  if (wrong > MOST_FAULTS)
    faults.push({ subject: "result", fault: `and ${wrong - MOST_FAULTS} more` });
  return faults;
}

async function orphans(database: Database): Promise<number> {
  const found = await database.read((db) =>
    sql<{ rows: number | string }>`
      select count(*) as rows from result
      where not exists (select 1 from release where id = release_id) or not exists (select 1 from project where id = project_id)
        or not exists (select 1 from configuration where id = configuration_id) or not exists (select 1 from image where id = image_id)`.execute(
      db,
    ),
  );
  return Number(found.rows[0]?.rows ?? 0);
}

function firstLine(thrown: unknown): string {
  return reasonOf(thrown).replaceAll(/\s+/gu, " ").slice(0, 200);
}
