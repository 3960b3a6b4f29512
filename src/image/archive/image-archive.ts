import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { chmod, chown, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress } from "node:zlib";

import { z } from "zod";

import { exitCodeOf, firstWords } from "../../base/child.ts";
import { CreameryError, diskFullFault } from "../../base/errors.ts";
import { lockBuilds } from "../build-lock.ts";
import { checkRoom } from "../check-room.ts";
import { loadImage } from "../image-store.ts";
import { IMAGE_TAR_FORM } from "../tar-form.ts";

/** An image as one file, for hosts that fetch it instead of building it. */
export const ImageArchive = z.strictObject({
  id: z.string(),
  /** Of the file, hexadecimal. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/u),
  sizeBytes: z.int().positive(),
  /** Of the archive in it, unpacked: no tree of it is larger. */
  unpackedBytes: z.int().positive(),
});
export type ImageArchive = z.infer<typeof ImageArchive>;

export interface PackRequest {
  readonly imagesDir: string;
  /** `<cache>/archives`: root's own; its files are the farm's to read. */
  readonly archivesDir: string;
  readonly imageId: string;
  readonly farmGid: number;
  readonly signal: AbortSignal;
  readonly onPacked: (bytes: number) => void;
}

/** A tenth smaller than by default, in a time that is still the disk's more than the processor's. */
const ZSTD_LEVEL = 6;

export function archivePath(archivesDir: string, sha256: string): string {
  return join(archivesDir, `${sha256}.tar.zst`);
}

/** The archive of an image, if there is one. */
export async function findArchive(
  archivesDir: string,
  imageId: string,
): Promise<ImageArchive | null> {
  const text = await readFile(notePath(archivesDir, imageId), "utf8").catch(() => null);
  if (text === null) return null;
  const parsed = ImageArchive.safeParse(jsonOf(text));
  if (!parsed.success || parsed.data.id !== imageId) return null;
  const found = await stat(archivePath(archivesDir, parsed.data.sha256)).catch(() => null);
  return found?.size === parsed.data.sizeBytes ? parsed.data : null;
}

/**
 * Packs an image, as root: once, whoever asks for it, however many at a time. Half of one is never taken for a whole, and is
 * removed by whoever packs next.
 * @throws CreameryError `unknown-image`, `image-bad`, `disk-full`; the signal's reason.
 */
export async function packImage(request: PackRequest): Promise<ImageArchive> {
  const { archivesDir, imagesDir, imageId, signal } = request;
  const image = await loadImage(imagesDir, imageId);
  const present = await findArchive(archivesDir, imageId);
  if (present !== null) return present;
  await mkdir(archivesDir, { recursive: true, mode: 0o755 });
  await using _lock = await lockBuilds(archivesDir, signal, () => undefined);
  const made = await findArchive(archivesDir, imageId);
  if (made !== null) return made;
  await removeUnnamed(archivesDir);
  // It is a third of its image, as a rule.
  await checkRoom(archivesDir, image.sizeBytes / 2, "an image's archive", "cache");
  const part = join(archivesDir, `.part-${process.pid}`);
  try {
    const archive = { id: imageId, ...(await pack(request, part)) };
    await chown(part, 0, request.farmGid);
    await chmod(part, 0o640);
    await rename(part, archivePath(archivesDir, archive.sha256));
    await writeNote(archivesDir, archive, part);
    return archive;
  } catch (thrown) {
    signal.throwIfAborted();
    throw diskFullFault(thrown, archivesDir) ?? thrown;
  } finally {
    await rm(part, { force: true });
  }
}

/** With its image. */
export async function removeArchive(
  archivesDir: string,
  imageId: string,
  signal: AbortSignal,
): Promise<void> {
  if ((await readdir(archivesDir).catch(() => [])).length === 0) return;
  // What is being packed now is packed first.
  await using _lock = await lockBuilds(archivesDir, signal, () => undefined);
  await rm(notePath(archivesDir, imageId), { force: true });
  await removeUnnamed(archivesDir);
}

async function pack(
  { imagesDir, imageId, signal, onPacked }: PackRequest,
  part: string,
): Promise<Omit<ImageArchive, "id">> {
  const directory = join(imagesDir, imageId);
  const names = ["manifest.json", "tree.jsonl", "boot", "rootfs"];
  const there = new Set(await readdir(directory));
  await rm(part, { force: true });
  // An image that has extended attributes is not unpacked elsewhere: it is said then, and not left out here.
  // Read from the first moment on: what a child says to nobody is lost when it ends.
  const tar = spawn(
    "tar",
    [
      "--create",
      ...IMAGE_TAR_FORM,
      "--directory",
      directory,
      ...names.filter((name) => there.has(name)),
    ],
    {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C.UTF-8" },
      signal,
      killSignal: "SIGKILL",
    },
  ).on("error", () => undefined);
  const said = firstWords(tar.stderr);
  const exited = exitCodeOf(tar);
  const hash = createHash("sha256");
  let sizeBytes = 0;
  let unpackedBytes = 0;
  const unpacked = passing((chunk) => {
    unpackedBytes += chunk.length;
    onPacked(unpackedBytes);
  });
  const packed = passing((chunk) => {
    hash.update(chunk);
    sizeBytes += chunk.length;
  });
  const zstd = createZstdCompress({
    params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL },
  });
  const file = createWriteStream(part, { flags: "wx", mode: 0o600, flush: true });
  await pipeline(tar.stdout, unpacked, zstd, packed, file, { signal });
  const code = await exited;
  signal.throwIfAborted();
  if (code !== 0)
    throw new CreameryError(
      "image-bad",
      `its tree can't be packed: ${said() || `tar ended with ${code ?? "a signal"}`}`,
      { input: imageId, nextStep: `look at it with \`creamery image verify ${imageId}\`` },
    );
  return { sha256: hash.digest("hex"), sizeBytes, unpackedBytes };
}

/** Under the lock: halves, and files that no note names. */
async function removeUnnamed(archivesDir: string): Promise<void> {
  const names = await readdir(archivesDir);
  const notes = names.filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -5));
  const archives = await Promise.all(notes.map((id) => findArchive(archivesDir, id)));
  const named = new Set(archives.map((archive) => `${archive?.sha256 ?? ""}.tar.zst`));
  for (const name of names)
    if (name.startsWith(".part-") || (name.endsWith(".tar.zst") && !named.has(name)))
      await rm(join(archivesDir, name), { force: true });
}

async function writeNote(archivesDir: string, archive: ImageArchive, part: string): Promise<void> {
  const beside = `${part}.json`;
  try {
    await rm(beside, { force: true });
    await using file = await open(beside, "wx", 0o644);
    await file.writeFile(JSON.stringify(archive));
    await file.sync();
    await rename(beside, notePath(archivesDir, archive.id));
  } finally {
    await rm(beside, { force: true });
  }
}

function notePath(archivesDir: string, imageId: string): string {
  return join(archivesDir, `${imageId}.json`);
}

function passing(onChunk: (chunk: Buffer) => void): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      onChunk(chunk);
      done(null, chunk);
    },
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
