import { compareConfigurations } from "../model/configuration-name.ts";
import type { ImageManifest } from "./manifest.ts";

/** Every configuration that an image was to have, those that were left out of it too, in order. */
export function imageConfigurations({
  interpreters,
  missing,
}: Pick<ImageManifest, "interpreters" | "missing">): string[] {
  const names = new Set([...interpreters, ...missing].map(({ name }) => name));
  return [...names].toSorted(compareConfigurations);
}
