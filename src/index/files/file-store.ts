import { createHash } from "node:crypto";
import { copyFile, link, mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

import { sha256OfFile } from "../../base/hash-file.ts";
import { isOfEnded, PROCESS_NAME } from "../../base/process-name.ts";
import { CreameryError, diskFullFault } from "../../base/errors.ts";
import { within } from "../../base/within.ts";
import { noteUse } from "../cache/note-use.ts";
import {
  Download,
  type DownloadLimits,
  type FileReader,
  type StoredFile,
  type WantedFile,
} from "./download.ts";
import { replaceFile } from "./replace-file.ts";
import { shownUrl } from "../upstream/secret.ts";
import type { UpstreamClient } from "../upstream/upstream-client.ts";

export type { FileReader, StoredFile, WantedFile } from "./download.ts";

export interface FileStoreOptions extends Partial<DownloadLimits> {
  readonly directory: string;
}

const SHA256 = /^[0-9a-f]{64}$/u;
const EMPTY = createHash("sha256").digest("hex");

/**
 * Files by content, on disk. One that is being fetched can be read along; all who ask for it while it
 * comes share one download, and nobody gets its last bytes before its sha256 was seen to be right.
 */
export class FileStore {
  readonly #directory: string;
  readonly #options: DownloadLimits;
  readonly #downloads = new Map<string, Download>();

  private constructor(options: FileStoreOptions) {
    this.#directory = options.directory;
    this.#options = {
      maxFileBytes: 2 * 1024 ** 3,
      idleMs: 30_000,
      deadlineMs: 15 * 60_000,
      retries: 4,
      ...options,
    };
  }

  static async open(options: FileStoreOptions): Promise<FileStore> {
    const store = new FileStore(options);
    const partial = store.#partialDirectory;
    await mkdir(partial, { recursive: true });
    // What ended processes left half fetched.
    for (const name of await readdir(partial)) {
      if (isOfEnded(name)) await rm(join(partial, name), { force: true });
    }
    return store;
  }

  get #partialDirectory(): string {
    return join(this.#directory, "partial");
  }

  /** Where a file with this content is, or would be. */
  pathOf(sha256: string): string {
    return join(this.#directory, placeOf(sha256));
  }

  /** The file if it is here, whole and verified. */
  async kept(wanted: Pick<WantedFile, "key" | "sha256">): Promise<StoredFile | null> {
    const sha256 = wanted.sha256 ?? (await this.#sha256ByKey(wanted.key));
    if (sha256 === null) return null;
    const path = this.pathOf(sha256);
    const found = await stat(path).catch(() => null);
    // As a machine leaves it that lost its power before all was on the disk.
    if (found?.size === 0 && sha256 !== EMPTY) return null;
    // Whoever is told of it has it for the grace of a collection.
    if (found === null || !(await noteUse(path, found))) return null;
    return { path, sha256, sizeBytes: found.size };
  }

  /**
   * The file, whole and verified; fetched if need be.
   * @throws CreameryError `upstream-hash`, `upstream`, `no-network`, `disk-full`, `interrupted`.
   */
  async whole(
    wanted: WantedFile,
    client: UpstreamClient,
    signal: AbortSignal,
  ): Promise<StoredFile> {
    const kept = await this.kept(wanted);
    if (kept !== null) return kept;
    using reader = this.follow(wanted, client);
    return await within(reader.done, { signal });
  }

  /** Reads along with the download of a file, which starts if there is none; it ends when its last reader goes. */
  follow(wanted: WantedFile, client: UpstreamClient): FileReader {
    // Of one hash from one place: who names it falsely keeps nobody from having it from elsewhere.
    const name = `${wanted.key} ${shownUrl(wanted.url)}`;
    let download = this.#downloads.get(name);
    // One that has failed is nobody's to join, even while it still clears up after itself.
    if (download === undefined || download.failed) {
      download = new Download(wanted, client, {
        ...this.#options,
        partialPath: join(
          this.#partialDirectory,
          `${PROCESS_NAME}-${wanted.key}.${Math.random().toString(36).slice(2)}`,
        ),
        keep: (path, sha256) => this.#keep(wanted, path, sha256),
      });
      const started = download;
      this.#downloads.set(name, started);
      started.done
        .catch(() => undefined)
        .finally(() => {
          if (this.#downloads.get(name) === started) this.#downloads.delete(name);
        });
      started.onAbandoned = () => {
        if (this.#downloads.get(name) === started) this.#downloads.delete(name);
      };
    }
    return download.join();
  }

  async close(): Promise<void> {
    const running = [...this.#downloads.values()];
    for (const download of running) download.abort();
    await Promise.allSettled(running.map((download) => download.done));
  }

  async #keep(wanted: WantedFile, partialPath: string, sha256: string): Promise<string> {
    const path = this.pathOf(sha256);
    await mkdir(dirname(path), { recursive: true });
    await rename(partialPath, path);
    if (wanted.sha256 === null) {
      await mkdir(join(this.#directory, "unhashed"), { recursive: true });
      await replaceFile(join(this.#directory, "unhashed", wanted.key), Buffer.from(sha256));
    }
    return path;
  }

  async #sha256ByKey(key: string): Promise<string | null> {
    if (!/^u-[0-9a-f]{64}$/u.test(key)) return null;
    const text = await readFile(join(this.#directory, "unhashed", key), "utf8").catch(() => "");
    return SHA256.test(text) ? text : null;
  }

  /**
   * Keeps a copy of a file that lies on this machine, under its content's name.
   * @throws CreameryError `internal` when it holds something else, `disk-full`.
   */
  async keepCopy(path: string, sha256: string): Promise<void> {
    if ((await this.kept({ key: sha256, sha256 })) !== null) return;
    const copy = join(
      this.#partialDirectory,
      `${PROCESS_NAME}-${sha256}.${Math.random().toString(36).slice(2)}`,
    );
    try {
      await copyFile(path, copy);
      if ((await sha256OfFile(copy)) !== sha256)
        throw new CreameryError("internal", "has another sha256 than was said", { input: path });
      const target = this.pathOf(sha256);
      await mkdir(dirname(target), { recursive: true });
      await rename(copy, target);
    } catch (thrown) {
      await rm(copy, { force: true });
      throw diskFullFault(thrown, path) ?? thrown;
    }
  }

  /** Takes a file that lies on this machine already, under its content's name. */
  async adopt(path: string, sha256: string): Promise<void> {
    const target = this.pathOf(sha256);
    await mkdir(dirname(target), { recursive: true });
    await link(path, target).catch((thrown: unknown) => {
      if (!(thrown instanceof Error && "code" in thrown && thrown.code === "EEXIST")) throw thrown;
    });
  }
}

/** Where a file with this content is, below the store's directory. */
export function placeOf(sha256: string): string {
  if (!SHA256.test(sha256))
    throw new CreameryError("internal", "is no sha256", { input: sha256.slice(0, 80) });
  return `sha256/${sha256.slice(0, 2)}/${sha256}`;
}
