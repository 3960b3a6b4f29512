import { CreameryError } from "../../base/errors.ts";

/** What lies in one column of one row, alike in both databases: whole numbers are exact, however large. */
export type Cell = null | string | bigint | number | Uint8Array;
export type Row = readonly Cell[];

/**
 * A row as a line of an archive, without the newline: JSON, in which bytes are `{"base64": …}`, whole numbers beyond 2^53
 * `{"int": …}` and numbers that are not whole `{"real": …}`. The same row is the same text, whichever database had it.
 */
export function encodeRow(row: Row): string {
  return `[${row.map(encodeCell).join(",")}]`;
}

function encodeCell(cell: Cell): string {
  if (cell === null) return "null";
  if (typeof cell === "string") return JSON.stringify(cell);
  if (typeof cell === "bigint")
    return isSafe(cell) ? cell.toString() : `{"int":${JSON.stringify(cell.toString())}}`;
  if (typeof cell === "number") return `{"real":${JSON.stringify(String(cell))}}`;
  const bytes = Buffer.from(cell.buffer, cell.byteOffset, cell.byteLength);
  return `{"base64":"${bytes.toString("base64")}"}`;
}

function isSafe(value: bigint): boolean {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
}

/** The inverse of `encodeRow`. @throws CreameryError `bad-archive` for what it did not write. */
export function decodeRow(parsed: unknown, columns: number): Row {
  if (!Array.isArray(parsed) || parsed.length !== columns) throw notARow();
  return parsed.map(decodeCell);
}

function decodeCell(value: unknown): Cell {
  if (value === null || typeof value === "string") return value;
  if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value !== "object") throw notARow();
  const [entry, ...more] = Object.entries(value);
  const [kind, text] = entry ?? [];
  if (more.length > 0 || typeof text !== "string") throw notARow();
  if (kind === "base64") return Buffer.from(text, "base64");
  if (kind === "int" && /^-?\d{1,19}$/u.test(text)) return BigInt(text);
  if (kind === "real" && text !== "" && !Number.isNaN(Number(text))) return Number(text);
  throw notARow();
}

function notARow(): CreameryError {
  return new CreameryError("bad-archive", "a row of it is none");
}

/** Of anything that a database gave. @throws TypeError for what no column of the store holds. */
export function asCell(value: unknown): Cell {
  if (value === null || typeof value === "string" || typeof value === "bigint") return value;
  if (typeof value === "number" || value instanceof Uint8Array) return value;
  throw new TypeError(`a ${typeof value} is in a column, which no archive holds`);
}
