import { createHash } from "node:crypto";
import type { Readable } from "node:stream";

import type { z } from "zod";

import { CreameryError } from "../../base/errors.ts";
import { MIGRATIONS } from "../migrations/all.ts";
import { newerSchema } from "../newer-schema.ts";
import { withoutNul } from "../sql/without-nul.ts";
import {
  AnyHeader,
  ARCHIVE_VERSION,
  ArchiveHeader,
  TableLine,
  TrailerLine,
  type ArchiveTable,
} from "./archive-form.ts";
import { archiveLines } from "./archive-lines.ts";
import { decodeRow, encodeRow, type Row } from "./cell.ts";
import { RowSum } from "./row-sum.ts";
import type { TableShape } from "./table-shape.ts";
import { openLoading, PageBuilder, type Loading } from "./transfer-database.ts";

export interface ImportOptions {
  readonly signal: AbortSignal;
  /** What a person knows the archive by, for messages. */
  readonly archive: string;
}

export interface Imported {
  /** Of the archive; the store's own is today's. */
  readonly schema: number;
  readonly rows: number;
  readonly tables: number;
  /** Rows in which a NUL was made visible: PostgreSQL's texts have no place for it. */
  readonly altered: number;
}

/**
 * Fills an empty or new store with what an archive holds, all of it in one transaction: seen whole or not at all. Then each
 * table is read back and held against what was in the archive. An archive of an older schema is brought up to today's.
 * @throws CreameryError `bad-archive` for one that is damaged, cut off or of a newer Creamery; `usage` for a store that is not
 *   empty; `store`, `disk-full`; `signal`'s reason.
 */
export async function importStore(
  location: string,
  source: Readable,
  { signal, archive }: ImportOptions,
): Promise<Imported> {
  const reader = new ArchiveReader(archiveLines(source, signal));
  try {
    const header = await reader.header(archive);
    await using loading = await openLoading(location);
    const shapes = await loading.prepare(header.schema);
    const tables = matched(header, shapes, loading.label);
    let altered = 0;
    const kept = new Map<TableShape, RowSum>();
    for (const { table, shape, places } of tables) {
      const sum = new RowSum();
      kept.set(shape, sum);
      const page = new PageBuilder();
      for await (const row of reader.rows(table)) {
        const placed = places.map((place) => row[place] ?? null);
        const stored = loading.kind === "postgresql" ? visible(placed) : placed;
        if (stored !== placed) altered++;
        sum.add(encodeRow(stored));
        const full = page.add(stored);
        if (full !== undefined) await loading.insert(shape, full);
      }
      await loading.insert(shape, page.take());
    }
    const rows = await reader.trailer();
    for (const { table, shape } of tables) {
      signal.throwIfAborted();
      await assertKept(loading, shape, kept.get(shape) ?? new RowSum());
      const last = table.lastNumber;
      if (last !== null && shape.lastNumber !== null)
        await loading.setLastNumber(shape, BigInt(last));
    }
    signal.throwIfAborted();
    await loading.commit();
    return { schema: header.schema, rows, tables: tables.length, altered };
  } catch (thrown) {
    if (!(thrown instanceof CreameryError) || thrown.code !== "bad-archive") throw thrown;
    throw new CreameryError("bad-archive", thrown.message, {
      input: thrown.input ?? archive,
      nextStep: thrown.nextStep ?? "nothing was imported; take another archive",
      cause: thrown,
    });
  } finally {
    await reader.close();
    source.destroy();
  }
}

interface Matched {
  readonly table: ArchiveTable;
  readonly shape: TableShape;
  /** For each column of the store, its place in the archive's rows. */
  readonly places: readonly number[];
}

/** Each table of the archive with the store's own; nothing may be left over on either side. */
function matched(
  { tables, schema }: ArchiveHeader,
  shapes: readonly TableShape[],
  label: string,
): readonly Matched[] {
  const foreign = (input: string, where: string) =>
    new CreameryError("bad-archive", `is not in ${where}`, {
      input,
      nextStep: `nothing was imported; import it with the Creamery that made it (schema ${schema})`,
    });
  const byName = new Map(shapes.map((shape) => [shape.name, shape]));
  const found = tables.map((table): Matched => {
    const shape = byName.get(table.name);
    byName.delete(table.name);
    if (shape === undefined) throw foreign(`table ${table.name}`, label);
    const own = new Set(shape.columns.map(({ name }) => name));
    const extra = table.columns.find((name) => !own.delete(name));
    if (extra !== undefined) throw foreign(`column ${table.name}.${extra}`, label);
    const [missing] = own;
    if (missing !== undefined) throw foreign(`column ${table.name}.${missing}`, "the archive");
    const places = shape.columns.map(({ name }) => table.columns.indexOf(name));
    return { table, shape, places };
  });
  const [missing] = byName.keys();
  if (missing !== undefined) throw foreign(`table ${missing}`, "the archive");
  return found;
}

