import { createHash } from "node:crypto";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createZstdCompress } from "node:zlib";

import { CreameryError } from "../../base/errors.ts";
import {
  ARCHIVE_FORMAT,
  ARCHIVE_VERSION,
  COMPRESSION,
  MOST_LINE_BYTES,
  type ArchiveHeader,
} from "./archive-form.ts";
import { encodeRow } from "./cell.ts";
import { RowSum } from "./row-sum.ts";
import type { TableShape } from "./table-shape.ts";
import { openSnapshot, type Snapshot } from "./transfer-database.ts";

export interface Exported {
  readonly schema: number;
  readonly rows: number;
  readonly tables: number;
  /** Of the archive's lines, but for the last. */
  readonly sha256: string;
}

/**
 * Writes all that a store holds, as it is at one instant, as an archive (archive-form.ts). The same content is the same
 * lines, whichever database has it. The store is only read, and nobody who writes to it waits.
 * @param sink is ended.
 * @throws CreameryError `store`; what the sink throws; `signal`'s reason.
 */
export async function exportStore(
  location: string,
  sink: Writable,
  { signal }: { readonly signal: AbortSignal },
): Promise<Exported> {
  try {
    await using snapshot = await openSnapshot(location);
    const lines = new ArchiveLines();
    const text = Readable.from(lines.of(snapshot), { objectMode: true });
    await pipeline(text, createZstdCompress(COMPRESSION), sink, { signal });
    const { schema, tables } = snapshot;
    return { schema, rows: lines.rows, tables: tables.length, sha256: lines.sha256 };
  } catch (thrown) {
    sink.on("error", () => undefined).destroy();
    signal.throwIfAborted();
    throw thrown;
  }
}

class ArchiveLines {
  rows = 0;
  sha256 = "";
  readonly #hash = createHash("sha256");

  async *of(snapshot: Snapshot): AsyncGenerator<string> {
    const counts = new Map<string, number>();
    for (const { name } of snapshot.tables) counts.set(name, await snapshot.count(name));
    yield this.#hashed(`${JSON.stringify(headerOf(snapshot, counts))}\n`);
    const sums: Record<string, string> = {};
    for (const table of snapshot.tables) {
      yield this.#hashed(`${JSON.stringify({ table: table.name })}\n`);
      const sum = new RowSum();
      for await (const page of snapshot.pages(table)) {
        for (const row of page) {
          const line = encodeRow(row);
          assertLength(line, snapshot, table);
          sum.add(line);
          yield this.#hashed(`${line}\n`);
        }
      }
      this.rows += sum.rows;
      if (sum.rows !== counts.get(table.name))
        throw new CreameryError("store", "has another number of rows than it says", {
          input: `${snapshot.label}, ${table.name}`,
          nextStep: "check it with `./creamery store check`",
        });
      sums[table.name] = sum.sum;
    }
    this.sha256 = this.#hash.digest("hex");
    yield `${JSON.stringify({ end: { rows: this.rows, sums, sha256: this.sha256 } })}\n`;
  }

  #hashed(text: string): string {
    this.#hash.update(text);
    return text;
  }
}

function headerOf(snapshot: Snapshot, counts: ReadonlyMap<string, number>): ArchiveHeader {
  return {
    format: ARCHIVE_FORMAT,
    version: ARCHIVE_VERSION,
    schema: snapshot.schema,
    tables: snapshot.tables.map(({ name, columns, lastNumber }) => ({
      name,
      columns: columns.map((column) => column.name),
      rows: counts.get(name) ?? 0,
      lastNumber: lastNumber?.toString() ?? null,
    })),
  };
}

function assertLength(line: string, { label }: Snapshot, { name }: TableShape): void {
  if (line.length <= MOST_LINE_BYTES / 3) return;
  if (Buffer.byteLength(line) < MOST_LINE_BYTES) return;
  throw new CreameryError("store", "has a row that is too long for an archive", {
    input: `${label}, ${name}`,
    nextStep: "copy the store with `./creamery store backup`",
  });
}
