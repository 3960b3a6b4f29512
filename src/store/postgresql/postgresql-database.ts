import { setTimeout as sleep } from "node:timers/promises";

import { Kysely } from "kysely";

import { CreameryError, reasonOf } from "../../base/errors.ts";
import type { Database, Within } from "../database.ts";
import type { Tables } from "../schema.ts";

/** SQLSTATEs after which the same transaction is simply begun again: deadlock, serialization failure, somebody else's row. */
const AGAIN: ReadonlySet<string> = new Set(["40P01", "40001", "23505"]);
const MOST_TRIES = 6;

/** PostgreSQL 15 or newer, its schema up to date (open-postgresql.ts). */
export class PostgresqlDatabase implements Database {
  readonly kind = "postgresql";
  readonly label: string;
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>, label: string) {
    this.#db = db;
    this.label = label;
  }

  async write<Answer>(work: (within: Within) => Promise<Answer>): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#db.transaction().execute(work);
      } catch (thrown) {
        if (attempt === MOST_TRIES || !AGAIN.has(sqlStateOf(thrown) ?? ""))
          throw postgresqlFault(thrown, this.label);
      }
      await sleep(2 ** attempt * (0.5 + Math.random()));
    }
  }

  async read<Answer>(work: (db: Kysely<Tables>) => Promise<Answer>): Promise<Answer> {
    try {
      return await work(this.#db);
    } catch (thrown) {
      throw postgresqlFault(thrown, this.label);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#db.destroy();
  }
}

function sqlStateOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string"
    ? thrown.code
    : undefined;
}

/** What PostgreSQL or the way to it threw, as a fault with a next step. */
export function postgresqlFault(thrown: unknown, label: string): CreameryError {
  if (thrown instanceof CreameryError) return thrown;
  if (sqlStateOf(thrown) === "53100")
    return new CreameryError("disk-full", "PostgreSQL's disk is full", {
      input: label,
      nextStep: "free some space there",
      cause: thrown,
    });
  return new CreameryError("store", reasonOf(thrown) || "PostgreSQL does not answer", {
    input: label,
    nextStep: "check that PostgreSQL runs and can be reached; what was asked may be asked again",
    cause: thrown,
  });
}
