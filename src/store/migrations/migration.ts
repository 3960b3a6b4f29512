import type { Kysely } from "kysely";

/** The databases that the store is kept in. */
export type SqlKind = "sqlite" | "postgresql";

/** One step of the schema. Append-only: a step that was released is never changed; the next one mends it. */
export interface Migration {
  /** From 1, without a gap. */
  readonly number: number;
  readonly what: string;
  up(db: Kysely<unknown>, kind: SqlKind): Promise<void>;
}
