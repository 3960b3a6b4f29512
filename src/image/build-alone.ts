import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";

import { CreameryError } from "../base/errors.ts";
import { BuildProgress, type OnBuildEvent } from "./build-event.ts";
import { lockBuilds } from "./build-lock.ts";
import type { ImageManifest } from "./manifest.ts";
import { SCRATCH } from "./put-image.ts";
import { removeTree } from "./remove-tree.ts";

export interface BuildOptions {
  readonly imagesDir: string;
  /** Build even when the image is there. */
  readonly force?: boolean;
  readonly onProgress?: OnBuildEvent;
  readonly signal: AbortSignal;
}

/** What one way of building has of its own. */
export interface BuildWay {
  /** The image that is there already, or null. */
  present(): Promise<ImageManifest | null>;
  /** @param building has an empty `scratch`, and goes when this is over. @returns the image, in its place. */
  build(building: string, progress: BuildProgress): Promise<ImageManifest>;
}

/**
 * Builds an image as root, one at a time in a directory; or answers with the one that is there. It is made under another
 * name and renamed when whole: what an abort, a fault or a power cut leaves is never taken for an image, and
 * the next build removes it.
 * @throws CreameryError `needs-root`, `host-lacks`, `disk-full`, and what `build` throws; the signal's reason when aborted.
 */
export async function buildAlone(options: BuildOptions, way: BuildWay): Promise<ImageManifest> {
  const { imagesDir, force = false, signal } = options;
  const progress = new BuildProgress(options.onProgress ?? (() => {}));
  const present = await way.present();
  if (present !== null && !force) return present;
  if (process.getuid?.() !== 0)
    throw new CreameryError("needs-root", "an image can only be built as root", {
      nextStep: "run ./creamery as root or with sudo",
    });

  await mkdir(imagesDir, { recursive: true, mode: 0o755 });
  await using lock = await lockBuilds(imagesDir, signal, () =>
    progress.say("wait", "another build is running here"),
  );
  if (lock.waited) {
    const made = await way.present();
    if (made !== null) return made;
  }
  await removeLeftovers(imagesDir);

  const building = join(imagesDir, `.building-${process.pid}`);
  try {
    await mkdir(join(building, SCRATCH), { recursive: true, mode: 0o755 });
    const image = await way.build(building, progress);
    progress.say("done", image.id);
    return image;
  } catch (thrown) {
    if (hasCode(thrown, "ENOSPC"))
      throw new CreameryError("disk-full", "the disk filled up while the image was built", {
        input: imagesDir,
        nextStep: "free some space, then run the same command again",
        cause: thrown,
      });
    throw thrown;
  } finally {
    await removeTree(building);
  }
}

/** Under the lock, whatever is half made is nobody's. */
async function removeLeftovers(imagesDir: string): Promise<void> {
  for (const name of await readdir(imagesDir)) {
    // `.downloads` is where an earlier creamery kept archives of interpreters.
    if (/^\.(?:building|removing)-|^\.downloads$/u.test(name))
      await removeTree(join(imagesDir, name));
  }
}

function hasCode(thrown: unknown, code: string): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === code;
}
