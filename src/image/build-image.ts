import { copyFile } from "node:fs/promises";
import { join } from "node:path";

import { clip, printableLine } from "../base/bounded-text.ts";
import { buildAlone, type BuildOptions } from "./build-alone.ts";
import type { BuildProgress } from "./build-event.ts";
import { checkRoom } from "./check-room.ts";
import { definitionFiles, definitionHash } from "./definition-hash.ts";
import { readDefinition, type ImageDefinition } from "./definition.ts";
import { currentImage } from "./image-store.ts";
import { withoutAddresses } from "./interpreters/said.ts";
import { lockedFiles, type ImageLock } from "./lock/image-lock.ts";
import type { KeptFiles } from "./lock/kept-files.ts";
import { readLock, writeLock } from "./lock/lock-store.ts";
import { SourceFiles } from "./lock/source-files.ts";
import { BUILDER, makeImage, type MadeImage } from "./make-image.ts";
import type { ImageManifest } from "./manifest.ts";
import { putImage, SCRATCH } from "./put-image.ts";

export interface BuildRequest extends BuildOptions {
  /** Holds image.toml, customize.sh and prove.py. */
  readonly definitionDir: string;
  /** Where its files go, so that it can be built again from them; without, no lock is written. */
  readonly kept?: KeptFiles;
  /** Instead of the one in the host's apt sources. */
  readonly aptMirror?: string;
  /** The host's environment, for pip's configuration. */
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Builds the image of a definition, as root; or answers with the one that is there (`buildAlone`). All files that it was made of
 * are kept, and its lock is written, before it can be seen.
 * @throws CreameryError `needs-root`, `host-lacks`, `no-network`, `disk-full`, `image-build`, `configuration-file`;
 * the signal's reason when aborted.
 */
export async function buildImage(request: BuildRequest): Promise<ImageManifest> {
  const { definitionDir, imagesDir, signal, aptMirror, env = process.env, kept = null } = request;
  const definition = await readDefinition(definitionDir);
  const definitionSha256 = await definitionHash(definitionDir);
  return await buildAlone(request, {
    present: () => currentImage(imagesDir, definitionSha256),
    build: async (building, progress) => {
      await checkRoom(imagesDir, definition.needs_bytes, "an image", "cache");
      if (kept !== null)
        await checkRoom(kept.directory, definition.keeps_bytes, "what an image is made of", "data");
      const directory = join(building, SCRATCH, "files");
      const files = await SourceFiles.open({ directory, kept, locked: null, signal });
      const context = { building, definition, definitionDir, files, progress, signal };
      const made = await makeImage({ ...context, definitionSha256, aptMirror, env });
      if (kept !== null) await keepSources({ ...context, made, kept, directory, imagesDir });
      return await putImage(building, made.manifest, imagesDir);
    },
  });
}

interface KeepRequest {
  readonly made: MadeImage;
  readonly building: string;
  readonly definition: ImageDefinition;
  readonly definitionDir: string;
  readonly files: SourceFiles;
  readonly kept: KeptFiles;
  /** Of the build's files. */
  readonly directory: string;
  readonly imagesDir: string;
  readonly progress: BuildProgress;
  readonly signal: AbortSignal;
}

/** A tree that had a lock keeps that one: whoever took it elsewhere has the same. */
async function keepSources(request: KeepRequest): Promise<void> {
  const { kept, directory, imagesDir, progress, signal } = request;
  const lock = await lockOf(request);
  const earlier = await readLock(imagesDir, lock.id).catch(() => null);
  const named = new Set(lockedFiles(earlier ?? lock).map(({ sha256 }) => sha256));
  const keeping = lockedFiles(lock).filter(({ sha256 }) => named.has(sha256));
  progress.say("files", `keeping ${keeping.length}, to build it again from`);
  await kept.keep(keeping, directory, signal);
  if (earlier === null) await writeLock(imagesDir, lock);
}

async function lockOf(request: KeepRequest): Promise<ImageLock> {
  const { made, building, definition, definitionDir, files } = request;
  const { id, target, treeSha256, definitionSha256, missing } = made.manifest;
  const definitions: ImageLock["definition"]["files"] = [];
  for (const name of await definitionFiles(definitionDir)) {
    const copy = join(building, SCRATCH, "definition-file");
    await copyFile(join(definitionDir, name), copy);
    definitions.push({ name, ...(await files.add(copy)) });
  }
  return {
    schema: 1,
    id,
    target,
    architecture: definition.architecture,
    treeSha256,
    by: BUILDER,
    definition: { sha256: definitionSha256, files: definitions },
    packages: [...made.packages],
    tools: [...made.tools],
    archives: files.archives,
    missing: missing.map(({ name, reason, nextStep }) => ({
      name,
      reason: oneLine(reason),
      nextStep: oneLine(nextStep),
    })),
  };
}

/** Of a fault, which names an archive by its address and may hold what a client said. */
function oneLine(text: string): string {
  return clip(printableLine(withoutAddresses(text)), 1000);
}
