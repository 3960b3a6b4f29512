import { chmodSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";

import { CreameryError } from "../base/errors.ts";
import { MIGRATIONS } from "./migrations/all.ts";
import { storeFault } from "./store-fault.ts";
import type { AttemptQuery, AttemptRecording, BaselineQuery, Store } from "./store.ts";
import { userVersion } from "./sqlite/user-version.ts";

/** Another process that writes is waited for so long. */
const BUSY_MS = 10_000;
const BUSY_PAUSE_MS = 10;

/**
 * Opens the store of this host, makes it where there is none, and brings its schema up to date. Quick
 * where nothing is to be done: the query builder is loaded only when something is asked or kept.
 * @param path of the SQLite file, e.g. `/var/lib/creamery/store.sqlite`.
 * @throws CreameryError `store` for a file that can't be used or that a newer Creamery wrote, `disk-full`.
 */
export async function openStore(path: string): Promise<Store> {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: BUSY_MS });
    // WAL: readers don't wait for the writer; NORMAL is durable across a crash of the process.
    await makeWal(database);
    database.exec("pragma synchronous = normal; pragma foreign_keys = on;");
    const version = userVersion(database);
    if (version > MIGRATIONS.length) throw newerSchema(path, version);
    if (version < MIGRATIONS.length) {
      if (version === 0) chmodSync(path, 0o600);
      const { migrate } = await import("./sqlite/migrate.ts");
      await migrate(database, MIGRATIONS);
    }
  } catch (thrown) {
    if (database?.isOpen === true) database.close();
    throw storeFault(thrown, path);
  }
  return new OpenedStore(database, path);
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

/** Loads the query builder (a tenth of a second) when it is first needed, which is not on the way to a start. */
class OpenedStore implements Store {
  readonly #database: DatabaseSync;
  readonly #path: string;
  #store: Promise<Store> | undefined;

  constructor(database: DatabaseSync, path: string) {
    this.#database = database;
    this.#path = path;
  }

  async recordAttempt(recording: AttemptRecording) {
    return (await this.#loaded()).recordAttempt(recording);
  }

  async attempt(id: string) {
    return (await this.#loaded()).attempt(id);
  }

  async attempts(query: AttemptQuery) {
    return (await this.#loaded()).attempts(query);
  }

  async nonPasses(attemptId: string) {
    return (await this.#loaded()).nonPasses(attemptId);
  }

  async latestComparable(query: BaselineQuery) {
    return (await this.#loaded()).latestComparable(query);
  }

  async oftenFailing(project: string, limit: number) {
    return (await this.#loaded()).oftenFailing(project, limit);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#store === undefined) this.#database.close();
    else await (await this.#store)[Symbol.asyncDispose]();
  }

  #loaded(): Promise<Store> {
    this.#store ??= import("./sqlite/open-sql-store.ts").then(({ openSqlStore }) =>
      openSqlStore(this.#database, this.#path),
    );
    return this.#store;
  }
}

function newerSchema(path: string, version: number): CreameryError {
  return new CreameryError("store", `schema ${version} was written by a newer Creamery`, {
    input: path,
    nextStep: "use that version, or another data directory",
  });
}
