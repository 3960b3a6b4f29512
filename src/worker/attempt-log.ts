import { createWriteStream, type WriteStream } from "node:fs";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { finished } from "node:stream/promises";
import { StringDecoder } from "node:string_decoder";

import { diskFullFault } from "../base/errors.ts";

/** How much of a step's output is kept in memory for classification: its beginning and its end. */
const HEAD_CHARS = 64 * 1024;
const TAIL_CHARS = 192 * 1024;

/** The beginning and the end of a text that may be long. */
export class TextEnds {
  #head = "";
  #tail = "";
  #dropped = 0;

  add(text: string): void {
    const room = HEAD_CHARS - this.#head.length;
    if (room > 0) this.#head += text.slice(0, room);
    const rest = room > 0 ? text.slice(room) : text;
    if (rest === "") return;
    this.#tail += rest;
    if (this.#tail.length > 2 * TAIL_CHARS) {
      this.#dropped += this.#tail.length - TAIL_CHARS;
      this.#tail = this.#tail.slice(-TAIL_CHARS);
    }
  }

  get text(): string {
    const gap = this.#dropped > 0 ? `\n[... ${this.#dropped} characters left out ...]\n` : "";
    return `${this.#head}${gap}${this.#tail}`;
  }
}

/**
 * The whole log of one attempt, as the package wrote it, on disk while the attempt runs. Each step
 * begins with a line of ours, `== step: command`, so that a reader (and a page) can fold by step. What was not closed when
 * it is disposed of belongs to no attempt, and is removed.
 */
export class AttemptLog implements AsyncDisposable {
  readonly path: string;
  readonly #stream: WriteStream;
  readonly #echo: ((text: string) => void) | undefined;
  readonly #decoder = new StringDecoder("utf8");
  #atLineStart = true;
  #isWhole = false;

  /** @param echo is told what is written, for `--log`. */
  constructor(path: string, echo?: (text: string) => void) {
    this.path = path;
    this.#stream = createWriteStream(path, { flags: "wx", mode: 0o644 });
    // A full disk is reported at the end (close rejects), never as an unhandled event.
    this.#stream.on("error", () => {});
    this.#echo = echo;
  }

  /** Begins a step. */
  section(step: string, command: string): void {
    this.note(`== ${step}: ${command}`);
  }

  /** One line of the farm's own. */
  note(line: string): void {
    this.#put(Buffer.from(`${this.#atLineStart ? "" : "\n"}${line}\n`));
  }

  write(chunk: Buffer): void {
    if (chunk.length > 0) this.#put(chunk);
  }

  /** @throws CreameryError `disk-full`, and what else kept it from being written. */
  async close(): Promise<void> {
    try {
      if (this.#stream.errored !== null) throw this.#stream.errored;
      if (!this.#stream.closed) {
        this.#stream.end();
        await finished(this.#stream);
      }
      this.#isWhole = true;
    } catch (thrown) {
      throw diskFullFault(thrown, this.path) ?? thrown;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stream.destroy();
    if (!this.#stream.closed) await once(this.#stream, "close");
    if (!this.#isWhole) await rm(this.path, { force: true });
  }

  #put(bytes: Buffer): void {
    this.#atLineStart = bytes.at(-1) === 0x0a;
    this.#stream.write(bytes);
    this.#echo?.(this.#decoder.write(bytes));
  }
}
