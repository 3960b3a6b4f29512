import { chmod, chown, mkdir, rename } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { CreameryError } from "../../base/errors.ts";
import { buildAlone, type BuildOptions } from "../build-alone.ts";
import { checkRoom } from "../check-room.ts";
import { loadImage, verifyImage } from "../image-store.ts";
import type { ImageManifest } from "../manifest.ts";
import { putImage, SCRATCH } from "../put-image.ts";

export interface ImportRequest extends Omit<BuildOptions, "force"> {
  readonly imageId: string;
  readonly unpackedBytes: number;
  /** Whose process reads manifests. */
  readonly farmGid: number;
  /** Unpacks the archive into an empty directory. */
  readonly unpack: (into: string) => Promise<void>;
}

/** Blocks of a file system that small files do not fill, and what says where they are. */
const OVERHEAD = 1.15;

/**
 * Takes an image that another host has built, as root: unpacked where nobody else may look, every file read again, and put among
 * the images only when it is what its id says. Who comes while one is taken waits, and has the same.
 * @throws CreameryError `image-bad` for any other tree, `bad-archive`, `disk-full`; what `buildAlone` throws.
 */
export async function importImage(request: ImportRequest): Promise<ImageManifest> {
  const { imagesDir, imageId, unpackedBytes, farmGid, unpack, signal } = request;
  return await buildAlone(request, {
    present: () => loadImage(imagesDir, imageId).catch(() => null),
    build: async (building, progress) => {
      // A tree has programs that run as root whoever starts them.
      await chmod(building, 0o700);
      await checkRoom(imagesDir, unpackedBytes * OVERHEAD, "an image", "cache");
      const scratch = join(building, SCRATCH);
      const fresh = join(scratch, "image");
      await mkdir(fresh, { mode: 0o700 });
      progress.say("files", "unpacking");
      await unpack(fresh);
      progress.say("hash", "every file");
      const manifest = await sound(scratch, imageId, signal);
      for (const name of ["rootfs", "boot", "tree.jsonl"])
        if (existsSync(join(fresh, name))) await rename(join(fresh, name), join(building, name));
      // The farm's process reads the manifest, and gains nothing by a program of the tree; nobody else comes near one.
      await chown(building, 0, farmGid);
      await chmod(building, 0o750);
      return await putImage(building, manifest, imagesDir);
    },
  });
}

/** @throws CreameryError `image-bad` where what was unpacked is not what it is called. */
async function sound(
  directory: string,
  imageId: string,
  signal: AbortSignal,
): Promise<ImageManifest> {
  const name = "image";
  const manifest = await loadImage(directory, name).catch((cause: unknown) => {
    throw bad("its manifest can't be read", imageId, cause);
  });
  const { id, version, treeSha256 } = manifest;
  if (id !== imageId) throw bad(`it is ${id}`, imageId);
  if (id !== `${version}+${treeSha256.slice(0, 8)}`)
    throw bad(`its tree is said to be ${treeSha256}`, imageId);
  const found = await verifyImage(directory, name, signal).catch((thrown: unknown) => {
    signal.throwIfAborted();
    throw bad("its record can't be read", imageId, thrown);
  });
  if (!found.sound) throw bad(found.differences.slice(0, 3).join(", "), imageId);
  return manifest;
}

function bad(reason: string, imageId: string, cause?: unknown): CreameryError {
  return new CreameryError(
    "image-bad",
    `what came is not this image: ${reason}; nothing of it is kept`,
    {
      input: imageId,
      nextStep: "fetch it again; if it stays so, verify the image where it was built",
      ...(cause === undefined ? {} : { cause }),
    },
  );
}
