import { join, resolve } from "node:path";

import { CreameryError } from "../base/errors.ts";
import { packImage, removeArchive } from "../image/archive/image-archive.ts";
import { importImage } from "../image/archive/import-image.ts";
import { buildImage } from "../image/build-image.ts";
import { forgetImage, promoteImage } from "../image/channels.ts";
import { MAX_LOCK_BYTES, parseLock } from "../image/lock/image-lock.ts";
import { rebuildImage } from "../image/rebuild-image.ts";
import { releaseImage } from "../image/remove-image.ts";
import { archivesDirectory, FARM_UID, INCOMING, type Directories } from "./directories.ts";
import { FarmFiles } from "./farm-files.ts";
import type { LauncherReply } from "./protocol.ts";
import type { Session } from "./session.ts";
import { unpackContained } from "./unpack-contained.ts";
import { everyNow } from "./every-now.ts";
import { readUserText, type FileRequest } from "./user-files.ts";

export interface ImagesOptions {
  readonly session: Session;
  readonly directories: Directories;
  readonly env: NodeJS.ProcessEnv;
}

interface BuildAsked {
  readonly force: boolean;
  readonly onProgress: (event: unknown) => void;
  readonly signal: AbortSignal;
}

/** What is made of images, and removed, on this host. */
export class Images {
  readonly #session: Session;
  readonly #env: NodeJS.ProcessEnv;
  readonly #imagesDir: string;
  readonly #archivesDir: string;
  readonly #kept: FarmFiles;

  constructor({ session, directories, env }: ImagesOptions) {
    this.#session = session;
    this.#env = env;
    this.#imagesDir = join(directories.cache, "images");
    this.#archivesDir = archivesDirectory(directories);
    this.#kept = new FarmFiles(session, directories);
  }

  async build(asked: BuildAsked & { definition: string }): Promise<LauncherReply<"build-image">> {
    const { definition, force, onProgress, signal } = asked;
    const { id } = await buildImage({
      definitionDir: join(this.#session.repository, "images", definition),
      imagesDir: this.#imagesDir,
      kept: this.#kept,
      env: this.#env,
      force,
      onProgress,
      signal,
    });
    return await this.#next(id);
  }

  /**
   * Out of a lock, which decides what runs as root while the image is built. So it is the person's own: a file that the command
   * line names, read with that person's rights, and never what the farm's process says.
   */
  async rebuild(asked: BuildAsked & FileRequest): Promise<LauncherReply<"rebuild-image">> {
    const { path, force, onProgress, signal } = asked;
    if (!isTyped(path, process.argv.slice(2), process.cwd()))
      throw new CreameryError("launcher", "the command line names no such lock", { input: path });
    const { text } = await readUserText({ ...asked, maxBytes: MAX_LOCK_BYTES });
    const { id } = await rebuildImage({
      lock: parseLock(text, path),
      imagesDir: this.#imagesDir,
      kept: this.#kept,
      force,
      onProgress,
      signal,
    });
    return await this.#next(id);
  }

  async remove(asked: {
    imageId: string;
    files: boolean;
    signal: AbortSignal;
  }): Promise<LauncherReply<"remove-image">> {
    const { imageId, files, signal } = asked;
    await forgetImage(this.#imagesDir, imageId);
    await removeArchive(this.#archivesDir, imageId, signal);
    return await releaseImage(this.#imagesDir, imageId, files ? this.#kept : null, signal);
  }

  /** @throws CreameryError `unknown-image`, `image-bad`, `disk-full`. */
  async pack(asked: {
    imageId: string;
    onProgress: (event: unknown) => void;
    signal: AbortSignal;
  }): Promise<LauncherReply<"pack-image">> {
    const { imageId, onProgress, signal } = asked;
    const { sha256, sizeBytes, unpackedBytes } = await packImage({
      imagesDir: this.#imagesDir,
      archivesDir: this.#archivesDir,
      imageId,
      farmGid: FARM_UID,
      signal,
      onPacked: everyNow((packedBytes) => onProgress({ packedBytes })),
    });
    return { sha256, sizeBytes, unpackedBytes };
  }

  /** Takes an image that another host has built. @throws CreameryError `bad-archive`, `image-bad`, `disk-full`. */
  async take(asked: {
    imageId: string;
    sha256: string;
    unpackedBytes: number;
    onProgress: (event: unknown) => void;
    signal: AbortSignal;
  }): Promise<LauncherReply<"import-image">> {
    const { imageId, sha256, unpackedBytes, onProgress, signal } = asked;
    const session = this.#session;
    const archive = join(this.#kept.directory, INCOMING, sha256);
    const { id } = await importImage({
      imagesDir: this.#imagesDir,
      imageId,
      unpackedBytes,
      farmGid: FARM_UID,
      onProgress,
      signal,
      unpack: (into) =>
        unpackContained({ session, archive, sha256, maxBytes: unpackedBytes, into, signal }),
    });
    return { imageId: id };
  }

  /** The channel `next` is what was built last. */
  async #next(imageId: string): Promise<{ imageId: string }> {
    await promoteImage(this.#imagesDir, "next", imageId);
    return { imageId };
  }
}

/** Whether the command line names this path as a lock. */
export function isTyped(path: string, argv: readonly string[], cwd: string): boolean {
  return argv.some((word, index) => {
    const typed = argv[index - 1] === "--locked" ? word : /^--locked=(.*)$/su.exec(word)?.[1];
    return typed !== undefined && resolve(cwd, typed) === path;
  });
}
