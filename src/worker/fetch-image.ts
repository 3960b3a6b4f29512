import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { CreameryError, diskFullFault, reasonOf } from "../base/errors.ts";
import type { ImageArchive } from "../image/archive/image-archive.ts";
import { lockBuilds } from "../image/build-lock.ts";
import { checkRoom } from "../image/check-room.ts";
import { loadImage } from "../image/image-store.ts";
import type { ImageManifest } from "../image/manifest.ts";
import type { LauncherClient } from "../launcher/client.ts";
import { INCOMING, type Directories } from "../launcher/directories.ts";
import type { FarmClient } from "./farm-client.ts";
import { PackedImage } from "./farm-images.ts";

export interface FetchProgress {
  /** `wait`: for another process of this host that fetches; `pack`: for the farm. */
  readonly step: "wait" | "pack" | "fetch" | "import";
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

export interface FetchImageDeps {
  readonly farm: FarmClient;
  readonly launcher: Pick<LauncherClient, "request">;
  readonly directories: Pick<Directories, "cache" | "data">;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: FetchProgress) => void;
  /** Before what broke off is asked for again. */
  readonly pauseMs?: number;
}

/** The farm may have to pack it first. */
const PACK_MS = 30 * 60_000;
const PAUSE_MS = 2000;
/** Tries that brought nothing, one after another. */
const MAX_FRUITLESS = 5;
const OVERHEAD = 1.15;

/** Faults after which the same file would be refused again. */
const BAD = new Set(["bad-archive", "image-bad", "upstream-hash"]);

/**
 * An image of the farm's on this host: as it is there, else fetched by its hash, never built. What broke off goes on where it
 * was, also after this process; the launcher lets nothing in that is not what the id says.
 * @throws CreameryError `unknown-image`, `farm-refused`, `no-network`, `upstream`, `upstream-hash`, `bad-archive`, `image-bad`,
 * `disk-full`, `interrupted`.
 */
export async function fetchImage(imageId: string, deps: FetchImageDeps): Promise<ImageManifest> {
  const { farm, launcher, directories, signal } = deps;
  const imagesDir = join(directories.cache, "images");
  const tell = (step: FetchProgress["step"], bytesDone = 0, bytesTotal = 0) =>
    deps.onProgress?.({ step, bytesDone, bytesTotal });
  const present = () => loadImage(imagesDir, imageId).catch(() => null);
  const before = await present();
  if (before !== null) return before;

  const incoming = join(directories.data, INCOMING);
  await mkdir(incoming, { recursive: true, mode: 0o700 });
  await using _lock = await lockBuilds(incoming, signal, () => tell("wait"));
  const meanwhile = await present();
  if (meanwhile !== null) return meanwhile;
  tell("pack");
  const { id, archive } = await farm.json(
    { path: `worker/images/${encodeURIComponent(imageId)}`, signal, idleMs: PACK_MS },
    PackedImage,
  );
  if (id !== imageId || archive.id !== imageId)
    throw new CreameryError("upstream", "the farm tells of another image", { input: imageId });
  const path = join(incoming, archive.sha256);
  await removeOthers(incoming, archive.sha256);
  await checkRoom(imagesDir, archive.unpackedBytes * OVERHEAD, "an image", "cache");
  await download(archive, path, deps, (bytes) => tell("fetch", bytes, archive.sizeBytes));
  tell("import");
  const { sha256, unpackedBytes } = archive;
  try {
    await launcher.request({ kind: "import-image", imageId, sha256, unpackedBytes }, { signal });
  } catch (thrown) {
    if (thrown instanceof CreameryError && BAD.has(thrown.code)) await rm(path, { force: true });
    throw thrown;
  }
  await rm(path, { force: true });
  return await loadImage(imagesDir, imageId);
}

/** What was fetched of images that are not wanted any more. */
async function removeOthers(incoming: string, sha256: string): Promise<void> {
  for (const name of await readdir(incoming))
    if (/^[0-9a-f]{64}/u.test(name) && !name.startsWith(sha256))
      await rm(join(incoming, name), { force: true });
}

