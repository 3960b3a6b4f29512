import { DatabaseSync } from "node:sqlite";

import fc from "fast-check";

import { MIGRATIONS } from "../migrations/all.ts";
import { migrate } from "../sqlite/migrate.ts";

/** What texts, bytes and numbers of a store may be, to be spread over all its columns. */
export interface AnyContent {
  readonly rows: number;
  readonly texts: readonly string[];
  readonly bytes: readonly Uint8Array[];
  readonly bigs: readonly number[];
}

const HOSTILE = [
  "",
  "'; drop table result; --",
  '"\\\\x41\\u0000',
  "\u0001\u007f\u0085\u2028\u2029\u{10ffff}",
  "null",
  '{"base64":"AA=="}',
  "\r\n\t",
  "e\u0301 ≠ \u00e9, 🐍",
  "\\N",
  "NaN",
];

/** Without NUL, which PostgreSQL's texts have no place for. */
export const anyContent: fc.Arbitrary<AnyContent> = fc.record({
  rows: fc.integer({ min: 1, max: 6 }),
  texts: fc.array(
    fc.oneof(
      fc.constantFrom(...HOSTILE),
      fc.string({ unit: "binary", maxLength: 60 }).map((text) => text.replaceAll("\0", "")),
      fc.integer({ min: 1000, max: 200_000 }).map((length) => "long ".repeat(length / 5)),
    ),
    { minLength: 1, maxLength: 12 },
  ),
  bytes: fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 1000, max: 300_000 }).map((length) => new Uint8Array(length).fill(length)),
    ),
    { minLength: 1, maxLength: 5 },
  ),
  bigs: fc.array(
    fc.oneof(
      fc.constantFrom(0, -1, 2 ** 31, 2 ** 53 - 1, -(2 ** 53) + 1),
      fc.integer({ min: -(2 ** 53) + 1, max: 2 ** 53 - 1 }),
    ),
    { minLength: 1, maxLength: 5 },
  ),
});

/** Makes a store of a schema in a new file and puts rows into every table that it has, whatever it is called. */
export async function fillAll(
  path: string,
  schema: number,
  { rows, texts, bytes, bigs }: AnyContent,
): Promise<void> {
  using database = new DatabaseSync(path);
  await migrate(database, MIGRATIONS.slice(0, schema));
  database.exec("begin; pragma defer_foreign_keys = on");
  const master = database.prepare("select type, name, sql from sqlite_master").all();
  const triggers = master.filter(({ type }) => type === "trigger");
  for (const { name } of triggers) database.exec(`drop trigger ${String(name)}`);
  let next = 0;
  const of = <Value>(values: readonly Value[]): Value | undefined => values[next++ % values.length];
  for (const { type, name } of master) {
    if (type !== "table" || String(name).startsWith("sqlite_")) continue;
    const columns = database
      .prepare('select name, type, "notnull" as needed, pk from pragma_table_info(?)')
      .all(String(name));
    const parents = new Map(
      database
        .prepare('select "from", "table" from pragma_foreign_key_list(?)')
        .all(String(name))
        .map((row) => [row["from"], row["table"]]),
    );
    const indexed = new Set(
      database
        .prepare(
          "select c.name from pragma_index_list(?) i join pragma_index_info(i.name) c on true",
        )
        .all(String(name))
        .map((row) => row["name"]),
    );
    for (let row = 1; row <= rows; row++) {
      const values = columns.map((column) => {
        const { name: own, type: kind, needed, pk } = column;
        // The first of each table refers to the first of another.
        const isText = String(kind).toLowerCase() === "text";
        if (parents.has(own) || own === "id") return isText ? `id-${row}` : row;
        if (Number(needed) === 0 && (row + next) % 3 === 0) return (next++, null);
        // Unique, wherever it has to be.
        // PostgreSQL has no place for a long one in an index.
        if (isText)
          return `${(of(texts) ?? "").slice(0, indexed.has(own) ? 60 : undefined)}#${row}.${next}`;
        if (String(kind).toLowerCase() === "blob") return of(bytes) ?? new Uint8Array();
        if (Number(pk) > 0 || String(kind).toLowerCase() !== "bigint") return row;
        return of(bigs) ?? 0;
      });
      database
        .prepare(`insert into "${String(name)}" values (${columns.map(() => "?").join(",")})`)
        .run(...values);
    }
  }
  for (const { sql } of triggers) database.exec(String(sql));
  database.exec("commit");
}
