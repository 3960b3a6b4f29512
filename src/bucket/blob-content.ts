import { createHash } from "node:crypto";
import { pipeline as connect, Readable, Transform } from "node:stream";
import { createGunzip, createGzip, createZstdCompress, createZstdDecompress } from "node:zlib";

import { CreameryError, reasonOf } from "../base/errors.ts";
import type { Compression, CreateOptions, Stored } from "./bucket.ts";

/** What every kind of bucket does with what passes through it. */

/** The stream that compresses; none where it is kept as it is. */
export function compressors(compression: Compression): Transform[] {
  switch (compression) {
    case "none":
      return [];
    case "gzip":
      return [createGzip()];
    case "zstd":
      return [createZstdCompress()];
  }
}

/** What was stored, as it was given: unpacked, and held against its hash when it ends. */
export function checkedContent(
  source: Readable,
  { key, sha256, compression }: Pick<Stored, "key" | "sha256"> & { compression: Compression },
): Readable {
  const check = new Meter({ sha256, key });
  // Failures of either end reach the reader through the last stream.
  const ignore = (): void => undefined;
  switch (compression) {
    case "none":
      return connect(source, check, ignore);
    case "gzip":
      return connect(source, createGunzip(), check, ignore);
    case "zstd":
      return connect(source, createZstdDecompress(), check, ignore);
  }
}

export function readableOf(content: Buffer | AsyncIterable<Buffer>): Readable {
  return Readable.from(Buffer.isBuffer(content) ? [content] : content);
}

/** A key that exists already: no fault when it holds the same. @throws CreameryError `bucket`. */
export function sameAs(existing: Omit<Stored, "key">, key: string, sha256: string): Stored {
  const { sizeBytes, storedBytes } = existing;
  if (existing.sha256 === sha256) return { key, sha256, sizeBytes, storedBytes };
  throw new CreameryError("bucket", "holds something else already, and keys are made once", {
    input: key,
  });
}

/** @throws CreameryError `bucket` where what came is not what was announced. */
export function assertExpected(key: string, sha256: string, expected: string | undefined): void {
  if (expected !== undefined && expected !== sha256)
    throw new CreameryError("bucket", `came with sha256 ${sha256}, not ${expected}`, {
      input: key,
    });
}

/** Whatever ended the making of a key, as a fault that names it. */
export function createFault(
  thrown: unknown,
  key: string,
  { signal }: Pick<CreateOptions, "signal">,
): CreameryError {
  if (signal.aborted && !(thrown instanceof CreameryError && thrown.code === "interrupted"))
    return new CreameryError("interrupted", "was interrupted", { input: key, cause: thrown });
  if (thrown instanceof CreameryError) return thrown;
  const full =
    thrown instanceof Error &&
    "code" in thrown &&
    (thrown.code === "ENOSPC" || thrown.code === "EDQUOT");
  return new CreameryError(
    full ? "disk-full" : "bucket",
    full ? "the bucket's disk is full" : `could not be stored: ${reasonOf(thrown)}`,
    {
      input: key,
      ...(full ? { nextStep: "free some space, or set [directories] data in creamery.toml" } : {}),
      cause: thrown,
    },
  );
}

/** Counts and hashes what passes; with `expected`, what passes wrong ends with an error. */
export class Meter extends Transform {
  sizeBytes = 0;
  sha256 = "";
  readonly #hash = createHash("sha256");
  readonly #expected: { readonly sha256: string; readonly key: string } | undefined;

  constructor(expected?: { readonly sha256: string; readonly key: string }) {
    super();
    this.#expected = expected;
  }

  override _transform(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error: Error | null, data?: Buffer) => void,
  ): void {
    this.sizeBytes += chunk.length;
    this.#hash.update(chunk);
    done(null, chunk);
  }

  override _flush(done: (error?: Error) => void): void {
    this.sha256 = this.#hash.digest("hex");
    if (this.#expected === undefined || this.#expected.sha256 === this.sha256) done();
    else
      done(
        new CreameryError("bucket", "is damaged: its content is not what was stored", {
          input: this.#expected.key,
        }),
      );
  }
}
