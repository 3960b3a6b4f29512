import { createHash } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { open, rm, type FileHandle } from "node:fs/promises";

import { CreameryError, reasonOf } from "../../base/errors.ts";
import { beginsAsNamed, MAGIC_BYTES } from "./file-magic.ts";
import { shownUrl } from "../upstream/secret.ts";
import { beforeRetry, isForTheMoment, type UpstreamClient } from "../upstream/upstream-client.ts";

/** What is to be had: an index's file or a crate. */
export interface WantedFile {
  /** sha256, or `u-` and a hash of the address where upstream says none. */
  readonly key: string;
  readonly url: string;
  readonly sha256: string | null;
  readonly sizeBytes: number | null;
  /** A distribution's own name; absent where it has none. */
  readonly filename?: string;
}

export interface StoredFile {
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** One who reads along. Disposing it says that it needs the download no longer. */
export interface FileReader extends Disposable {
  readonly done: Promise<StoredFile>;
  /** The whole's size as soon as upstream said it; null when it says none. Rejects when the download fails before. */
  size(): Promise<number | null>;
  /** Bytes from `start`, as they come; rejects when the download fails. */
  read(start: number, signal: AbortSignal): AsyncGenerator<Buffer>;
}

export interface DownloadLimits {
  readonly maxFileBytes: number;
  readonly idleMs: number;
  readonly deadlineMs: number;
  /** Of one download, after the first. */
  readonly retries: number;
}

interface DownloadOptions extends DownloadLimits {
  readonly partialPath: string;
  readonly keep: (path: string, sha256: string) => Promise<string>;
}

/** Held back from readers until the whole is verified: a file that is wrong is never whole for anyone. */
const HELD_BACK_BYTES = 1024;

/** One file on its way, read along by all who ask for it. */
export class Download {
  readonly done: Promise<StoredFile>;
  onAbandoned: () => void = () => undefined;
  readonly #wanted: WantedFile;
  readonly #client: UpstreamClient;
  readonly #options: DownloadOptions;
  readonly #abort = new AbortController();
  readonly #progress = new EventEmitter();
  #file: FileHandle | null = null;
  #size: number | null;
  #sizeKnown = false;
  #written = 0;
  #finished = false;
  #failure: CreameryError | null = null;
  #readers = 0;

  constructor(wanted: WantedFile, client: UpstreamClient, options: DownloadOptions) {
    this.#wanted = wanted;
    this.#client = client;
    this.#options = options;
    this.#size = wanted.sizeBytes;
    this.#progress.setMaxListeners(0);
    this.done = this.#run();
    this.done.catch(() => undefined);
  }

  get failed(): boolean {
    return this.#failure !== null;
  }

