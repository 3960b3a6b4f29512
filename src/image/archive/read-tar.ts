import { CreameryError } from "../../base/errors.ts";

/**
 * Entries of a tar archive (POSIX.1-2001 pax, as `tar --format=pax` writes it), read as strictly as it can be: whatever an
 * image does not need ends the reading, before anything is made of it.
 */

const BLOCK = 512;
const MAX_PAX_BYTES = 64 * 1024;
const MAX_PATH_BYTES = 4095;
const MAX_NAME_BYTES = 255;
const MAX_ID = 0o7777777;
/** What follows the end: tar fills its last record. */
const MAX_PADDING_BYTES = 64 * 1024;

export type TarEntry = TarHead &
  (
    | { readonly kind: "file"; readonly sizeBytes: number; readonly content: AsyncIterable<Buffer> }
    | { readonly kind: "directory" }
    /** To another entry's file. */
    | { readonly kind: "hard-link"; readonly target: string }
    | { readonly kind: "link"; readonly target: string }
  );

interface TarHead {
  /** Relative, without `.`, `..` or an empty part. */
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds. */
  readonly mtime: number;
}

/** What a pax header may say instead of the entry's own header. */
interface Said {
  path?: string;
  linkpath?: string;
  size?: number;
  mtime?: number;
  uid?: number;
  gid?: number;
}

export function refuse(reason: string, input = ""): CreameryError {
  return new CreameryError("bad-archive", `is refused: ${reason}`, {
    ...(input === "" ? {} : { input: input.slice(0, 300) }),
    nextStep: "fetch it again; if it stays so, look at who made it",
  });
}

/**
 * @param maxBytes that the whole archive may be, unpacked: every entry takes at least 512 of them.
 * @throws CreameryError `bad-archive`.
 */
export async function* readTar(
  source: AsyncIterable<Buffer>,
  maxBytes: number,
): AsyncGenerator<TarEntry> {
  const bytes = new Bytes(source, maxBytes);
  let said: Said | null = null;
  while (true) {
    const header = await bytes.take(BLOCK);
    if (header.every((byte) => byte === 0)) break;
    const type = header.toString("latin1", 156, 157);
    checkHeader(header);
    if (type === "x") {
      if (said !== null) throw refuse("two extended headers of one entry");
      const size = octal(header, 124, 12);
      if (size > MAX_PAX_BYTES) throw refuse("an extended header without end");
      said = parsePax(await bytes.take(size));
      await bytes.pad(size);
      continue;
    }
    const sizeBytes = said?.size ?? octal(header, 124, 12);
    const path = pathOf(said?.path ?? nameOf(header), type === "5");
    const head: TarHead = {
      path,
      mode: octal(header, 100, 8) & 0o7777,
      uid: said?.uid ?? octal(header, 108, 8),
      gid: said?.gid ?? octal(header, 116, 8),
      mtime: said?.mtime ?? octal(header, 136, 12),
    };
    if (head.uid > MAX_ID || head.gid > MAX_ID) throw refuse("an owner that is no number", path);
    const target = said?.linkpath ?? text(header, 157, 100);
    said = null;
    if (type !== "0" && sizeBytes !== 0) throw refuse("content of what has none", path);
    switch (type) {
      case "0": {
        const content = bytes.read(sizeBytes);
        yield { ...head, kind: "file", sizeBytes, content };
        for await (const _ of content) throw refuse("content that nobody has read", path);
        await bytes.pad(sizeBytes);
        break;
      }
      case "5":
        yield { ...head, kind: "directory" };
        break;
      case "1":
        yield { ...head, kind: "hard-link", target: pathOf(target, false) };
        break;
      case "2":
        if (target === "" || Buffer.byteLength(target) > MAX_PATH_BYTES)
          throw refuse("a link to nowhere", path);
        yield { ...head, kind: "link", target };
        break;
      default:
        throw refuse(
          `an entry that is ${NAMES[type] ?? `of a type ${JSON.stringify(type)}`}`,
          path,
        );
    }
  }
  if (said !== null) throw refuse("an extended header of no entry");
  await bytes.end();
}

const NAMES: Readonly<Record<string, string>> = {
  "3": "a device",
  "4": "a device",
  "6": "a pipe",
  "7": "a reserved kind of file",
  S: "sparse",
  L: "of GNU's own form",
  K: "of GNU's own form",
  g: "a header for all that follow",
};

function checkHeader(header: Buffer): void {
  if (header.toString("latin1", 257, 265) !== "ustar\u000000") throw refuse("it is no pax archive");
  const told = octal(header, 148, 8);
  let sum = 0;
  for (const [index, byte] of header.entries()) sum += index >= 148 && index < 156 ? 32 : byte;
  if (told !== sum) throw refuse("a header whose sum is wrong");
}

