import { sql, type Kysely } from "kysely";

import type { Deliveries, DeliveryKey, DeliveryStanding } from "../../model/deliveries.ts";
import type { Database } from "../database.ts";
import type { Tables } from "../schema.ts";
import { indexedText } from "./indexed-text.ts";

/** Any number that is the farm's own, with a scope's hash: one delivery of a scope is kept at a time. */
const DELIVERY_LOCK = 7_273_002;

/** Deliveries of webhooks, in either database. */
export class SqlDeliveries implements Deliveries {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  look(key: DeliveryKey): Promise<DeliveryStanding> {
    return this.#database.read((db) => standingOf(db, key));
  }

  keep(key: DeliveryKey, nowMs: number): Promise<DeliveryStanding> {
    return this.#database.write(async (within) => {
      if (this.#database.kind === "postgresql")
        await sql`select pg_advisory_xact_lock(${DELIVERY_LOCK}, hashtext(${key.scope}))`.execute(
          within,
        );
      const standing = await standingOf(within, key);
      if (standing === "new")
        await within
          .insertInto("delivery")
          .values({
            scope: indexedText(key.scope),
            delivery: key.id === null ? null : indexedText(key.id),
            body_sha256: key.bodySha256,
            kept_ms: nowMs,
          })
          .execute();
      return standing;
    });
  }

  forget(beforeMs: number): Promise<number> {
    return this.#database.write(async (within) => {
      const gone = await within
        .deleteFrom("delivery")
        .where("kept_ms", "<", beforeMs)
        .executeTakeFirst();
      return Number(gone.numDeletedRows);
    });
  }
}

async function standingOf(
  db: Kysely<Tables>,
  { scope, id, bodySha256, byBody }: DeliveryKey,
): Promise<DeliveryStanding> {
  const inScope = db.selectFrom("delivery").where("scope", "=", indexedText(scope));
  if (id !== null) {
    const named = await inScope
      .select("body_sha256")
      .where("delivery", "=", indexedText(id))
      .executeTakeFirst();
    if (named !== undefined) return named.body_sha256 === bodySha256 ? "seen" : "other-body";
  }
  if (!byBody) return "new";
  const same = await inScope.select("id").where("body_sha256", "=", bodySha256).executeTakeFirst();
  return same === undefined ? "new" : "seen";
}
