import { CreameryError } from "../../base/errors.ts";
import type { SqlKind } from "../migrations/migration.ts";
import { isPostgresqlUrl } from "../postgresql-url.ts";
import type { Cell, Row } from "./cell.ts";
import type { TableShape } from "./table-shape.ts";

export interface Pages {
  /** All rows of a table in the order of its key, a bounded part of them at a time. */
  pages(table: TableShape): AsyncIterable<readonly Row[]>;
}

/** A store at one instant, whoever writes to it meanwhile. Nothing is changed in it: an older schema stays what it is. */
export interface Snapshot extends Pages, AsyncDisposable {
  readonly kind: SqlKind;
  /** Without credentials. */
  readonly label: string;
  /** The number of its last migration. */
  readonly schema: number;
  /** All of them, what rows refer to first. */
  readonly tables: readonly TableShape[];
  /** How many rows a table has. */
  count(table: string): Promise<number>;
}

/** A store that is being filled, in one transaction that nobody else can look into; ended without `commit`, nothing of it was. */
export interface Loading extends Pages, AsyncDisposable {
  readonly kind: SqlKind;
  readonly label: string;
  /**
   * Makes an empty store's tables those of a schema.
   * @throws CreameryError `usage` for a store that is not empty, `store`.
   */
  prepare(schema: number): Promise<readonly TableShape[]>;
  insert(table: TableShape, rows: readonly Row[]): Promise<void>;
  /** Numbers its next row after this one. */
  setLastNumber(table: TableShape, last: bigint): Promise<void>;
  /** Brings the schema up to today's, and ends the transaction. */
  commit(): Promise<void>;
}

/**
 * @param location a path of SQLite's file, or `postgres://user:password@host/name`.
 * @throws CreameryError `store` where none is there, or a newer Creamery wrote it.
 */
export async function openSnapshot(location: string): Promise<Snapshot> {
  if (isPostgresqlUrl(location)) {
    const { openPostgresqlSnapshot } = await import("./postgresql-transfer.ts");
    return openPostgresqlSnapshot(location);
  }
  const { openSqliteSnapshot } = await import("./sqlite-transfer.ts");
  return openSqliteSnapshot(location);
}

/** @throws CreameryError `store`, `disk-full`. */
export async function openLoading(location: string): Promise<Loading> {
  if (isPostgresqlUrl(location)) {
    const { openPostgresqlLoading } = await import("./postgresql-transfer.ts");
    return openPostgresqlLoading(location);
  }
  const { openSqliteLoading } = await import("./sqlite-transfer.ts");
  return openSqliteLoading(location);
}

const PAGE_BYTES = 4 * 1024 * 1024;
const MOST_ROWS = 500;

/** Rows by the page: as many as are read or written at once. */
export class PageBuilder {
  #rows: Row[] = [];
  #bytes = 0;

  /** @returns a page that is full by now. */
  add(row: Row): readonly Row[] | undefined {
    this.#rows.push(row);
    this.#bytes += sizeOf(row);
    return this.#rows.length >= MOST_ROWS || this.#bytes >= PAGE_BYTES ? this.take() : undefined;
  }

  /** What is left. */
  take(): readonly Row[] {
    const rows = this.#rows;
    this.#rows = [];
    this.#bytes = 0;
    return rows;
  }
}

export function sizeOf(row: Row): number {
  return row.reduce((sum: number, cell: Cell) => sum + cellBytes(cell), 0);
}

function cellBytes(cell: Cell): number {
  return typeof cell === "string" || cell instanceof Uint8Array ? cell.length : 8;
}

/** So many rows of this size are one page. */
export function rowsOfPage(rows: number, bytes: number): number {
  const wanted = Math.floor((rows * PAGE_BYTES) / Math.max(1, bytes));
  return Math.max(1, Math.min(MOST_ROWS, wanted));
}

/** For a store that is to be filled and has something in it. */
export function notEmpty(label: string, table: string): CreameryError {
  return new CreameryError("usage", `is not empty: there are rows in ${table}`, {
    input: label,
    nextStep: "import into a new store, and set creamery.toml to it afterwards",
  });
}

/** For a database that is to be filled and holds what is not the farm's. */
export function notOurs(label: string, table: string): CreameryError {
  return new CreameryError("usage", `has a table that is not the farm's: ${table}`, {
    input: label,
    nextStep: "import into a database of the farm's own",
  });
}

/** For a place where there is no store. */
export function noStore(label: string): CreameryError {
  return new CreameryError("store", "there is no store", {
    input: label,
    nextStep: "name one that is there with --store",
  });
}
