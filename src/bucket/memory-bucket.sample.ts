import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { gzipSync, zstdCompressSync } from "node:zlib";

import { assertExpected, checkedContent, createFault, sameAs } from "./blob-content.ts";
import { assertKey, assertPrefix } from "./bucket-key.ts";
import type {
  BlobEntry,
  Bucket,
  Compression,
  CreateOptions,
  Leftovers,
  OpenedBlob,
  RemoveCondition,
  Stored,
} from "./bucket.ts";

interface Kept {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly bytes: Buffer;
  readonly compression: Compression;
  madeMs: number;
}

/** A bucket in memory, for tests; held to the suite of the others. */
export class MemoryBucket implements Bucket {
  readonly kept = new Map<string, Kept>();
  nowMs: () => number = Date.now;
  /** Is told of each operation before it is done, and may throw: a process that is ended there. */
  onOperation: (name: keyof Bucket, key: string) => void = () => undefined;

  async create(
    key: string,
    content: Buffer | AsyncIterable<Buffer>,
    options: CreateOptions,
  ): Promise<Stored> {
    assertKey(key);
    this.onOperation("create", key);
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of Buffer.isBuffer(content) ? [content] : content) {
        options.signal.throwIfAborted();
        chunks.push(chunk);
      }
      const whole = Buffer.concat(chunks);
      const sha256 = createHash("sha256").update(whole).digest("hex");
      assertExpected(key, sha256, options.expectedSha256);
      const there = this.kept.get(key);
      if (there !== undefined) {
        const same = sameAs({ ...there, storedBytes: there.bytes.length }, key, sha256);
        there.madeMs = this.nowMs();
        return same;
      }
      const { compression } = options;
      const bytes = packed(whole, compression);
      this.kept.set(key, {
        sha256,
        sizeBytes: whole.length,
        bytes,
        compression,
        madeMs: this.nowMs(),
      });
      return { key, sha256, sizeBytes: whole.length, storedBytes: bytes.length };
    } catch (thrown) {
      throw createFault(thrown, key, options);
    }
  }

  async open(key: string): Promise<OpenedBlob | null> {
    assertKey(key);
    this.onOperation("open", key);
    const there = this.kept.get(key);
    if (there === undefined) return null;
    const { sha256, sizeBytes, bytes, compression } = there;
    return {
      key,
      sha256,
      sizeBytes,
      storedBytes: bytes.length,
      compression,
      content: () =>
        checkedContent(Readable.from([bytes], { objectMode: false }), { key, sha256, compression }),
    };
  }

  async list(prefix: string): Promise<readonly string[]> {
    assertPrefix(prefix);
    return [...this.kept.keys()].filter((key) => key.startsWith(prefix)).toSorted();
  }

  async *entries(prefix: string): AsyncGenerator<BlobEntry> {
    assertPrefix(prefix);
    for (const [key, { bytes, madeMs }] of this.kept) {
      this.onOperation("entries", key);
      if (key.startsWith(prefix)) yield { key, storedBytes: bytes.length, madeMs };
    }
  }

  async remove(key: string, condition?: RemoveCondition): Promise<boolean> {
    assertKey(key);
    this.onOperation("remove", key);
    const there = this.kept.get(key);
    if (there !== undefined && condition !== undefined && there.madeMs >= condition.madeBeforeMs)
      return false;
    this.kept.delete(key);
    return true;
  }

  async renew(key: string): Promise<boolean> {
    assertKey(key);
    this.onOperation("renew", key);
    const there = this.kept.get(key);
    if (there !== undefined) there.madeMs = this.nowMs();
    return there !== undefined;
  }

  async locate(key: string): Promise<string | null> {
    assertKey(key);
    return this.kept.has(key) ? `memory/${key}` : null;
  }

  async collectLeftovers(): Promise<Leftovers> {
    this.onOperation("collectLeftovers", "");
    return { count: 0, bytes: 0 };
  }
}

function packed(whole: Buffer, compression: Compression): Buffer {
  switch (compression) {
    case "none":
      return whole;
    case "gzip":
      return gzipSync(whole);
    case "zstd":
      return zstdCompressSync(whole);
  }
}

/** All at once, for a test that reads what it has kept. */
export async function contentOf(bucket: Bucket, key: string): Promise<Buffer | null> {
  const blob = await bucket.open(key);
  return blob === null ? null : await buffer(blob.content(new AbortController().signal));
}
