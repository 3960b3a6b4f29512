import type { FileHandle } from "node:fs/promises";

import type { OpenedBlob } from "../../bucket/bucket.ts";
import { within } from "../../base/within.ts";
import { CUT_MARK, LogIndexer, type LogSection } from "./index-log.ts";

/** Read at once, of what lies on disk. */
const READ_BYTES = 256 * 1024;
const NEWLINE = 0x0a;

export interface LogLine {
  /** From 1. */
  readonly number: number;
  /** As the package wrote it: not yet fit to be shown. */
  readonly text: string;
  /** How many bytes of it were left out at its end. */
  readonly cutBytes: number;
}

/** Where a log lies unpacked: in memory, in a file that has no name any more, or nowhere (it is unpacked again each time). */
export type Keeping =
  | { readonly kind: "memory"; readonly bytes: Buffer }
  | { readonly kind: "file"; readonly file: FileHandle }
  | { readonly kind: "nowhere" };

/** The log of one attempt, of which any lines can be read; those that were met can be while the rest still is. */
export class KeptLog {
  readonly blob: OpenedBlob;
  #keeping: Keeping;
  readonly #indexer = new LogIndexer();
  readonly #whole = Promise.withResolvers<void>();
  #lines = 0;
  /** Of what is kept. */
  #written = 0;
  #isWhole = false;

  constructor(blob: OpenedBlob, keeping: Keeping) {
    this.blob = blob;
    this.#keeping = keeping;
    // Whoever waits hears of it.
    this.#whole.promise.catch(() => undefined);
  }

