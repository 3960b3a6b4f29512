import type { DatabaseSync } from "node:sqlite";

import { openSqliteFile } from "./sqlite/open-file.ts";
import type { AttemptQuery, AttemptRecording, BaselineQuery, Store } from "./store.ts";

/**
 * Opens the results of this host, makes the store where there is none, and brings its schema up to date. Quick
 * where nothing is to be done: the query builder is loaded only when something is asked or kept.
 * @param path of the SQLite file, e.g. `/var/lib/creamery/store.sqlite`.
 * @throws CreameryError `store` for a file that can't be used or that a newer Creamery wrote, `disk-full`.
 */
export async function openStore(path: string): Promise<Store> {
  return new OpenedStore(await openSqliteFile(path, "normal"), path);
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
