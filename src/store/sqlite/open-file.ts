import { chmodSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";

import { MIGRATIONS } from "../migrations/all.ts";
import { newerSchema } from "../newer-schema.ts";
import { storeFault } from "../store-fault.ts";
import { userVersion } from "./user-version.ts";

/** Another process that writes is waited for so long. */
const BUSY_MS = 10_000;
const BUSY_PAUSE_MS = 10;
/**
 * Pages of 4 KB in the write-ahead log before a commit copies them into the file: so much longer that one takes. SQLite's own 1000 make
 * that one commit of the queue in 63, each of 4 ms; this many make it one in 500, of 27 ms, and what is written again and again is copied
 * once. The log takes 32 MB.
 */
const LOG_PAGES = 8000;

/** `normal` is on the disk across a crash of the process, `full` across a power cut as well. */
export type Durability = "normal" | "full";

/**
 * Opens SQLite's file, makes it where there is none, and brings its schema up to date.
 * @throws CreameryError `store` for a file that can't be used or that a newer Creamery wrote, `disk-full`.
 */
export async function openSqliteFile(path: string, durability: Durability): Promise<DatabaseSync> {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: BUSY_MS });
    // WAL: readers don't wait for the writer.
    await makeWal(database);
    database.exec(
      `pragma synchronous = ${durability}; pragma wal_autocheckpoint = ${LOG_PAGES}; pragma foreign_keys = on;`,
    );
    const version = userVersion(database);
    if (version > MIGRATIONS.length) throw newerSchema(path, version);
    if (version < MIGRATIONS.length) {
      if (version === 0) chmodSync(path, 0o600);
      const { migrate } = await import("./migrate.ts");
      await migrate(database, MIGRATIONS);
    }
    return database;
  } catch (thrown) {
    if (database?.isOpen === true) database.close();
    throw storeFault(thrown, path);
  }
}

/** SQLite waits for nobody where two processes make one new file a WAL file at once: who was late tries again. */
async function makeWal(database: DatabaseSync): Promise<void> {
  const deadline = performance.now() + BUSY_MS;
  for (;;) {
    try {
      database.exec("pragma journal_mode = wal");
      return;
    } catch (thrown) {
      const isBusy = thrown instanceof Error && /database is locked/.test(thrown.message);
      if (!isBusy || performance.now() > deadline) throw thrown;
    }
    await sleep(BUSY_PAUSE_MS);
  }
}