  abort(): void {
    this.#abort.abort(
      new CreameryError("interrupted", "was interrupted", { input: shownUrl(this.#wanted.url) }),
    );
  }

  join(): FileReader {
    this.#readers++;
    let left = false;
    const leave = (): void => {
      if (left) return;
      left = true;
      this.#readers--;
      if (this.#readers > 0) return;
      if (!this.#finished && this.#failure === null) {
        this.onAbandoned();
        this.abort();
      }
      void this.#closeWhenUnread();
    };
    return {
      done: this.done,
      size: () => this.#whenSized(),
      read: (start, signal) => this.#read(start, signal),
      [Symbol.dispose]: leave,
    };
  }

  async #run(): Promise<StoredFile> {
    const { partialPath } = this.#options;
    try {
      this.#file = await open(partialPath, "wx+", 0o644);
      const stored = await this.#fetchWhole(this.#file);
      this.#finished = true;
      return stored;
    } catch (thrown) {
      this.#failure = asDownloadFault(thrown, this.#wanted.url);
      await rm(partialPath, { force: true });
      throw this.#failure;
    } finally {
      this.#progress.emit("progress");
      void this.#closeWhenUnread();
    }
  }

  async #fetchWhole(file: FileHandle): Promise<StoredFile> {
    const signal = AbortSignal.any([
      this.#abort.signal,
      AbortSignal.timeout(this.#options.deadlineMs),
    ]);
    const hash = createHash("sha256");
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#fetchFrom(file, hash, signal);
        break;
      } catch (thrown) {
        // Out of time is another thing than broken off, whatever the connection made of it.
        if (signal.aborted) throw asDownloadFault(signal.reason, this.#wanted.url);
        const fault = asDownloadFault(thrown, this.#wanted.url);
        if (attempt >= this.#options.retries || !(fault instanceof Resumable)) throw fault;
        await beforeRetry(attempt, signal);
      }
    }
    const sha256 = hash.digest("hex");
    const input = shownUrl(this.#wanted.url);
    if (this.#wanted.sha256 !== null && sha256 !== this.#wanted.sha256) {
      throw new CreameryError(
        "upstream-hash",
        `the index sent a file whose sha256 is ${sha256}, not ${this.#wanted.sha256}`,
        {
          input,
          nextStep: "try again; if it stays so, the index or the way to it can't be trusted",
        },
      );
    }
    if (this.#wanted.sha256 === null) await this.#assertKind(file);
    return {
      path: await this.#options.keep(this.#options.partialPath, sha256),
      sha256,
      sizeBytes: this.#written,
    };
  }

  /** One request: from the start, or from where the one before broke off. */
  async #fetchFrom(
    file: FileHandle,
    hash: ReturnType<typeof createHash>,
    signal: AbortSignal,
  ): Promise<void> {
    const from = this.#written;
    const { url } = this.#wanted;
    using response = await this.#client
      .request({
        url,
        signal,
        idleMs: this.#options.idleMs,
        headers: {
          "accept-encoding": "identity",
          ...(from > 0 ? { range: `bytes=${from}-` } : {}),
        },
      })
      .catch((thrown: unknown) => {
        const temporary =
          thrown instanceof CreameryError &&
          (thrown.code === "no-network" || thrown.code === "upstream") &&
          from > 0;
        throw temporary ? new Resumable(thrown.message, url) : thrown;
      });
    const input = shownUrl(url);
    // A server that knows no ranges begins anew: what is here already is passed over, the hash sees the rest.
    let skip = response.status === 200 ? from : 0;
    if (response.status === 206) {
      const start = /^bytes (\d+)-/u.exec(response.headers["content-range"] ?? "")?.[1];
      if (Number(start) !== from)
        throw new CreameryError("upstream", "sends another range than it was asked for", { input });
    } else if (response.status !== 200) {
      const told = await this.#client.told(response);
      if (told !== null) throw told;
      if (isForTheMoment(response.status)) throw new Resumable(`answers ${response.status}`, url);
      throw new CreameryError(
        "upstream",
        `answers ${response.status} for a file that its page lists`,
        { input, nextStep: "try again later; the index is at fault" },
      );
    }
    if (
      response.headers["content-encoding"] !== undefined &&
      response.headers["content-encoding"] !== "identity"
    ) {
      throw new CreameryError("upstream", "sends a file encoded though it was asked not to", {
        input,
      });
    }
    const length = response.headers["content-length"];
    if (length !== undefined && !this.#sizeKnown) {
      const size = Number(length) + (response.status === 206 ? from : 0);
      if (this.#wanted.sizeBytes !== null && this.#wanted.sizeBytes !== size) {
        throw new CreameryError(
          "upstream-hash",
          `the index sends ${size} bytes where its page says ${this.#wanted.sizeBytes}`,
          { input },
        );
      }
      this.#size = size;
    }
    this.#assertBounded(this.#size ?? 0);
    this.#sizeKnown = true;
    this.#progress.emit("progress");
    try {
      for await (const chunk of response.body) {
        let bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
        if (skip > 0) {
          const passed = Math.min(skip, bytes.length);
          skip -= passed;
          bytes = bytes.subarray(passed);
        }
        if (bytes.length === 0) continue;
        this.#assertBounded(this.#written + bytes.length);
        // One that never ends is known by its first byte too many.
        if (this.#size !== null && this.#written + bytes.length > this.#size)
          throw new CreameryError(
            "upstream-hash",
            `the index sends more bytes than the ${this.#size} that it said`,
            { input },
          );
        hash.update(bytes);
        await file.write(bytes, 0, bytes.length, this.#written);
        this.#written += bytes.length;
        this.#progress.emit("progress");
      }
    } catch (thrown) {
      if (thrown instanceof CreameryError && thrown.code !== "upstream") throw thrown;
      if (
        thrown instanceof Error &&
        "code" in thrown &&
        (thrown.code === "ENOSPC" || thrown.code === "EDQUOT")
      )
        throw thrown;
      throw new Resumable(reasonOf(thrown), url);
    }
    if (!response.body.complete || (this.#size !== null && this.#written < this.#size))
      throw new Resumable("the answer was cut short", url);
  }

  /** Where the index says no hash, what it sends in a file's place is told by its beginning at least, and never kept for good. */
  async #assertKind(file: FileHandle): Promise<void> {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAGIC_BYTES), 0, MAGIC_BYTES, 0);
    if (beginsAsNamed(this.#wanted.filename ?? "", buffer.subarray(0, bytesRead))) return;
    throw new CreameryError("upstream", "sends something else than the file that its page names", {
      input: shownUrl(this.#wanted.url),
    });
  }

  #assertBounded(bytes: number): void {
    if (bytes > this.#options.maxFileBytes) {
      throw new CreameryError("upstream", `is larger than ${this.#options.maxFileBytes} bytes`, {
        input: shownUrl(this.#wanted.url),
      });
    }
  }

  async #whenSized(): Promise<number | null> {
    while (!this.#sizeKnown && this.#failure === null && !this.#finished)
      await once(this.#progress, "progress");
    if (this.#failure !== null) throw this.#failure;
    return this.#size;
  }

  async *#read(start: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    let position = start;
    while (true) {
      if (this.#failure !== null) throw this.#failure;
      const limit = this.#finished ? this.#written : this.#written - HELD_BACK_BYTES;
      if (position < limit && this.#file !== null) {
        const buffer = Buffer.allocUnsafe(Math.min(limit - position, 256 * 1024));
        const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, position);
        position += bytesRead;
        yield buffer.subarray(0, bytesRead);
        continue;
      }
      if (this.#finished) return;
      await once(this.#progress, "progress", { signal });
    }
  }

  async #closeWhenUnread(): Promise<void> {
    if (this.#readers > 0 || (!this.#finished && this.#failure === null)) return;
    const file = this.#file;
    this.#file = null;
    // Closing can fail (a full disk): whoever needs the file has heard of it by its writes.
    await file?.close().catch(() => undefined);
  }
}

/** Broke off on the way: worth another request from where it stopped. */
class Resumable extends CreameryError {
  constructor(reason: string, url: string) {
    super("upstream", `broke off: ${reason}`, {
      input: shownUrl(url),
      nextStep: "try again; the index or the way to it is at fault",
    });
  }
}

function asDownloadFault(thrown: unknown, url: string): CreameryError {
  if (thrown instanceof CreameryError) return thrown;
  const input = shownUrl(url);
  if (
    thrown instanceof Error &&
    "code" in thrown &&
    (thrown.code === "ENOSPC" || thrown.code === "EDQUOT")
  ) {
    return new CreameryError("disk-full", "the disk of the index's cache is full", {
      input,
      nextStep: "free space below the cache directory",
      cause: thrown,
    });
  }
  if (thrown instanceof DOMException && thrown.name === "TimeoutError")
    return new CreameryError("deadline", "took too long to come", { input });
  return new CreameryError("upstream", reasonOf(thrown), { input, cause: thrown });
}