  /** How many lines can be read. */
  get lines(): number {
    return this.#lines;
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  get sections(): readonly LogSection[] {
    return this.#indexer.sections(this.#lines);
  }

  /** Bytes of memory or of disk that it takes. */
  get size(): { readonly kind: Keeping["kind"]; readonly bytes: number } {
    const { kind } = this.#keeping;
    return { kind, bytes: kind === "nowhere" ? 0 : this.blob.sizeBytes };
  }

  /**
   * Waits until it is read whole, at most so long. @returns whether it is.
   * @throws CreameryError `bucket` where it is damaged or can't be read; the signal's reason.
   */
  async whole(waitMs: number, signal: AbortSignal): Promise<boolean> {
    if (this.#isWhole) return true;
    const late = new Error("late");
    try {
      await within(this.#whole.promise, { signal, deadline: { ms: waitMs, error: () => late } });
      return true;
    } catch (thrown) {
      if (thrown === late) return false;
      throw thrown;
    }
  }

  /** Unpacks it: once, for all who ask. It does not throw: who waits does. */
  async read(signal: AbortSignal): Promise<void> {
    try {
      let waiting: Buffer[] = [];
      let bytes = 0;
      // The first lines can be shown at once; later ones are written many at a time.
      let enough = 1;
      const flush = async (): Promise<void> => {
        await this.#write(waiting);
        waiting = [];
        bytes = 0;
        enough = READ_BYTES;
        this.#lines = this.#indexer.lines;
      };
      for await (const chunk of chunksOf(this.blob, signal)) {
        for (const part of this.#indexer.add(chunk)) {
          waiting.push(part);
          bytes += part.length;
        }
        if (bytes >= enough) await flush();
      }
      waiting.push(...this.#indexer.end());
      await flush();
      this.#isWhole = true;
      this.#whole.resolve();
    } catch (thrown) {
      this.#whole.reject(thrown);
    }
  }

  /**
   * Some of its lines; fewer where it has no more, or was not read so far.
   * @param from from 1.
   * @throws CreameryError `bucket`, the signal's reason.
   */
  async slice(from: number, count: number, signal: AbortSignal): Promise<LogLine[]> {
    const end = Math.min(from + count, this.#lines + 1);
    if (end <= from) return [];
    const mark = this.#indexer.markBefore(from);
    const lines: LogLine[] = [];
    let number = mark.line;
    let rest: Buffer = Buffer.alloc(0);
    for await (const chunk of this.#kept(mark.offset, signal)) {
      let at = 0;
      const joined = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      for (;;) {
        const newline = joined.indexOf(NEWLINE, at);
        if (newline < 0) break;
        if (number >= from) lines.push(lineOf(number, joined.subarray(at, newline)));
        at = newline + 1;
        if (++number >= end) return lines;
      }
      rest = joined.subarray(at);
    }
    return lines;
  }

  /**
   * The first line after another that has a text in it.
   * @param after 0 for the whole log. @returns null where there is none, as far as it was read.
   */
  async find(text: string, after: number, signal: AbortSignal): Promise<number | null> {
    const wanted = Buffer.from(text);
    const mark = this.#indexer.markBefore(after + 1);
    const lines = new LineCounter(mark.line);
    let rest: Buffer = Buffer.alloc(0);
    for await (const chunk of this.#kept(mark.offset, signal)) {
      const joined = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let counted = 0;
      for (let at = joined.indexOf(wanted); at >= 0; at = joined.indexOf(wanted, at + 1)) {
        lines.pass(joined.subarray(counted, at));
        counted = at;
        if (lines.number > this.#lines) return null;
        if (lines.number > after) return lines.number;
      }
      const end = Math.max(counted, joined.length - wanted.length + 1);
      lines.pass(joined.subarray(counted, end));
      rest = joined.subarray(end);
    }
    return null;
  }

  /** Takes neither memory nor disk any more; who still reads of it reads on, from the bucket. */
  async drop(): Promise<void> {
    const keeping = this.#keeping;
    this.#keeping = { kind: "nowhere" };
    // Waits for what is being read. Nothing of it is wanted any more: that it could not be closed is no fault of anybody's.
    if (keeping.kind === "file") await keeping.file.close().catch(() => undefined);
  }

  async #write(parts: readonly Buffer[]): Promise<void> {
    const keeping = this.#keeping;
    let at = this.#written;
    for (const part of parts) this.#written += part.length;
    switch (keeping.kind) {
      case "memory":
        for (const part of parts) at += part.copy(keeping.bytes, at);
        break;
      case "file":
        try {
          await keeping.file.appendFile(Buffer.concat(parts));
        } catch {
          // A full disk, or one that fails: it is read from the bucket then.
          await this.drop();
        }
        break;
      case "nowhere":
    }
  }

  /** What is kept from an offset on, wherever it lies, also where that changes meanwhile. */
  async *#kept(offset: number, signal: AbortSignal): AsyncGenerator<Buffer, void> {
    let at = offset;
    while (this.#keeping.kind !== "nowhere") {
      signal.throwIfAborted();
      const keeping = this.#keeping;
      if (keeping.kind === "memory") {
        yield keeping.bytes.subarray(at, this.#written);
        return;
      }
      const read = await keeping.file.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES, at);
      if (read.bytesRead === 0) return;
      at += read.bytesRead;
      yield read.buffer.subarray(0, read.bytesRead);
    }
    const indexer = new LogIndexer();
    let met = 0;
    const rest = (part: Buffer): Buffer => {
      const skipped = Math.min(part.length, Math.max(0, at - met));
      met += part.length;
      return part.subarray(skipped);
    };
    for await (const chunk of chunksOf(this.blob, signal)) yield* indexer.add(chunk).map(rest);
    yield* indexer.end().map(rest);
  }
}

/** In which line of a text one is. */
class LineCounter {
  number: number;

  constructor(number: number) {
    this.number = number;
  }

  pass(bytes: Buffer): void {
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1))
      this.number++;
  }
}

async function* chunksOf(blob: OpenedBlob, signal: AbortSignal): AsyncGenerator<Buffer, void> {
  for await (const chunk of blob.content(signal)) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError("a bucket gives bytes");
    yield chunk;
  }
}

function lineOf(number: number, kept: Buffer): LogLine {
  const mark = kept.lastIndexOf(CUT_MARK);
  if (mark < 0) return { number, text: kept.toString("utf8"), cutBytes: 0 };
  const cutBytes = Number(kept.toString("latin1", mark + 1));
  return { number, text: kept.toString("utf8", 0, mark), cutBytes };
}
