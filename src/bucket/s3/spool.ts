import { createReadStream } from "node:fs";
import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

import { PROCESS_NAME } from "../../base/process-name.ts";
import { removeLeftovers } from "../key-lock.ts";

/** A directory for what must be known whole before its first byte is sent. */
export class Spool {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Removes what ended processes left there. */
  static async open(directory: string): Promise<Spool> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await removeLeftovers(directory);
    return new Spool(directory);
  }

  /** Writes it down and gives it again, from its beginning; disposed of, the file is gone. */
  async hold(
    chunks: AsyncIterable<Buffer>,
    signal: AbortSignal,
  ): Promise<AsyncDisposable & { read(): AsyncGenerator<Buffer> }> {
    const path = join(this.#directory, `${PROCESS_NAME}-${Math.random().toString(36).slice(2)}`);
    const remove = () => rm(path, { force: true });
    try {
      const file = await open(path, "wx", 0o600);
      await pipeline(chunks, file.createWriteStream(), { signal });
    } catch (thrown) {
      await remove();
      throw thrown;
    }
    return {
      read: () => bytesOf(path),
      [Symbol.asyncDispose]: remove,
    };
  }
}

async function* bytesOf(path: string): AsyncGenerator<Buffer> {
  for await (const chunk of createReadStream(path)) if (Buffer.isBuffer(chunk)) yield chunk;
}
