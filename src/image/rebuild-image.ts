import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";

import { CreameryError } from "../base/errors.ts";
import { buildAlone, type BuildOptions } from "./build-alone.ts";
import { checkRoom } from "./check-room.ts";
import { definitionHash } from "./definition-hash.ts";
import { readDefinition, type ImageDefinition } from "./definition.ts";
import { loadImage } from "./image-store.ts";
import { lockedFiles, type ImageLock } from "./lock/image-lock.ts";
import type { KeptFiles } from "./lock/kept-files.ts";
import { readLock, writeLock } from "./lock/lock-store.ts";
import { assertKept, SourceFiles } from "./lock/source-files.ts";
import { BUILDER, makeImage } from "./make-image.ts";
import type { ImageManifest } from "./manifest.ts";
import { putImage, SCRATCH } from "./put-image.ts";

export interface RebuildRequest extends BuildOptions {
  readonly lock: ImageLock;
  readonly kept: KeptFiles;
}

/** Debian's names of what Node calls otherwise. */
const ARCHITECTURES: Readonly<Partial<Record<NodeJS.Architecture, string>>> = {
  x64: "amd64",
  arm64: "arm64",
};

/**
 * Builds an image again out of its kept files, as root and with no upstream at all; or answers with it where it is there. The
 * definition is the lock's own, whatever a clone has by now.
 * @throws CreameryError `bucket` for files that are not kept or are damaged; `image-build` for another tree than the lock's, which
 * is never put among the images; and what `buildAlone` throws.
 */
export async function rebuildImage(request: RebuildRequest): Promise<ImageManifest> {
  const { lock, kept, imagesDir, signal } = request;
  const here = ARCHITECTURES[process.arch] ?? process.arch;
  if (lock.architecture !== here)
    throw new CreameryError(
      "configuration-file",
      `the lock is of an image for ${lock.architecture}, and this host is ${here}`,
      { input: lock.id, nextStep: `build it on a host that is ${lock.architecture}` },
    );
  const present = () => loadImage(imagesDir, lock.id).catch(() => null);
  return await buildAlone(request, {
    present,
    build: async (building, progress) => {
      const named = lockedFiles(lock);
      const namedBytes = named.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      await assertKept(named, kept, signal);
      await checkRoom(imagesDir, namedBytes, "what the image is made of", "cache");
      progress.say("files", `${named.length} of the lock, as they were kept`);
      const directory = join(building, SCRATCH, "files");
      const files = await SourceFiles.open({ directory, kept, locked: lock, signal });
      const definitionDir = join(building, SCRATCH, "definition");
      const definition = await layDefinition(lock, files, definitionDir);
      await checkRoom(imagesDir, definition.needs_bytes, "an image", "cache");
      const { manifest } = await makeImage({
        building,
        definitionDir,
        definition,
        definitionSha256: lock.definition.sha256,
        files,
        aptMirror: undefined,
        // Nobody's configuration counts.
        env: { PATH: "/usr/bin:/bin" },
        progress,
        signal,
      });
      if (manifest.treeSha256 !== lock.treeSha256) throw anotherTree(manifest, lock);
      if ((await readLock(imagesDir, lock.id).catch(() => null)) === null)
        await writeLock(imagesDir, lock);
      return (await present()) ?? (await putImage(building, manifest, imagesDir));
    },
  });
}

async function layDefinition(
  { definition, id, target, architecture }: ImageLock,
  files: SourceFiles,
  directory: string,
): Promise<ImageDefinition> {
  await mkdir(directory, { mode: 0o755 });
  for (const { name, sha256 } of definition.files)
    await copyFile(files.path(sha256), join(directory, name));
  const found = await readDefinition(directory);
  if (
    (await definitionHash(directory)) === definition.sha256 &&
    found.name === target &&
    found.architecture === architecture &&
    id.startsWith(`${found.version}+`)
  )
    return found;
  throw new CreameryError(
    "image-build",
    "the lock's definition is not the one that it says it is",
    {
      input: id,
      nextStep: "take the lock as `creamery image lock` wrote it",
    },
  );
}

function anotherTree({ treeSha256 }: ImageManifest, lock: ImageLock): CreameryError {
  const nextStep =
    lock.by === BUILDER
      ? "take the creamery that it was built with: what the farm's own code does to a tree is part of it"
      : `it was built by ${lock.by}, and this is ${BUILDER}: take that one`;
  return new CreameryError(
    "image-build",
    `the files of the lock gave a tree of sha256 ${treeSha256}, where the lock has ${lock.treeSha256}; nothing of it is kept`,
    { input: lock.id, nextStep },
  );
}
