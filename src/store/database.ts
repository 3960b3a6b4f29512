import type { Kysely, Transaction } from "kysely";

import type { SqlKind } from "./migrations/migration.ts";
import type { Tables } from "./schema.ts";

export type Within = Transaction<Tables>;

/** One of the two databases, its schema up to date. All that is thrown is a CreameryError `store` or `disk-full`. */
export interface Database extends AsyncDisposable {
  readonly kind: SqlKind;
  /** What a person recognises: a path, or a host and a name without credentials. */
  readonly label: string;
  /** One transaction: all of it, on the disk, or nothing. Where others write meanwhile, both come out as if one after the other. */
  write<Answer>(work: (within: Within) => Promise<Answer>): Promise<Answer>;
  read<Answer>(work: (db: Kysely<Tables>) => Promise<Answer>): Promise<Answer>;
}
