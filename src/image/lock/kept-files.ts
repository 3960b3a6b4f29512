import { createReadStream } from "node:fs";
import { join } from "node:path";
import { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { CreameryError } from "../../base/errors.ts";
import type { Bucket, OpenedBlob } from "../../bucket/bucket.ts";
import { damaged, splitFiles } from "./split-files.ts";

export interface KeptFile {
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** Files by their sha256 that outlive the build which fetched them, and its image. */
export interface KeptFiles {
  /** Where they take room on this host. */
  readonly directory: string;
  /** Those of them that are kept. */
  find(sha256s: readonly string[], signal: AbortSignal): Promise<readonly KeptFile[]>;
  /**
   * Copies each to `into/<sha256>`; every byte is held against its hash on the way.
   * @throws CreameryError `bucket` naming the one that is not there or is damaged.
   */
  take(files: readonly KeptFile[], into: string, signal: AbortSignal): Promise<void>;
  /** Keeps each, from `from/<sha256>`; one that is there and damaged is mended. @throws CreameryError `bucket`, `disk-full`. */
  keep(files: readonly KeptFile[], from: string, signal: AbortSignal): Promise<void>;
  /** Removes all but these. @returns what was removed. */
  prune(needed: readonly string[], signal: AbortSignal): Promise<{ files: number; bytes: number }>;
}

/** They lie side by side with what else a bucket holds. */
const PREFIX = "image-files/";

/** Kept in a bucket, with the rights of whoever may write to that. */
export class BucketFiles implements KeptFiles {
  readonly directory: string;
  readonly #bucket: Bucket;

  constructor(bucket: Bucket, directory: string) {
    this.#bucket = bucket;
    this.directory = directory;
  }

  async find(sha256s: readonly string[]): Promise<readonly KeptFile[]> {
    const found: KeptFile[] = [];
    for (const sha256 of sha256s) {
      const blob = await this.#open(sha256);
      if (blob !== null) found.push({ sha256, sizeBytes: blob.sizeBytes });
    }
    return found;
  }

  async take(files: readonly KeptFile[], into: string, signal: AbortSignal): Promise<void> {
    await splitFiles(this.read(files, signal), files, into, signal);
  }

  /** The contents, one after the other with nothing between. */
  async *read(files: readonly KeptFile[], signal: AbortSignal): AsyncGenerator<Buffer> {
    for (const { sha256, sizeBytes } of files) {
      const blob = await this.#open(sha256);
      if (blob === null) throw new CreameryError("bucket", "is not kept", { input: sha256 });
      let bytes = 0;
      try {
        for await (const chunk of blob.content(signal)) {
          if (!Buffer.isBuffer(chunk)) continue;
          bytes += chunk.length;
          // The next one would be taken for damaged.
          if (bytes > sizeBytes) throw damaged(sha256);
          yield chunk;
        }
      } catch (cause) {
        signal.throwIfAborted();
        throw damaged(sha256, cause);
      }
    }
  }

  async keep(files: readonly KeptFile[], from: string, signal: AbortSignal): Promise<void> {
    for (const { sha256 } of files) {
      const blob = await this.#open(sha256);
      // Renewed, so that nobody collects it before the lock that names it is written.
      if (blob !== null && (await isSound(blob, signal)) && (await this.#renew(sha256))) continue;
      if (blob !== null) await this.#bucket.remove(`${PREFIX}${sha256}`);
      await this.#bucket.create(`${PREFIX}${sha256}`, createReadStream(join(from, sha256)), {
        compression: "none",
        expectedSha256: sha256,
        signal,
      });
    }
  }

  async prune(needed: readonly string[], signal: AbortSignal) {
    const keys = new Set(needed.map((sha256) => `${PREFIX}${sha256}`));
    const removed = { files: 0, bytes: 0 };
    for (const key of await this.#bucket.list(PREFIX)) {
      signal.throwIfAborted();
      if (keys.has(key)) continue;
      const blob = await this.#bucket.open(key);
      await this.#bucket.remove(key);
      removed.files++;
      removed.bytes += blob?.storedBytes ?? 0;
    }
    return removed;
  }

  async #renew(sha256: string): Promise<boolean> {
    return await this.#bucket.renew(`${PREFIX}${sha256}`);
  }

  async #open(sha256: string): Promise<OpenedBlob | null> {
    return await this.#bucket.open(`${PREFIX}${sha256}`);
  }
}

async function isSound(blob: OpenedBlob, signal: AbortSignal): Promise<boolean> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  return await pipeline(blob.content(signal), nowhere, { signal }).then(
    () => true,
    () => {
      signal.throwIfAborted();
      return false;
    },
  );
}
