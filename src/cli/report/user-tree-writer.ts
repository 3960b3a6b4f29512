import { open, rm, type FileHandle } from "node:fs/promises";

import { diskFullFault } from "../../base/errors.ts";
import type { LauncherClient } from "../../launcher/client.ts";
import { frameLine } from "../../launcher/tree-frames.ts";

/** What takes a report's files, in any order, each once. */
export interface TreeSink {
  /** @param path below the report, of safe characters (`isTreePath`). */
  add(path: string, content: string | Buffer | AsyncIterable<Buffer>): Promise<void>;
}

/** So much is handed over at once. */
const BATCH_BYTES = 16 * 1024 * 1024;
const CONTENT = "report-files";

export interface UserTreeOptions {
  readonly launcher: Pick<LauncherClient, "request" | "exchangePath">;
  /** Absolute. */
  readonly path: string;
  /** Whether the files are for their owner alone to read. */
  readonly isPrivate: boolean;
  readonly signal: AbortSignal;
}

/**
 * A directory of files, written with the rights of the person who asked, a batch at a time. It is there once it is kept; what
 * was there before stays until then, and for good where this is disposed of without.
 */
export class UserTreeWriter implements TreeSink, AsyncDisposable {
  readonly #options: UserTreeOptions;
  readonly #part: string;
  #batch: FileHandle | null = null;
  #batchBytes = 0;
  #isOver = false;
  files = 0;
  bytes = 0;

  private constructor(options: UserTreeOptions, part: string) {
    this.#options = options;
    this.#part = part;
  }

  /** @throws CreameryError `output-file` where nothing may be written there, `disk-full`. */
  static async begin(options: UserTreeOptions): Promise<UserTreeWriter> {
    const { launcher, path, signal } = options;
    // Not to be interrupted: it is a moment's work, and whoever begins must know what to end.
    const { part } = await launcher.request({ kind: "begin-user-tree", path });
    const begun = new UserTreeWriter(options, part);
    if (signal.aborted) await begun[Symbol.asyncDispose]();
    signal.throwIfAborted();
    return begun;
  }

  async add(path: string, content: string | Buffer | AsyncIterable<Buffer>): Promise<void> {
    this.files++;
    if (typeof content === "string") return this.#write(path, Buffer.from(content), false);
    if (Buffer.isBuffer(content)) return this.#write(path, content, false);
    let continues = false;
    for await (const chunk of content) {
      await this.#write(path, chunk, continues);
      continues = true;
    }
    if (!continues) await this.#write(path, Buffer.alloc(0), false);
    return undefined;
  }

  /** All of it takes its place. @throws CreameryError `output-file`, `disk-full`. */
  async keep(): Promise<void> {
    await this.#handOver();
    await this.#end(true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#batch?.close();
    await rm(this.#options.launcher.exchangePath(CONTENT), { force: true });
    if (!this.#isOver) await this.#end(false).catch(() => undefined);
  }

  async #write(path: string, chunk: Buffer, continues: boolean): Promise<void> {
    this.#options.signal.throwIfAborted();
    const line = Buffer.from(frameLine({ path, sizeBytes: chunk.length, continues }));
    const file = this.#options.launcher.exchangePath(CONTENT);
    try {
      this.#batch ??= await open(file, "w", 0o600);
      await this.#batch.appendFile(Buffer.concat([line, chunk]));
    } catch (thrown) {
      throw diskFullFault(thrown, file) ?? thrown;
    }
    this.bytes += chunk.length;
    this.#batchBytes += line.length + chunk.length;
    if (this.#batchBytes >= BATCH_BYTES) await this.#handOver();
  }

  async #handOver(): Promise<void> {
    if (this.#batch === null) return;
    await this.#batch.close();
    this.#batch = null;
    this.#batchBytes = 0;
    const { launcher, path, isPrivate, signal } = this.#options;
    const asked = { kind: "add-to-user-tree", path, part: this.#part, isPrivate } as const;
    await launcher.request({ ...asked, content: CONTENT }, { signal });
  }

  /** Not to be interrupted: it is a moment's work, and half of it would be neither the old nor the new. */
  async #end(keep: boolean): Promise<void> {
    const { launcher, path, isPrivate } = this.#options;
    await launcher.request({ kind: "end-user-tree", path, part: this.#part, keep, isPrivate });
    this.#isOver = true;
  }
}
