import type { Channel } from "../../image/channel-names.ts";
import { readChannels } from "../../image/channels.ts";
import { diffImages, type ImageDifference } from "../../image/diff-images.ts";
import { listImages, loadImage } from "../../image/image-store.ts";
import type { ImageManifest } from "../../image/manifest.ts";

/** An image as the page shows it: who built it, and where, is nobody's business. */
export interface ShownImage extends Pick<
  ImageManifest,
  "id" | "version" | "target" | "sizeBytes" | "interpreters" | "missing" | "tools"
> {
  readonly channels: readonly Channel[];
  readonly builtMs: number;
  /** How many Debian packages are in it. */
  readonly packages: number;
  /** `6.12.48`; null where it has none. */
  readonly kernel: string | null;
}

/** So many of the newest are shown, besides those that a channel points to. */
const NEWEST = 20;

/** The images of the farm's own host, newest first. */
export async function readImages(imagesDir: string): Promise<readonly ShownImage[]> {
  const [manifests, channels] = await Promise.all([listImages(imagesDir), readChannels(imagesDir)]);
  return manifests
    .map(({ id, version, target, sizeBytes, interpreters, missing, tools, ...manifest }) => ({
      id,
      version,
      target,
      sizeBytes,
      interpreters,
      missing,
      tools,
      channels: [...channels].flatMap(([channel, image]) => (image === id ? [channel] : [])),
      builtMs: Date.parse(manifest.built.at),
      packages: manifest.packages.length,
      kernel: manifest.kernel?.release ?? null,
    }))
    .filter(({ channels: pointing }, at) => at < NEWEST || pointing.length > 0);
}

/** What two images differ in, as much of it as is shown. */
export interface ShownDifference extends Omit<ImageDifference, "files"> {
  /** How many. */
  readonly files: { readonly removed: number; readonly changed: number; readonly added: number };
  /** The first of them, what is most likely to break somebody first. */
  readonly paths: readonly { readonly is: "gone" | "another" | "new"; readonly path: string }[];
}

const MOST_PATHS = 50;
/** All pairs of twenty. */
const MOST_KEPT = 400;

/** What two images differ in: as images never change, it is found out once, one pair at a time. */
export class ImageDifferences {
  readonly #imagesDir: string;
  readonly #kept = new Map<string, Promise<ShownDifference>>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(imagesDir: string) {
    this.#imagesDir = imagesDir;
  }

  /** @param a, @param b ids of images that are there. @throws what reading them throws. */
  of(a: string, b: string): Promise<ShownDifference> {
    const key = JSON.stringify([a, b]);
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    const found = this.#last.then(() => this.#read(a, b));
    this.#last = found.catch(() => undefined);
    this.#kept.set(key, found);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MOST_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    found.catch(() => this.#kept.delete(key));
    return found;
  }

  async #read(a: string, b: string): Promise<ShownDifference> {
    const [from, to] = [await loadImage(this.#imagesDir, a), await loadImage(this.#imagesDir, b)];
    const { files, ...rest } = await diffImages(this.#imagesDir, from, to);
    const { removed, changed, added } = files;
    return {
      ...rest,
      files: { removed: removed.length, changed: changed.length, added: added.length },
      paths: [
        ...removed.slice(0, MOST_PATHS).map((path) => ({ is: "gone" as const, path })),
        ...changed.slice(0, MOST_PATHS).map((path) => ({ is: "another" as const, path })),
        ...added.slice(0, MOST_PATHS).map((path) => ({ is: "new" as const, path })),
      ].slice(0, MOST_PATHS),
    };
  }
}
