import pg from "pg";

import { CreameryError } from "../../base/errors.ts";
import { inOrderOfReference, quoted, type TableShape } from "./table-shape.ts";

/** What is the keeper's of the schema's number, and no part of what is kept. */
export const VERSION_TABLE = "schema_version";

/** Types of columns that an archive holds, and what each is there. */
const CELL_OF: Readonly<Record<string, "text" | "int" | "real" | "bytes">> = {
  text: "text",
  "character varying": "text",
  smallint: "int",
  integer: "int",
  bigint: "int",
  "double precision": "real",
  real: "real",
  bytea: "bytes",
};

/** @throws CreameryError `store` for a type that no archive holds. */
export function cellKindOf(table: string, { name, type }: TableShape["columns"][number]) {
  const kind = CELL_OF[type];
  if (kind !== undefined) return kind;
  throw new CreameryError("store", `a column of type ${type} can't be exported`, {
    input: `${table}.${name}`,
    nextStep: "please report it",
  });
}

const COLUMNS = `select c.relname as table, a.attname as name, format_type(a.atttypid, null) as type,
    a.attidentity <> '' as numbered, coalesce(array_position(i.indkey::int2[], a.attnum), -1) as place
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_index i on i.indrelid = c.oid and i.indisprimary
  where n.nspname = current_schema() and c.relkind in ('r', 'p') and c.relname <> '${VERSION_TABLE}'
  order by c.relname, a.attnum`;

const REFERENCES = `select c.relname as table, p.relname as parent
  from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_class p on p.oid = k.confrelid
    join pg_namespace n on n.oid = c.relnamespace
  where k.contype = 'f' and n.nspname = current_schema()`;

interface FoundColumn {
  readonly table: string;
  readonly name: string;
  readonly type: string;
  readonly numbered: boolean;
  readonly place: number;
}

/** All tables of the connection's own schema. */
export async function tablesOf(client: pg.ClientBase): Promise<readonly TableShape[]> {
  const columns = await client.query<FoundColumn>(COLUMNS);
  const references = await client.query<{ table: string; parent: string }>(REFERENCES);
  const tables: TableShape[] = [];
  for (const [name, own] of Map.groupBy(columns.rows, ({ table }) => table)) {
    const numbered = own.find((column) => column.numbered);
    tables.push({
      name,
      columns: own.map((column) => ({ name: column.name, type: column.type })),
      key: own
        .filter(({ place }) => place >= 0)
        .toSorted((one, other) => one.place - other.place)
        .map((column) => column.name),
      refersTo: references.rows.filter(({ table }) => table === name).map(({ parent }) => parent),
      lastNumber: numbered === undefined ? null : await lastNumberOf(client, name, numbered.name),
    });
  }
  return inOrderOfReference(tables);
}

async function lastNumberOf(client: pg.ClientBase, table: string, column: string): Promise<bigint> {
  const { rows } = await client.query<{ last: string }>(
    `select case when is_called then last_value else last_value - 1 end::text as last from ${await sequenceOf(client, table, column)}`,
  );
  return BigInt(rows[0]?.last ?? "0");
}

/** The name of what numbers a column, as SQL. */
export async function sequenceOf(
  client: pg.ClientBase,
  table: string,
  column: string,
): Promise<string> {
  const { rows } = await client.query<{ sequence: string }>(
    "select pg_get_serial_sequence($1, $2) as sequence",
    [quoted(table), column],
  );
  return rows[0]?.sequence ?? "";
}
