import { chmod, mkdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { CreameryError } from "../../base/errors.ts";
import { sha256OfFile } from "../../base/hash-file.ts";
import { lockedFiles, type ImageLock, type LockedArchive, type LockedFile } from "./image-lock.ts";
import type { KeptFile, KeptFiles } from "./kept-files.ts";

export interface SourceFilesOptions {
  /** Of this build alone; made here. */
  readonly directory: string;
  /** Null where nothing is kept. */
  readonly kept: KeptFiles | null;
  /** What is built again, and from nothing but its files. */
  readonly locked: ImageLock | null;
  readonly signal: AbortSignal;
}

export interface PinnedFile {
  /** The interpreter whose archive it is. */
  readonly interpreter: string;
  readonly sha256: string;
  /** As a person knows it. */
  readonly what: string;
  /** Puts the file at a path that is not there yet. */
  readonly fetch: (path: string) => Promise<void>;
}

/** The files that one build is made of, each by its sha256: fetched by it, or kept from before, or those of a lock and no others. */
export class SourceFiles {
  readonly locked: ImageLock | null;
  /** Archives of interpreters that were taken so far. */
  readonly archives: LockedArchive[] = [];
  readonly #directory: string;
  readonly #kept: KeptFiles | null;
  readonly #signal: AbortSignal;

  private constructor({ directory, kept, locked, signal }: SourceFilesOptions) {
    this.#directory = directory;
    this.#kept = kept;
    this.locked = locked;
    this.#signal = signal;
  }

  /** @throws CreameryError `bucket` where not all files of the lock are kept, and whole. */
  static async open(options: SourceFilesOptions): Promise<SourceFiles> {
    const { directory, kept, locked, signal } = options;
    await mkdir(directory, { mode: 0o755 });
    if (locked !== null && kept !== null)
      await takeLocked(lockedFiles(locked), kept, directory, signal);
    return new SourceFiles(options);
  }

  path(sha256: string): string {
    return join(this.#directory, sha256);
  }

  /** Moves a file of the build among these. */
  async add(path: string): Promise<KeptFile> {
    const sha256 = await sha256OfFile(path);
    await rename(path, this.path(sha256));
    // Whoever keeps it reads it with fewer rights.
    await chmod(this.path(sha256), 0o644);
    return { sha256, sizeBytes: (await stat(this.path(sha256))).size };
  }

  /**
   * A file of a known hash: as it is kept, else fetched now. Its bytes are held against the hash each time.
   * @returns its path.
   * @throws CreameryError `upstream-hash` for another file, `image-build` for one that the lock does not name, and what `fetch` throws.
   */
  async pinned({ interpreter, sha256, what, fetch }: PinnedFile): Promise<string> {
    const path = this.path(sha256);
    if ((await sizeOf(path)) === null) {
      if (this.locked !== null) throw unnamed(`the archive of ${interpreter}`);
      if (!(await this.#isTaken(sha256))) await this.#fetch(sha256, what, fetch);
    }
    this.archives.push({ interpreter, sha256, sizeBytes: (await sizeOf(path)) ?? 0 });
    return path;
  }

  /** What the disk did to a kept file is mended by fetching it again. */
  async #isTaken(sha256: string): Promise<boolean> {
    if (this.#kept === null) return false;
    const found = await this.#kept.find([sha256], this.#signal);
    if (found.length === 0) return false;
    try {
      await this.#kept.take(found, this.#directory, this.#signal);
      return true;
    } catch (thrown) {
      this.#signal.throwIfAborted();
      if (!(thrown instanceof CreameryError) || thrown.code !== "bucket") throw thrown;
      await rm(this.path(sha256), { force: true });
      return false;
    }
  }

  async #fetch(sha256: string, what: string, fetch: PinnedFile["fetch"]): Promise<void> {
    const partial = join(this.#directory, "partial");
    try {
      await fetch(partial);
      this.#signal.throwIfAborted();
      const found = await this.add(partial);
      if (found.sha256 === sha256) return;
      await rm(this.path(found.sha256));
      throw new CreameryError(
        "upstream-hash",
        `what came has sha256 ${found.sha256}, where image.toml pins ${sha256}`,
        {
          input: what,
          nextStep:
            "check where this host's clients fetch from; only if the new file is known to be good, pin it in image.toml",
        },
      );
    } finally {
      await rm(partial, { force: true });
    }
  }
}

/** A lock that was written by a build names all that its definition asks for. */
export function unnamed(what: string): CreameryError {
  return new CreameryError("image-build", `the lock does not name ${what}`, {
    nextStep: "take the lock as `creamery image lock` wrote it",
  });
}

async function sizeOf(path: string): Promise<number | null> {
  return await stat(path).then(
    ({ size }) => size,
    () => null,
  );
}

/** How many of what is missing are named. */
const NAMED = 3;

/** That all files of a lock are kept. @throws CreameryError `bucket` counting those that are not, and naming the first. */
export async function assertKept(
  files: readonly LockedFile[],
  kept: KeptFiles,
  signal: AbortSignal,
): Promise<void> {
  const sha256s = files.map(({ sha256 }) => sha256);
  const found = await kept.find(sha256s, signal);
  const sizes = new Map(found.map(({ sha256, sizeBytes }) => [sha256, sizeBytes]));
  const missing = files.filter(({ sha256, sizeBytes }) => sizes.get(sha256) !== sizeBytes);
  if (missing.length === 0) return;
  const named = missing.slice(0, NAMED).map(({ what, sha256 }) => `${what} (${sha256})`);
  const more = missing.length > NAMED ? ` and ${missing.length - NAMED} more` : "";
  throw new CreameryError(
    "bucket",
    `${missing.length} of ${files.length} files of the lock are not kept: ${named.join(", ")}${more}`,
    {
      input: kept.directory,
      nextStep:
        "put the bucket back that the image was built with, or build the image anew with `creamery image build`",
    },
  );
}

/** Copies files of a lock to `directory/<sha256>`. @throws CreameryError `bucket` naming the one that is damaged. */
export async function takeLocked(
  files: readonly LockedFile[],
  kept: KeptFiles,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    await kept.take(files, directory, signal);
  } catch (thrown) {
    signal.throwIfAborted();
    if (!(thrown instanceof CreameryError) || thrown.code !== "bucket") throw thrown;
    const what = files.find(({ sha256 }) => thrown.input === sha256)?.what;
    throw new CreameryError("bucket", `a kept file ${thrown.message}`, {
      input: `${what ?? "?"} (${thrown.input})`,
      nextStep:
        "`creamery image build --force` mends it while what the mirror has is still that file",
      cause: thrown,
    });
  }
}
