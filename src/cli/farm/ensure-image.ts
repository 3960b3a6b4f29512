import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";

import { channelImage } from "../../image/channels.ts";
import { definitionHash } from "../../image/definition-hash.ts";
import { currentImage, loadImage } from "../../image/image-store.ts";
import type { ImageManifest } from "../../image/manifest.ts";
import type { LauncherClient } from "../../launcher/client.ts";
import { chooseImage } from "./choose-image.ts";

/** The one definition so far: what guests of this host's kind run. */
const DEFINITION = "linux-x86_64";
const DEFINITIONS = fileURLToPath(new URL("../../../images", import.meta.url));
const INSIDE_A_STEP_MS = 5_000;

const BuildEvent = z.object({ step: z.string(), detail: z.string(), seconds: z.number() });

export interface EnsureOptions {
  readonly imagesDir: string;
  readonly launcher: LauncherClient;
  /** Build even if it is there. */
  readonly force: boolean;
  readonly signal: AbortSignal;
  /** A line of progress. */
  readonly tell: (line: string) => void;
}

export interface EnsuredImage {
  readonly image: ImageManifest;
  readonly built: boolean;
}

/**
 * The image of this clone's definition: as it is there, else built now.
 * @throws CreameryError `image-build` and what else the launcher says of a build.
 */
export async function ensureImage(options: EnsureOptions): Promise<EnsuredImage> {
  const { imagesDir, launcher, force, signal, tell } = options;
  const definition = await definitionHash(join(DEFINITIONS, DEFINITION));
  const present = force ? null : await currentImage(imagesDir, definition);
  if (present !== null) return { image: present, built: false };
  tell("building the image: all interpreters side by side, about two minutes and 4 GB of disk");
  const { imageId } = await launcher.request(
    { kind: "build-image", definition: DEFINITION, force },
    { signal, onProgress: buildProgress(tell) },
  );
  return { image: await loadImage(imagesDir, imageId), built: true };
}

/** A build's events as lines: one for each step, and one every five seconds inside a long one. */
export function buildProgress(tell: (line: string) => void): (event: unknown) => void {
  let lastStep = "";
  let toldAtMs = 0;
  return (event) => {
    const parsed = BuildEvent.safeParse(event);
    if (!parsed.success) return;
    const { step, detail, seconds } = parsed.data;
    if (step === lastStep && Date.now() - toldAtMs < INSIDE_A_STEP_MS) return;
    lastStep = step;
    toldAtMs = Date.now();
    tell(`${seconds.toFixed(0).padStart(4)} s  ${step}: ${detail}`);
  };
}

/**
 * What a test runs on: the image that was named, else what `stable` points to, else this clone's, built where it is missing.
 * @throws CreameryError `unknown-image`, `image-build`.
 */
export async function imageToTestOn(
  named: string | undefined,
  options: EnsureOptions,
): Promise<ImageManifest> {
  if (named !== undefined) return await chooseImage(options.imagesDir, named);
  const stable = await channelImage(options.imagesDir, "stable");
  return stable ?? (await ensureImage(options)).image;
}
