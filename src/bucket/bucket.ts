import type { Readable } from "node:stream";

/**
 * Blobs by key, made once and never changed: logs, reports, wheels. Keys are `/`-separated, each part of
 * `[A-Za-z0-9._-]`, so that any static file server can serve what a bucket holds.
 */
export interface Bucket {
  /**
   * Makes a key, streamed; it exists when this returns, whole, or not at all.
   * The same content again is no fault (a retry); another under the same key is.
   * @throws CreameryError `bucket` (the key holds something else, the sha256 is another than `expectedSha256`), `disk-full`.
   */
  create(
    key: string,
    content: Buffer | AsyncIterable<Buffer>,
    options: CreateOptions,
  ): Promise<Stored>;
  /** @returns null when there is none. @throws CreameryError `bucket` while reading what is damaged. */
  open(key: string): Promise<OpenedBlob | null>;
  /** The keys below a prefix (`attempts/a1/`), sorted. */
  list(prefix: string): Promise<readonly string[]>;
  remove(key: string): Promise<void>;
  /** Where a person finds it, as it is kept (compressed or not): a path here; null when there is none. */
  locate(key: string): Promise<string | null>;
}

export interface CreateOptions {
  readonly signal: AbortSignal;
  /** How it is kept; what is read is as it was given. Logs compress well. */
  readonly compression: "none" | "gzip" | "zstd";
  readonly expectedSha256?: string;
}

export interface Stored {
  readonly key: string;
  /** Of the content as it was given, hexadecimal. */
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly storedBytes: number;
}

export interface OpenedBlob extends Stored {
  readonly compression: CreateOptions["compression"];
  /** The content as it was given; ends with an error when it is not what was stored. */
  content(signal: AbortSignal): Readable;
}
