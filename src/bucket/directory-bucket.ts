import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { link, mkdir, open, readdir, readFile, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline as connect, Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip, createZstdCompress, createZstdDecompress } from "node:zlib";

import { z } from "zod";

import { CreameryError, reasonOf } from "../base/errors.ts";
import { removeLeftovers, takeKeyLock } from "./key-lock.ts";
import type { Bucket, CreateOptions, OpenedBlob, Stored } from "./bucket.ts";

const SUFFIX = { none: "", gzip: ".gz", zstd: ".zst" } as const;
const Note = z.object({
  sha256: z.string(),
  sizeBytes: z.number(),
  storedBytes: z.number(),
  compression: z.enum(["none", "gzip", "zstd"]),
});

/** A directory as a bucket: `KEY` (with `.gz` or `.zst`) and a note `KEY.blob.json`, whose link is what makes the key. */
export class DirectoryBucket implements Bucket {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  static async open(root: string): Promise<DirectoryBucket> {
    await mkdir(join(root, ".new"), { recursive: true });
    await removeLeftovers(join(root, ".new"));
    return new DirectoryBucket(root);
  }

  async create(
    key: string,
    content: Buffer | AsyncIterable<Buffer>,
    options: CreateOptions,
  ): Promise<Stored> {
    const path = this.#path(key);
    const fresh = join(this.#root, ".new", `${process.pid}-${Math.random().toString(36).slice(2)}`);
    try {
      const seen = new Meter();
      const file = await open(fresh, "wx", 0o644);
      const steps =
        options.compression === "none"
          ? []
          : [options.compression === "gzip" ? createGzip() : createZstdCompress()];
      await pipeline(
        [
          Readable.from(Buffer.isBuffer(content) ? [content] : content),
          seen,
          ...steps,
          file.createWriteStream({ flush: true }),
        ],
        { signal: options.signal },
      );
      const { size: storedBytes } = await stat(fresh);
      const stored = { key, sha256: seen.sha256, sizeBytes: seen.sizeBytes, storedBytes };
      if (options.expectedSha256 !== undefined && options.expectedSha256 !== stored.sha256) {
        throw new CreameryError(
          "bucket",
          `came with sha256 ${stored.sha256}, not ${options.expectedSha256}`,
          { input: key },
        );
      }
      return await this.#publish(path, fresh, stored, options);
    } catch (thrown) {
      if (thrown instanceof CreameryError) throw thrown;
      if (options.signal.aborted)
        throw new CreameryError("interrupted", "was interrupted", { input: key, cause: thrown });
      const full =
        thrown instanceof Error &&
        "code" in thrown &&
        (thrown.code === "ENOSPC" || thrown.code === "EDQUOT");
      throw new CreameryError(
        full ? "disk-full" : "bucket",
        full ? "the bucket's disk is full" : `could not be stored: ${reasonOf(thrown)}`,
        {
          input: key,
          ...(full
            ? { nextStep: "free some space, or set [directories] data in creamery.toml" }
            : {}),
          cause: thrown,
        },
      );
    } finally {
      await rm(fresh, { force: true });
      await rm(`${fresh}.json`, { force: true });
    }
  }

  /** The note's link is the instant at which the key exists: before it, nothing reads the content. */
  async #publish(
    path: string,
    fresh: string,
    stored: Stored,
    { compression, signal }: CreateOptions,
  ): Promise<Stored> {
    await mkdir(dirname(path), { recursive: true });
    const target = `${path}${SUFFIX[compression]}`;
    const { key, ...note } = stored;
    await writeFile(`${fresh}.json`, JSON.stringify({ ...note, compression }));
    // One at a time: content without a note is then what an ended process left, and no other's at work.
    await using _lock = await takeKeyLock(join(this.#root, ".new"), key, signal);
    const existing = await this.#note(key);
    if (existing !== null) return sameAs(existing, stored);
    await rm(target, { force: true });
    await link(fresh, target);
    if (await linkOnce(`${fresh}.json`, `${path}.blob.json`)) return stored;
    const winner = await this.#note(key);
    if (winner !== null) return sameAs(winner, stored);
    throw new CreameryError("bucket", "was removed while it was made", { input: key });
  }

  async open(key: string): Promise<OpenedBlob | null> {
    const path = this.#path(key);
    const note = await this.#note(key);
    if (note === null) return null;
    return {
      key,
      ...note,
      content: (signal) => {
        const source = createReadStream(`${path}${SUFFIX[note.compression]}`, { signal });
        const check = new Meter({ sha256: note.sha256, key });
        // Failures of either end reach the reader through the last stream.
        const ignore = (): void => undefined;
        if (note.compression === "none") return connect(source, check, ignore);
        return connect(
          source,
          note.compression === "gzip" ? createGunzip() : createZstdDecompress(),
          check,
          ignore,
        );
      },
    };
  }

  async list(prefix: string): Promise<readonly string[]> {
    if (prefix !== "" && !prefix.endsWith("/"))
      throw new CreameryError("bucket", "is no prefix: it must end with a slash", {
        input: prefix,
      });
    const directory = prefix === "" ? this.#root : this.#path(prefix.slice(0, -1));
    const entries = await readdir(directory, { recursive: true }).catch((thrown: unknown) => {
      if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return [];
      throw thrown;
    });
    return entries
      .filter((name) => name.endsWith(".blob.json") && !name.startsWith(".new/"))
      .map((name) => `${prefix}${name.slice(0, -".blob.json".length)}`)
      .toSorted();
  }

  async remove(key: string): Promise<void> {
    const path = this.#path(key);
    await rm(`${path}.blob.json`, { force: true });
    for (const suffix of Object.values(SUFFIX)) await rm(`${path}${suffix}`, { force: true });
    // A directory of one attempt, say; those at the top stay, where others are about to put something.
    if (key.split("/").length > 2) await rmdir(dirname(path)).catch(() => undefined);
  }

  async locate(key: string): Promise<string | null> {
    const note = await this.#note(key);
    return note === null ? null : `${this.#path(key)}${SUFFIX[note.compression]}`;
  }

  async #note(key: string): Promise<z.infer<typeof Note> | null> {
    const text = await readFile(`${this.#path(key)}.blob.json`, "utf8").catch(() => null);
    if (text === null) return null;
    try {
      return Note.parse(JSON.parse(text));
    } catch (cause) {
      throw new CreameryError("bucket", "has a damaged note", { input: key, cause });
    }
  }

  #path(key: string): string {
    const parts = key.split("/");
    if (
      key.length > 512 ||
      parts.some((part) => !/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/u.test(part)) ||
      key.endsWith(".blob.json")
    ) {
      throw new CreameryError("bucket", "is no key", { input: key.slice(0, 100) });
    }
    return join(this.#root, ...parts);
  }
}

/** A key that exists already: no fault when it holds the same. */
function sameAs({ sha256, sizeBytes, storedBytes }: z.infer<typeof Note>, stored: Stored): Stored {
  if (sha256 === stored.sha256) return { key: stored.key, sha256, sizeBytes, storedBytes };
  throw new CreameryError("bucket", "holds something else already, and keys are made once", {
    input: stored.key,
  });
}

/** Counts and hashes what passes; with `expected`, what passes wrong ends with an error. */
class Meter extends Transform {
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

/** @returns false when there is one already. */
async function linkOnce(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "EEXIST") return false;
    throw thrown;
  }
}
