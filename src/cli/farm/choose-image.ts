import { CreameryError } from "../../base/errors.ts";
import { CHANNELS, type Channel } from "../../image/channel-names.ts";
import { channelImage } from "../../image/channels.ts";
import { listImages, loadImage } from "../../image/image-store.ts";
import type { ImageManifest } from "../../image/manifest.ts";

/**
 * The image named by its id or by a channel; without a name the newest.
 * @throws CreameryError `unknown-image`, `image-bad`.
 */
export async function chooseImage(
  imagesDir: string,
  name: string | undefined,
): Promise<ImageManifest> {
  if (name !== undefined && !isChannel(name)) return await loadImage(imagesDir, name);
  if (name !== undefined) {
    const pointed = await channelImage(imagesDir, name);
    if (pointed !== null) return pointed;
  }
  // What was built before there were channels is what would be next.
  const newest = name === "stable" ? undefined : (await listImages(imagesDir))[0];
  if (newest !== undefined) return newest;
  throw new CreameryError(
    "unknown-image",
    name === "stable" ? "points to no image yet" : "there is no image yet",
    {
      ...(name === undefined ? {} : { input: name }),
      nextStep:
        name === "stable"
          ? "`creamery image promote ID` points it to one"
          : "`creamery image build` makes one",
    },
  );
}

export function isChannel(name: string): name is Channel {
  return CHANNELS.some((channel) => channel === name);
}
