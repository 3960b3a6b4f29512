import type { Selectable } from "kysely";
import { z } from "zod";

import type { Audit, AuditPage, AuditRecord } from "../../model/audit.ts";
import { ACTIONS } from "../../model/authorise.ts";
import { PRINCIPAL_KINDS } from "../../model/principals.ts";
import type { Database } from "../database.ts";
import type { Tables } from "../schema.ts";
import { withoutNul } from "./without-nul.ts";

/** The record of what operators did, in either database. */
export class SqlAudit implements Audit {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async append(record: AuditRecord): Promise<void> {
    const { id, atMs, by, action, subject, outcome, detail, address } = record;
    await this.#database.write((within) =>
      within
        .insertInto("audit")
        .values({
          id,
          at_ms: atMs,
          by_kind: by.kind,
          by_id: by.id,
          by_name: withoutNul(by.name),
          action,
          subject: withoutNul(subject),
          outcome,
          detail: withoutNul(detail),
          address: withoutNul(address),
        })
        .onConflict((on) => on.column("id").doNothing())
        .execute(),
    );
  }

  async list({ limit, before }: { limit: number; before?: string }): Promise<AuditPage> {
    const rows = await this.#database.read((db) => {
      const select = db
        .selectFrom("audit")
        .selectAll()
        .orderBy("id", "desc")
        .limit(limit + 1);
      return (before === undefined ? select : select.where("id", "<", before)).execute();
    });
    const records = rows.slice(0, limit).map(recordOf);
    return { records, before: rows.length > limit ? (records.at(-1)?.id ?? null) : null };
  }
}

const Who = z.enum([...PRINCIPAL_KINDS, "anonymous", "farm"]);
const AnAction = z.enum(ACTIONS);
const AnEnd = z.enum(["done", "refused", "failed"]);

function recordOf(row: Selectable<Tables["audit"]>): AuditRecord {
  return {
    id: row.id,
    atMs: row.at_ms,
    by: {
      kind: Who.parse(row.by_kind),
      id: row.by_id,
      name: row.by_name,
    },
    action: AnAction.parse(row.action),
    subject: row.subject,
    outcome: AnEnd.parse(row.outcome),
    detail: row.detail,
    address: row.address,
  };
}
