import { createHash } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";

import { CreameryError } from "../../base/errors.ts";

/**
 * What a packed tree (a tar in POSIX.1-2001's pax form, hard links followed, as `pack-tree` makes it) holds, told by one hash. Read, never
 * unpacked.
 */

const BLOCK = 512;
const PART_BYTES = 1 << 20;
/** Long names and links: PATH_MAX each, and room for what else is said. */
const MAX_PAX_BYTES = 64 << 10;
/** As many as a guest unpacks (guest/scan.py). */
const MAX_ENTRIES = 100_000;

/** Of a whole file, hexadecimal. */
export async function hashFile(path: string, signal: AbortSignal): Promise<string> {
  await using file = await open(path);
  const { size } = await file.stat();
  return await hashRange(file, 0, size, signal);
}

/**
 * Names, kinds, executable bits, contents and links, hashed: the same for the same content, whoever owns it and whenever
 * it was written. The tar keeps the times, since a build tells by them what it must make anew.
 * @param path a tar of which entries start with `./`.
 * @returns a sha256, hexadecimal.
 * @throws CreameryError `too-large` (more files than a guest takes), `internal` (no such tar).
 */
export async function hashPackedTree(path: string, signal: AbortSignal): Promise<string> {
  await using file = await open(path);
  const lines: string[] = [];
  for await (const line of readEntries(file, signal)) {
    lines.push(JSON.stringify(line));
    if (lines.length > MAX_ENTRIES)
      throw new CreameryError("too-large", `holds more than ${MAX_ENTRIES} files`);
  }
  return createHash("sha256").update(lines.toSorted().join("\n")).digest("hex");
}

/** As git tells them apart: of a file's permissions, whether it can be run is all that matters. */
type Entry = readonly [name: string, kind: "file" | "program" | "link" | "directory", what: string];

async function* readEntries(file: FileHandle, signal: AbortSignal): AsyncGenerator<Entry> {
  // What a pax header says of the entry after it.
  let pax: ReadonlyMap<string, string> = new Map();
  for (let at = 0; ;) {
    const header = await readExactly(file, at, BLOCK);
    if (header.every((byte) => byte === 0)) return;
    const type = String.fromCharCode(header[156] ?? 0);
    const sizeBytes = octal(header, 124, 12);
    const start = at + BLOCK;
    at = start + Math.ceil(sizeBytes / BLOCK) * BLOCK;
    if (type === "x") {
      if (sizeBytes > MAX_PAX_BYTES) throw noTar();
      pax = paxRecords(await readExactly(file, start, sizeBytes));
      continue;
    }
    const prefix = text(header, 345, 155);
    const name = (
      pax.get("path") ?? `${prefix === "" ? "" : `${prefix}/`}${text(header, 0, 100)}`
    ).replace(/^\.\/|\/$/gu, "");
    const link = pax.get("linkpath") ?? text(header, 157, 100);
    pax = new Map();
    switch (type) {
      case "0":
        yield [
          name,
          (octal(header, 100, 8) & 0o100) === 0 ? "file" : "program",
          await hashRange(file, start, sizeBytes, signal),
        ];
        break;
      case "2":
        yield [name, "link", link];
        break;
      case "5":
        if (name !== "." && name !== "") yield [name, "directory", ""];
        break;
      // Devices and pipes: a guest does not unpack them either.
      case "3":
      case "4":
      case "6":
        break;
      default:
        throw noTar();
    }
  }
}

/** Bytes are kept as they are (latin1): names need not be UTF-8. */
function text(header: Buffer, start: number, length: number): string {
  const field = header.toString("latin1", start, start + length);
  const end = field.indexOf("\u0000");
  return end < 0 ? field : field.slice(0, end);
}

function octal(header: Buffer, start: number, length: number): number {
  const digits = text(header, start, length).trim();
  if (!/^[0-7]{1,12}$/u.test(digits)) throw noTar();
  return Number.parseInt(digits, 8);
}

/** `LENGTH key=value\n` each, the length in bytes and of the whole record. */
function paxRecords(content: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let rest = content.toString("latin1"); rest !== "";) {
    const length = Number(/^\d{1,6}(?= )/u.exec(rest)?.[0] ?? 0);
    const record = /^\d+ ([^=]+)=([\s\S]*)\n$/u.exec(rest.slice(0, length));
    if (record === null) throw noTar();
    records.set(record[1] ?? "", record[2] ?? "");
    rest = rest.slice(length);
  }
  return records;
}

async function readExactly(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, at);
  if (bytesRead !== length) throw noTar();
  return buffer;
}

async function hashRange(
  file: FileHandle,
  start: number,
  length: number,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(Math.min(PART_BYTES, length));
  for (let done = 0; done < length;) {
    signal.throwIfAborted();
    const wanted = Math.min(buffer.length, length - done);
    const { bytesRead } = await file.read(buffer, 0, wanted, start + done);
    if (bytesRead === 0) throw noTar();
    hash.update(buffer.subarray(0, bytesRead));
    done += bytesRead;
  }
  return hash.digest("hex");
}

function noTar(): CreameryError {
  return new CreameryError("internal", "the packed tree is cut off, or is no tar that we know");
}
