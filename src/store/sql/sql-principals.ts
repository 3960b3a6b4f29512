import { sql, type Selectable } from "kysely";
import { z } from "zod";

import { CreameryError } from "../../base/errors.ts";
import {
  PRINCIPAL_KINDS,
  SCOPES,
  type NewPrincipal,
  type Principal,
  type PrincipalPage,
  type Principals,
} from "../../model/principals.ts";
import type { NewToken } from "../../model/token.ts";
import type { Database } from "../database.ts";
import type { Tables } from "../schema.ts";

/** Principals, in either database. */
export class SqlPrincipals implements Principals {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  create(
    principal: NewPrincipal,
    { id, sha256 }: Pick<NewToken, "id" | "sha256">,
  ): Promise<Principal> {
    return this.#database.write(async (within) => {
      await within
        .insertInto("principal")
        .values({
          id,
          sha256,
          kind: principal.kind,
          name: principal.name,
          scopes: JSON.stringify(principal.scopes),
          projects: principal.projects === null ? null : JSON.stringify(principal.projects),
          created_ms: principal.createdAtMs,
          created_by: principal.createdBy,
          expires_ms: principal.expiresAtMs,
          revoked_ms: null,
          used_ms: null,
        })
        .onConflict((on) => on.doNothing())
        .execute();
      const row = await within
        .selectFrom("principal")
        .selectAll()
        .where("id", "=", id)
        .where("sha256", "=", sha256)
        .executeTakeFirst();
      if (row !== undefined) return principalOf(row);
      throw new CreameryError("store", "another principal has this id or token", { input: id });
    });
  }

  findByHash(sha256: string): Promise<Principal | null> {
    return this.#one("sha256", sha256);
  }

  find(id: string): Promise<Principal | null> {
    return this.#one("id", id);
  }

  async list({ limit, after = "" }: { limit: number; after?: string }): Promise<PrincipalPage> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom("principal")
        .selectAll()
        .where("id", ">", after)
        .orderBy("id")
        .limit(limit + 1)
        .execute(),
    );
    const principals = rows.slice(0, limit).map(principalOf);
    return { principals, after: rows.length > limit ? (principals.at(-1)?.id ?? null) : null };
  }

  revoke(id: string, atMs: number): Promise<boolean> {
    return this.#database.write(async (within) => {
      const revoked = await within
        .updateTable("principal")
        .set({ revoked_ms: sql`coalesce(revoked_ms, ${atMs})` })
        .where("id", "=", id)
        .returning("id")
        .execute();
      return revoked.length > 0;
    });
  }

  change(id: string, { name, scopes }: Pick<Principal, "name" | "scopes">): Promise<boolean> {
    return this.#database.write(async (within) => {
      const changed = await within
        .updateTable("principal")
        .set({ name, scopes: JSON.stringify(scopes) })
        .where("id", "=", id)
        .returning("id")
        .execute();
      return changed.length > 0;
    });
  }

  async touch(id: string, atMs: number): Promise<void> {
    await this.#database.write((within) =>
      within
        .updateTable("principal")
        .set({ used_ms: atMs })
        .where("id", "=", id)
        .where((on) => on.or([on("used_ms", "is", null), on("used_ms", "<", atMs)]))
        .execute(),
    );
  }

  async #one(column: "id" | "sha256", value: string): Promise<Principal | null> {
    const row = await this.#database.read((db) =>
      db.selectFrom("principal").selectAll().where(column, "=", value).executeTakeFirst(),
    );
    return row === undefined ? null : principalOf(row);
  }
}

const Kind = z.enum(PRINCIPAL_KINDS);
const Scopes = z.array(z.enum(SCOPES));
const Projects = z.array(z.string());

function principalOf(row: Selectable<Tables["principal"]>): Principal {
  return {
    id: row.id,
    kind: Kind.parse(row.kind),
    name: row.name,
    scopes: Scopes.parse(JSON.parse(row.scopes)),
    projects: row.projects === null ? null : Projects.parse(JSON.parse(row.projects)),
    createdAtMs: row.created_ms,
    createdBy: row.created_by,
    expiresAtMs: row.expires_ms,
    revokedAtMs: row.revoked_ms,
    lastUsedAtMs: row.used_ms,
  };
}
