import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

import { CreameryError } from "../base/errors.ts";
import { CHANNELS, type Channel } from "./channel-names.ts";
import { loadImage } from "./image-store.ts";
import type { ImageManifest } from "./manifest.ts";

const FILE = "channels.json";
const MAX_BEFORE = 20;

const Place = z.strictObject({
  image: z.string(),
  /** Where it pointed before, the newest first. */
  before: z.array(z.string()),
});
const Channels = z.strictObject({
  schema: z.literal(1),
  channels: z.partialRecord(z.enum(CHANNELS), Place),
});
type Places = z.infer<typeof Channels>["channels"];

/** Which image each channel points to; none of a host that never promoted one. @throws CreameryError `image-bad`. */
export async function readChannels(imagesDir: string): Promise<ReadonlyMap<Channel, string>> {
  const places = await readPlaces(imagesDir);
  return new Map(
    CHANNELS.flatMap((channel) => {
      const place = places[channel];
      return place === undefined ? [] : [[channel, place.image] as const];
    }),
  );
}

/** The image that a channel points to; null where it points nowhere. @throws CreameryError `image-bad`, `unknown-image`. */
export async function channelImage(
  imagesDir: string,
  channel: Channel,
): Promise<ImageManifest | null> {
  const id = (await readChannels(imagesDir)).get(channel);
  return id === undefined ? null : await loadImage(imagesDir, id);
}

/**
 * Points a channel to an image, in one step: attempts that run keep the image that they have.
 * @throws CreameryError `unknown-image`; `usage` where `stable` would lose an interpreter without a new major version.
 */
export async function promoteImage(imagesDir: string, channel: Channel, id: string): Promise<void> {
  const image = await loadImage(imagesDir, id);
  const places = await readPlaces(imagesDir);
  const place = places[channel];
  if (place?.image === id) return;
  if (channel === "stable" && place !== undefined) {
    const present = await loadImage(imagesDir, place.image).catch(() => null);
    if (present !== null) assertKeeps(present, image);
  }
  const before = place === undefined ? [] : [place.image, ...place.before].slice(0, MAX_BEFORE);
  await write(imagesDir, { ...places, [channel]: { image: id, before } });
}

/**
 * Points a channel to where it pointed before.
 * @returns that image's id. @throws CreameryError `usage` where there is none that is still here.
 */
export async function rollbackImage(imagesDir: string, channel: Channel): Promise<string> {
  const places = await readPlaces(imagesDir);
  const place = places[channel];
  for (const [index, id] of (place?.before ?? []).entries()) {
    if ((await loadImage(imagesDir, id).catch(() => null)) === null) continue;
    const before = place?.before.slice(index + 1) ?? [];
    await write(imagesDir, { ...places, [channel]: { image: id, before } });
    return id;
  }
  throw new CreameryError("usage", "points to no image that it pointed to before", {
    input: channel,
    nextStep: "name an image with `creamery image promote ID`; `creamery image list` shows them",
  });
}

/**
 * Before an image is removed: `next` forgets it.
 * @throws CreameryError `usage` for the image that tests run on.
 */
export async function forgetImage(imagesDir: string, id: string): Promise<void> {
  const { next, ...places } = await readPlaces(imagesDir);
  if (places.stable?.image === id)
    throw new CreameryError("usage", "is what channel stable points to", {
      input: id,
      nextStep: "promote another image first, or roll back",
    });
  if (next?.image === id) await write(imagesDir, places);
}

/** An interpreter goes with a new major version alone: the year of `2026.11.1`. */
function assertKeeps(present: ImageManifest, image: ImageManifest): void {
  const major = ({ version }: ImageManifest): number => Number(version.split(".")[0]);
  if (major(image) > major(present)) return;
  const names = new Set(image.interpreters.map(({ name }) => name));
  const lost = present.interpreters.map(({ name }) => name).filter((name) => !names.has(name));
  if (lost.length === 0) return;
  const left = image.missing.filter(({ name }) => lost.includes(name));
  const why = left.map(
    ({ name, reason }) => ` (${name} was left out when it was built: ${reason})`,
  );
  const nextStep =
    left.length === lost.length
      ? (left[0]?.nextStep ?? "")
      : `raise its version above ${major(present)} in images/, or promote another`;
  throw new CreameryError(
    "usage",
    `lacks ${lost.join(", ")}, which ${present.id} has: an interpreter goes with a new major version alone${why.join("")}`,
    { input: image.id, nextStep },
  );
}

async function readPlaces(imagesDir: string): Promise<Places> {
  const path = join(imagesDir, FILE);
  let text;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return {};
    throw cause;
  }
  let parsed;
  try {
    parsed = Channels.parse(JSON.parse(text));
  } catch (cause) {
    throw new CreameryError(
      "image-bad",
      "says which image each channel points to, and can't be read",
      {
        input: path,
        nextStep: "remove it, and promote an image again",
        cause,
      },
    );
  }
  return parsed.channels;
}

/** Beside, then in its place: a reader sees the old or the new. */
async function write(imagesDir: string, channels: Places): Promise<void> {
  const beside = join(imagesDir, `.channels-${process.pid}`);
  try {
    await writeFile(beside, `${JSON.stringify({ schema: 1, channels }, null, 2)}\n`, {
      mode: 0o644,
    });
    await rename(beside, join(imagesDir, FILE));
  } finally {
    await rm(beside, { force: true });
  }
}
