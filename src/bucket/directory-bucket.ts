import { createReadStream } from "node:fs";
import {
  link,
  open,
  readdir,
  readFile,
  rm,
  rmdir,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";

import { z } from "zod";

import { PROCESS_NAME } from "../base/process-name.ts";
import { CreameryError, reasonOf } from "../base/errors.ts";
import {
  assertExpected,
  checkedContent,
  compressors,
  createFault,
  Meter,
  readableOf,
  sameAs,
} from "./blob-content.ts";
import { assertKey, assertPrefix, NOTE_SUFFIX } from "./bucket-key.ts";
import type {
  BlobEntry,
  Bucket,
  Compression,
  CreateOptions,
  LeftoverOptions,
  Leftovers,
  OpenedBlob,
  RemoveCondition,
  Stored,
} from "./bucket.ts";
import { collectDirectoryLeftovers } from "./directory-leftovers.ts";
import { makeDirectory } from "./make-directory.ts";
import { removeLeftovers, takeKeyLock } from "./key-lock.ts";

const SUFFIX = { none: "", gzip: ".gz", zstd: ".zst" } as const;
const NEW = ".new";
const REMOVING = new AbortController().signal;
const Note = z.object({
  sha256: z.string(),
  sizeBytes: z.number(),
  storedBytes: z.number(),
  compression: z.enum(["none", "gzip", "zstd"]),
});
type Note = z.infer<typeof Note>;

/**
 * A directory as a bucket: `KEY` (with `.gz` or `.zst`) and a note `KEY.blob.json`, whose link is what makes the key and whose
 * time says how old it is.
 */
export class DirectoryBucket implements Bucket {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  /** @throws CreameryError `bucket` for a directory that can't be made or written to. */
  static async open(root: string): Promise<DirectoryBucket> {
    try {
      await makeDirectory(join(root, NEW));
      await removeLeftovers(join(root, NEW));
    } catch (cause) {
      throw new CreameryError("bucket", `can't be used as a bucket: ${reasonOf(cause)}`, {
        input: root,
        nextStep:
          "let the farm's user (uid 64123) write there, or name another place as bucket.place in creamery.toml",
        cause,
      });
    }
    return new DirectoryBucket(root);
  }

  async create(
    key: string,
    content: Buffer | AsyncIterable<Buffer>,
    options: CreateOptions,
  ): Promise<Stored> {
    const path = this.#path(key);
    const fresh = join(this.#root, NEW, `${PROCESS_NAME}-${Math.random().toString(36).slice(2)}`);
    try {
      const seen = new Meter();
      const file = await open(fresh, "wx", 0o644);
      await pipeline(
        [
          readableOf(content),
          seen,
          ...compressors(options.compression),
          file.createWriteStream({ flush: true }),
        ],
        { signal: options.signal },
      );
      const { size: storedBytes } = await stat(fresh);
      const stored = { key, sha256: seen.sha256, sizeBytes: seen.sizeBytes, storedBytes };
      assertExpected(key, stored.sha256, options.expectedSha256);
      return await this.#publish(path, fresh, stored, options);
    } catch (thrown) {
      throw createFault(thrown, key, options);
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
    const target = `${path}${SUFFIX[compression]}`;
    const { key, ...note } = stored;
    await writeFile(`${fresh}.json`, JSON.stringify({ ...note, compression }));
    // One at a time: content without a note is then what an ended process left, and no other's at work.
    await using _lock = await this.#lock(key, signal);
    const existing = await this.#note(key);
    if (existing !== null) {
      const same = sameAs(existing, key, stored.sha256);
      await touch(`${path}${NOTE_SUFFIX}`);
      return same;
    }
    await this.#assertAlone(key, compression);
    await rm(target, { force: true });
    await linkInto(fresh, target);
    if (await linkOnce(`${fresh}.json`, `${path}${NOTE_SUFFIX}`)) return stored;
    const winner = await this.#note(key);
    if (winner !== null) return sameAs(winner, key, stored.sha256);
    throw new CreameryError("bucket", "was removed while it was made", { input: key });
  }

  async open(key: string): Promise<OpenedBlob | null> {
    const path = this.#path(key);
    const note = await this.#note(key);
    if (note === null) return null;
    return {
      key,
      ...note,
      content: (signal) =>
        checkedContent(createReadStream(`${path}${SUFFIX[note.compression]}`, { signal }), {
          key,
          ...note,
        }),
    };
  }

  async list(prefix: string): Promise<readonly string[]> {
    const keys: string[] = [];
    for await (const key of this.#keys(prefix)) keys.push(key);
    return keys.toSorted();
  }

  async *entries(prefix: string, signal: AbortSignal): AsyncGenerator<BlobEntry> {
    for await (const key of this.#keys(prefix)) {
      signal.throwIfAborted();
      const found = await stat(`${this.#path(key)}${NOTE_SUFFIX}`).catch(() => null);
      const note = found === null ? null : await this.#note(key).catch(() => undefined);
      // Removed meanwhile; one whose note is damaged is there all the same.
      if (found === null || note === null) continue;
      yield { key, storedBytes: note?.storedBytes ?? 0, madeMs: found.mtimeMs };
    }
  }

  async remove(key: string, condition?: RemoveCondition): Promise<boolean> {
    const path = this.#path(key);
    // Against whoever makes or renews it at this instant.
    await using _lock = await this.#lock(key, REMOVING);
    const found = await stat(`${path}${NOTE_SUFFIX}`).catch(() => null);
    if (found === null) return true;
    if (condition !== undefined && found.mtimeMs >= condition.madeBeforeMs) return false;
    const note = await this.#note(key).catch(() => null);
    await rm(`${path}${NOTE_SUFFIX}`, { force: true });
    const kept: readonly Compression[] = note === null ? [] : [note.compression];
    for (const compression of kept) await rm(`${path}${SUFFIX[compression]}`, { force: true });
    // A directory of one attempt, say; those at the top stay, where others are about to put something.
    if (key.split("/").length > 2) await rmdir(dirname(path)).catch(() => undefined);
    return true;
  }

  async renew(key: string): Promise<boolean> {
    const path = this.#path(key);
    await using _lock = await this.#lock(key, REMOVING);
    return await touch(`${path}${NOTE_SUFFIX}`);
  }

  async locate(key: string): Promise<string | null> {
    const note = await this.#note(key);
    return note === null ? null : `${this.#path(key)}${SUFFIX[note.compression]}`;
  }

  async collectLeftovers(options: LeftoverOptions): Promise<Leftovers> {
    return await collectDirectoryLeftovers(this.#root, options, (key) =>
      this.#lock(key, options.signal),
    );
  }

  /** Keys whose files could have one name share a lock: `log.txt` kept with gzip, and `log.txt.gz`. */
  async #lock(key: string, signal: AbortSignal): Promise<AsyncDisposable> {
    return await takeKeyLock(join(this.#root, NEW), key.replace(/(?:\.gz|\.zst)+$/u, ""), signal);
  }

  /** @throws CreameryError `bucket` where another key's content lies in the file that this one would take. */
  async #assertAlone(key: string, compression: Compression): Promise<void> {
    const file = `${key}${SUFFIX[compression]}`;
    for (const [other, suffix] of Object.entries(SUFFIX)) {
      if (!file.endsWith(suffix)) continue;
      const owner = file.slice(0, file.length - suffix.length);
      if (owner === key) continue;
      const note = await this.#note(owner);
      if (note !== null && note.compression === other)
        throw new CreameryError("bucket", `would take the file of ${owner}`, {
          input: key,
          nextStep: "name it otherwise, or keep it with another compression",
        });
    }
  }

  /** One directory at a time. */
  async *#keys(prefix: string): AsyncGenerator<string> {
    assertPrefix(prefix);
    const entries = await readdir(join(this.#root, prefix), { withFileTypes: true }).catch(
      (thrown: unknown) => {
        if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return [];
        throw thrown;
      },
    );
    for (const entry of entries) {
      if (entry.name.startsWith(".")) continue;
      if (entry.isDirectory()) yield* this.#keys(`${prefix}${entry.name}/`);
      else if (entry.name.endsWith(NOTE_SUFFIX))
        yield `${prefix}${entry.name.slice(0, -NOTE_SUFFIX.length)}`;
    }
  }

  async #note(key: string): Promise<Note | null> {
    const text = await readFile(`${this.#path(key)}${NOTE_SUFFIX}`, "utf8").catch(() => null);
    if (text === null) return null;
    try {
      return Note.parse(JSON.parse(text));
    } catch (cause) {
      throw new CreameryError("bucket", "has a damaged note", { input: key, cause });
    }
  }

  #path(key: string): string {
    assertKey(key);
    return join(this.#root, ...key.split("/"));
  }
}

/** @returns false when there is none. */
async function touch(path: string): Promise<boolean> {
  const now = new Date();
  return await utimes(path, now, now).then(
    () => true,
    (thrown: unknown) => {
      if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return false;
      throw thrown;
    },
  );
}

/** The directory may be removed, as empty, by whoever removed another key's last file, until something is in it. */
async function linkInto(from: string, to: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await makeDirectory(dirname(to));
      await link(from, to);
      return;
    } catch (thrown) {
      const gone = thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT";
      if (!gone || tries === 20) throw thrown;
    }
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
