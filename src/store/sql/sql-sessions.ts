import type { Selectable } from "kysely";
import { z } from "zod";

import { CreameryError } from "../../base/errors.ts";
import { SESSION_WAYS, type Session, type Sessions } from "../../model/sessions.ts";
import type { Database } from "../database.ts";
import type { Tables } from "../schema.ts";

/** Sessions, in either database. */
export class SqlSessions implements Sessions {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async create(session: Session): Promise<void> {
    const made = await this.#database.write((within) =>
      within
        .insertInto("session")
        .values({
          sha256: session.sha256,
          principal_id: session.principal,
          how: session.how,
          who: session.who,
          created_ms: session.createdAtMs,
          expires_ms: session.expiresAtMs,
          used_ms: session.lastUsedAtMs,
        })
        .onConflict((on) => on.doNothing())
        .returning("sha256")
        .execute(),
    );
    if (made.length === 0) throw new CreameryError("store", "another session has this id");
  }

  async find(sha256: string): Promise<Session | null> {
    const row = await this.#database.read((db) =>
      db.selectFrom("session").selectAll().where("sha256", "=", sha256).executeTakeFirst(),
    );
    return row === undefined ? null : sessionOf(row);
  }

  async ofPrincipal(principal: string): Promise<readonly Session[]> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom("session")
        .selectAll()
        .where("principal_id", "=", principal)
        .orderBy("used_ms", "desc")
        .orderBy("sha256")
        .execute(),
    );
    return rows.map(sessionOf);
  }

  async touch(sha256: string, atMs: number): Promise<void> {
    await this.#database.write((within) =>
      within
        .updateTable("session")
        .set({ used_ms: atMs })
        .where("sha256", "=", sha256)
        .where("used_ms", "<", atMs)
        .execute(),
    );
  }

  async end(sha256: string): Promise<void> {
    await this.#database.write((within) =>
      within.deleteFrom("session").where("sha256", "=", sha256).execute(),
    );
  }

  async endAllOf(principal: string): Promise<number> {
    const gone = await this.#database.write((within) =>
      within
        .deleteFrom("session")
        .where("principal_id", "=", principal)
        .returning("sha256")
        .execute(),
    );
    return gone.length;
  }

  async forget(overBeforeMs: number, usedBeforeMs: number): Promise<number> {
    const gone = await this.#database.write((within) =>
      within
        .deleteFrom("session")
        .where((on) =>
          on.or([on("expires_ms", "<", overBeforeMs), on("used_ms", "<", usedBeforeMs)]),
        )
        .returning("sha256")
        .execute(),
    );
    return gone.length;
  }
}

const Way = z.enum(SESSION_WAYS);

function sessionOf(row: Selectable<Tables["session"]>): Session {
  return {
    sha256: row.sha256,
    principal: row.principal_id,
    how: Way.parse(row.how),
    who: row.who,
    createdAtMs: row.created_ms,
    expiresAtMs: row.expires_ms,
    lastUsedAtMs: row.used_ms,
  };
}
