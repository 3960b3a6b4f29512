import { CompiledQuery } from "kysely";

import type { Within } from "../database.ts";
import type { SqlKind } from "../migrations/migration.ts";
import type { Tables } from "../schema.ts";

/** Of both databases' parameters the smaller bound is SQLite's 32,766. */
const MOST_PARAMETERS = 30_000;
const MOST_ROWS = 500;

/**
 * Inserts many rows in few statements: what the query builder makes of thousands of values takes longer than the database.
 * @param conflict SQL after the values: `on conflict do nothing`.
 * @param returning a text column; @returns its values, of the rows that were inserted.
 */
export async function bulkInsert<Table extends keyof Tables>(
  within: Within,
  kind: SqlKind,
  table: Table,
  columns: readonly (keyof Tables[Table] & string)[],
  rows: readonly (readonly (string | number | null)[])[],
  { conflict = "", returning }: { conflict?: string; returning?: string } = {},
): Promise<readonly string[]> {
  const most = Math.min(MOST_ROWS, Math.floor(MOST_PARAMETERS / columns.length));
  const returned: string[] = [];
  for (let start = 0; start < rows.length; start += most) {
    const part = rows.slice(start, start + most);
    const text =
      `insert into ${table} (${columns.join(", ")}) values ${valuesOf(kind, part.length, columns.length)} ${conflict}` +
      (returning === undefined ? "" : ` returning ${returning} as value`);
    const answer = await within.executeQuery<{ value: string }>(
      CompiledQuery.raw(text, part.flat()),
    );
    if (returning !== undefined) for (const { value } of answer.rows) returned.push(value);
  }
  return returned;
}

const texts = new Map<string, string>();

function valuesOf(kind: SqlKind, rows: number, columns: number): string {
  const key = `${kind} ${rows} ${columns}`;
  const known = texts.get(key);
  if (known !== undefined) return known;
  let number = 0;
  const row = () =>
    `(${Array.from({ length: columns }, () => (kind === "sqlite" ? "?" : `$${++number}`)).join(",")})`;
  const text = Array.from({ length: rows }, row).join(",");
  // Few lengths come often: whole parts, and what one request has.
  if (texts.size < 200) texts.set(key, text);
  return text;
}