function nameOf(header: Buffer): string {
  const prefix = text(header, 345, 155);
  const name = text(header, 0, 100);
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** @throws where a path is none, or would lead out of where it is unpacked. */
function pathOf(told: string, isDirectory: boolean): string {
  const path = isDirectory && told.endsWith("/") ? told.slice(0, -1) : told;
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw refuse("a path without end", path);
  for (const part of path.split("/")) {
    if (part === "" || part === "." || part === "..")
      throw refuse("a path that leads elsewhere", told);
    if (part.includes("\0") || Buffer.byteLength(part) > MAX_NAME_BYTES)
      throw refuse("a name that is none", told);
  }
  return path;
}

function text(header: Buffer, at: number, length: number): string {
  const field = header.subarray(at, at + length);
  const end = field.indexOf(0);
  return utf8(end < 0 ? field : field.subarray(0, end));
}

function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refuse("a name that is no UTF-8");
  }
}

function octal(header: Buffer, at: number, length: number): number {
  const field = header.toString("latin1", at, at + length);
  const digits = /^ *([0-7]{1,11})[ \0]*$/u.exec(field)?.[1];
  if (digits === undefined) throw refuse("a number that is none");
  return Number.parseInt(digits, 8);
}

/** Records of `LENGTH KEY=VALUE\n`, where LENGTH counts itself. */
function parsePax(bytes: Buffer): Said {
  const said: Said = {};
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(
      /^[1-9]\d{0,5}$/u.exec(bytes.toString("latin1", at, Math.max(at, space))),
    );
    const end = at + length;
    if (space < 0 || length < space - at + 3 || end > bytes.length || bytes[end - 1] !== 0x0a)
      throw refuse("an extended header that is none");
    const record = bytes.subarray(space + 1, end - 1);
    const equals = record.indexOf(0x3d);
    if (equals < 1) throw refuse("an extended header that is none");
    say(said, record.toString("latin1", 0, equals), utf8(record.subarray(equals + 1)));
    at = end;
  }
  return said;
}

function say(said: Said, key: string, value: string): void {
  switch (key) {
    case "path":
    case "linkpath":
      if (value === "" || value.includes("\0")) throw refuse("a name that is none");
      said[key] = value;
      return;
    case "size":
    case "uid":
    case "gid":
      if (!/^\d{1,15}$/u.test(value)) throw refuse("a number that is none");
      said[key] = Number(value);
      return;
    case "mtime":
      if (!/^\d{1,12}(?:\.\d{1,20})?$/u.test(value)) throw refuse("a time that is none");
      said.mtime = Number(value);
      return;
    default:
      throw refuse(`an extended header ${JSON.stringify(key.slice(0, 60))}, which no image needs`);
  }
}

/** A stream in pieces as they are asked for. */
class Bytes {
  readonly #source: AsyncIterator<Buffer>;
  readonly #maxBytes: number;
  #rest: Buffer = Buffer.alloc(0);
  #seen = 0;

  constructor(source: AsyncIterable<Buffer>, maxBytes: number) {
    this.#source = source[Symbol.asyncIterator]();
    this.#maxBytes = maxBytes;
  }

  /** At most so many of what is next; empty at the end. */
  async #some(atMost: number): Promise<Buffer> {
    while (this.#rest.length === 0) {
      const next = await this.#source.next();
      if (next.done === true) return Buffer.alloc(0);
      this.#rest = next.value;
      this.#seen += this.#rest.length;
      if (this.#seen > this.#maxBytes) throw refuse(`it is larger than ${this.#maxBytes} bytes`);
    }
    const taken = this.#rest.subarray(0, atMost);
    this.#rest = this.#rest.subarray(taken.length);
    return taken;
  }

  async take(count: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for await (const piece of this.read(count)) pieces.push(piece);
    return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
  }

  async *read(count: number): AsyncGenerator<Buffer> {
    for (let left = count; left > 0;) {
      const piece = await this.#some(left);
      if (piece.length === 0) throw refuse("it is cut short");
      left -= piece.length;
      yield piece;
    }
  }

  /** After content of so many bytes. */
  async pad(count: number): Promise<void> {
    const filler = await this.take((BLOCK - (count % BLOCK)) % BLOCK);
    if (filler.some((byte) => byte !== 0)) throw refuse("something between two entries");
  }

  /** After the first empty block. */
  async end(): Promise<void> {
    let seen = 0;
    for (let piece = await this.#some(BLOCK); piece.length > 0; piece = await this.#some(BLOCK)) {
      seen += piece.length;
      if (seen > MAX_PADDING_BYTES || piece.some((byte) => byte !== 0))
        throw refuse("something after its end");
    }
    if (seen < BLOCK) throw refuse("it is cut short");
  }
}