/** @param path where the whole file comes to lie. */
async function download(
  archive: ImageArchive,
  path: string,
  deps: FetchImageDeps,
  onBytes: (bytes: number) => void,
): Promise<void> {
  if ((await stat(path).catch(() => null))?.size === archive.sizeBytes) return;
  const part = `${path}.part`;
  await using file = await open(part, "a+", 0o640);
  const arriving = new Arriving(archive, file, onBytes);
  try {
    await arriving.resume(part);
    const leftBytes = archive.sizeBytes - arriving.bytes;
    await checkRoom(join(path, ".."), leftBytes, "an image's archive", "data");
    for (let fruitless = 0; arriving.bytes < archive.sizeBytes;) {
      const had = arriving.bytes;
      const broken = await arriving.more(deps);
      if (arriving.bytes === archive.sizeBytes) break;
      fruitless = arriving.bytes > had ? 0 : fruitless + 1;
      if (fruitless >= MAX_FRUITLESS) throw broken;
      await sleep(deps.pauseMs ?? PAUSE_MS, undefined, { signal: deps.signal });
    }
  } catch (thrown) {
    deps.signal.throwIfAborted();
    throw diskFullFault(thrown, part) ?? thrown;
  }
  if (arriving.sha256 !== archive.sha256) {
    await rm(part, { force: true });
    throw new CreameryError(
      "upstream-hash",
      `the farm sent an archive whose sha256 is ${arriving.sha256}, not ${archive.sha256}`,
      { input: archive.id },
    );
  }
  await file.sync();
  await rename(part, path);
}

/** A file on its way here. */
class Arriving {
  bytes = 0;
  #hash: Hash = createHash("sha256");
  readonly #archive: ImageArchive;
  readonly #file: FileHandle;
  readonly #onBytes: (bytes: number) => void;

  constructor(archive: ImageArchive, file: FileHandle, onBytes: (bytes: number) => void) {
    this.#archive = archive;
    this.#file = file;
    this.#onBytes = onBytes;
  }

  get sha256(): string {
    return this.#hash.copy().digest("hex");
  }

  /** What an earlier try has brought. */
  async resume(part: string): Promise<void> {
    if ((await this.#file.stat()).size > this.#archive.sizeBytes) await this.#anew();
    for await (const chunk of createReadStream(part)) {
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
      this.#hash.update(bytes);
      this.bytes += bytes.length;
    }
  }

  /** Asks for what is left. @returns why it may not all have come. */
  async more({ farm, signal }: FetchImageDeps): Promise<CreameryError> {
    const { id, sha256, sizeBytes } = this.#archive;
    using response = await farm.request({
      path: `worker/images/${encodeURIComponent(id)}/archive`,
      signal,
      headers: this.bytes === 0 ? {} : { range: `bytes=${this.bytes}-` },
    });
    if (response.headers.etag !== `"${sha256}"`)
      throw new CreameryError("upstream", "the farm has packed the image anew meanwhile", {
        input: id,
        nextStep: "try again",
      });
    const from = /^bytes (\d+)-/u.exec(response.headers["content-range"] ?? "")?.[1];
    if (response.status === 200 && this.bytes > 0) await this.#anew();
    else if (response.status !== 200 && Number(from) !== this.bytes)
      throw new CreameryError("upstream", "the farm sends another part than it was asked for", {
        input: id,
      });
    try {
      for await (const chunk of response.body) {
        const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
        if (this.bytes + bytes.length > sizeBytes)
          throw new CreameryError("upstream-hash", "the farm sends more than it said", {
            input: id,
          });
        await this.#file.appendFile(bytes);
        this.#hash.update(bytes);
        this.bytes += bytes.length;
        this.#onBytes(this.bytes);
      }
    } catch (thrown) {
      signal.throwIfAborted();
      if (thrown instanceof CreameryError && thrown.code === "upstream-hash") throw thrown;
      const full = diskFullFault(thrown, id);
      if (full !== null) throw full;
      return brokeOff(id, reasonOf(thrown));
    }
    return brokeOff(id, "it was cut short");
  }

  async #anew(): Promise<void> {
    await this.#file.truncate(0);
    this.#hash = createHash("sha256");
    this.bytes = 0;
  }
}

function brokeOff(input: string, reason: string): CreameryError {
  return new CreameryError("no-network", `the image's archive broke off: ${reason}`, { input });
}