function visible(row: Row): Row {
  const has = row.some((cell) => typeof cell === "string" && cell.includes("\0"));
  return has ? row.map((cell) => (typeof cell === "string" ? withoutNul(cell) : cell)) : row;
}

/** Reads it back. */
async function assertKept(loading: Loading, shape: TableShape, expected: RowSum): Promise<void> {
  const there = new RowSum();
  for await (const page of loading.pages(shape)) for (const row of page) there.add(encodeRow(row));
  if (there.equals(expected)) return;
  throw new CreameryError("bad-archive", "is not in the store as it is in the archive", {
    input: `table ${shape.name}`,
    nextStep: "nothing was imported; please report it",
  });
}

class ArchiveReader {
  readonly #lines: AsyncGenerator<Buffer>;
  readonly #hash = createHash("sha256");
  readonly #sums = new Map<string, RowSum>();

  constructor(lines: AsyncGenerator<Buffer>) {
    this.#lines = lines;
  }

  async header(archive: string): Promise<ArchiveHeader> {
    const line = parsedOf(await this.#next());
    const any = AnyHeader.safeParse(line);
    if (!any.success) throw new CreameryError("bad-archive", "is no archive of a store");
    if (any.data.version > ARCHIVE_VERSION)
      throw new CreameryError("bad-archive", "was written by a newer Creamery", {
        nextStep: "import it with that version",
      });
    const header = asForm(line, ArchiveHeader);
    if (header.schema > MIGRATIONS.length) {
      const { message } = newerSchema(archive, header.schema);
      throw new CreameryError("bad-archive", message, { nextStep: "import it with that version" });
    }
    return header;
  }

  /** Of the table that comes next. */
  async *rows({ name, columns, rows }: ArchiveTable): AsyncGenerator<Row> {
    if (asForm(parsedOf(await this.#next()), TableLine).table !== name)
      throw new CreameryError("bad-archive", `is damaged: ${name} is not where it should be`);
    const sum = new RowSum();
    this.#sums.set(name, sum);
    for (let row = 0; row < rows; row++) {
      const line = await this.#next();
      sum.add(line.toString());
      yield decodeRow(parsedOf(line), columns.length);
    }
  }

  /** @returns how many rows there were. */
  async trailer(): Promise<number> {
    const sha256 = this.#hash.digest("hex");
    const last = await this.#lines.next();
    if (last.done === true) throw cutOff();
    const { end } = asForm(parsedOf(last.value), TrailerLine);
    const rows = [...this.#sums.values()].reduce((total, sum) => total + sum.rows, 0);
    const isWhole =
      end.sha256 === sha256 &&
      end.rows === rows &&
      [...this.#sums].every(([name, { sum }]) => end.sums[name] === sum);
    if (!isWhole) throw new CreameryError("bad-archive", "is damaged: its checksum is another");
    if ((await this.#lines.next()).done !== true)
      throw new CreameryError("bad-archive", "is damaged: more comes after its end");
    return rows;
  }

  async close(): Promise<void> {
    await this.#lines.return(undefined);
  }

  async #next(): Promise<Buffer> {
    const next = await this.#lines.next();
    if (next.done === true) throw cutOff();
    this.#hash.update(next.value).update("\n");
    return next.value;
  }
}

function cutOff(): CreameryError {
  return new CreameryError("bad-archive", "is cut off");
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function parsedOf(line: Buffer): unknown {
  try {
    const parsed: unknown = JSON.parse(utf8.decode(line));
    return parsed;
  } catch (cause) {
    throw new CreameryError("bad-archive", "is damaged: a line of it is no JSON", { cause });
  }
}

function asForm<Form>(parsed: unknown, form: z.ZodType<Form>): Form {
  const read = form.safeParse(parsed);
  if (read.success) return read.data;
  throw new CreameryError("bad-archive", "is damaged: a line of it is none of an archive's", {
    cause: read.error,
  });
}
