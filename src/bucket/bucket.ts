import type { Readable } from "node:stream";

/**
 * Blobs by key, made once and never changed: logs, reports, wheels. Keys are `/`-separated, each part of
 * `[A-Za-z0-9._-]`, so that any static file server can serve what a bucket holds (docs/bucket.md).
 * A directory here or S3, behind one interface and one suite (bucket-contract.ts).
 */
export interface Bucket {
  /**
   * Makes a key, streamed; it exists when this returns, whole, or not at all.
   * The same content again is no fault (a retry), and counts as made now; another under the same key is.
   * @throws CreameryError `bucket` (the key holds something else, the sha256 is another than `expectedSha256`), `disk-full`, `interrupted`.
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
  /** What is below a prefix, in no order, with size and age; a page at a time, so that a large bucket needs no large memory. */
  entries(prefix: string, signal: AbortSignal): AsyncIterable<BlobEntry>;
  /**
   * Removes a key; one that is not there is no fault.
   * @returns false where it stayed, as it was made or renewed at `madeBeforeMs` or later.
   */
  remove(key: string, condition?: RemoveCondition): Promise<boolean>;
  /** Makes a key count as made now: whoever is about to refer to it keeps it from being collected. @returns false when there is none. */
  renew(key: string): Promise<boolean>;
  /** Where a person finds it, as it is kept (compressed or not): a path here, or `s3://…`; null when there is none. */
  locate(key: string): Promise<string | null>;
  /** Halves that somebody who ended long ago left and nobody can read: removed, unless `dryRun`. */
  collectLeftovers(options: LeftoverOptions): Promise<Leftovers>;
}

/** As much of a bucket as keeping an attempt takes: what a worker elsewhere has of its farm's. */
export type AttemptBucket = Pick<
  Bucket,
  "create" | "open" | "list" | "remove" | "renew" | "locate"
>;

export interface CreateOptions {
  readonly signal: AbortSignal;
  /** How it is kept; what is read is as it was given. Logs compress well. */
  readonly compression: Compression;
  readonly expectedSha256?: string;
}

export type Compression = "none" | "gzip" | "zstd";

export interface Stored {
  readonly key: string;
  /** Of the content as it was given, hexadecimal. */
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly storedBytes: number;
}

export interface OpenedBlob extends Stored {
  readonly compression: Compression;
  /** The content as it was given; ends with an error when it is not what was stored. */
  content(signal: AbortSignal): Readable;
}

export interface BlobEntry {
  readonly key: string;
  readonly storedBytes: number;
  /** When it was made or last renewed, milliseconds since 1970, by the clock of whoever keeps it. */
  readonly madeMs: number;
}

export interface RemoveCondition {
  /** Only what is older than this instant. */
  readonly madeBeforeMs: number;
}

export interface LeftoverOptions {
  /** Only what was begun before this instant: what is younger may be at work. */
  readonly begunBeforeMs: number;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

export interface Leftovers {
  readonly count: number;
  /** As far as it is known. */
  readonly bytes: number;
}
