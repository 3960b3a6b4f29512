import type { DatabaseSync } from "node:sqlite";
import { Kysely } from "kysely";

import type { Database, Within } from "../database.ts";
import type { Tables } from "../schema.ts";
import { storeFault } from "../store-fault.ts";
import { nodeSqliteDialect } from "./dialect.ts";
import { GroupCommit } from "./group-commit.ts";

/** One SQLite file, its schema up to date (../open-store.ts). */
export class SqliteDatabase implements Database {
  readonly kind = "sqlite";
  readonly label: string;
  readonly #db: Kysely<Tables>;
  readonly #writes: GroupCommit<Tables>;
  readonly #close: () => void;

  constructor(file: DatabaseSync, path: string) {
    this.label = path;
    this.#db = new Kysely<Tables>({ dialect: nodeSqliteDialect(file) });
    this.#writes = new GroupCommit(this.#db);
    this.#close = () => {
      if (file.isOpen) file.close();
    };
  }

  write<Answer>(work: (within: Within) => Promise<Answer>): Promise<Answer> {
    return this.#asking(() => this.#writes.write(work));
  }

  read<Answer>(work: (db: Kysely<Tables>) => Promise<Answer>): Promise<Answer> {
    return this.#asking(() => work(this.#db));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writes.idle();
    await this.#db.destroy();
    this.#close();
  }

  async #asking<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    try {
      return await ask();
    } catch (thrown) {
      throw storeFault(thrown, this.label);
    }
  }
}
