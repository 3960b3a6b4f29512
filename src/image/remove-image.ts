import { rename, stat } from "node:fs/promises";
import { join } from "node:path";

import { CreameryError } from "../base/errors.ts";
import { removeTree } from "./remove-tree.ts";

/** Takes an image out of use by one rename, then removes it. */
export async function removeImage(imagesDir: string, id: string): Promise<void> {
  const directory = join(imagesDir, id);
  if (
    id.startsWith(".") ||
    id.includes("/") ||
    (await stat(directory).catch(() => null)) === null
  ) {
    throw new CreameryError("unknown-image", "there is no such image", {
      input: id,
      nextStep: "`creamery image list` shows those that are there",
    });
  }
  const doomed = join(imagesDir, `.removing-${process.pid}-${id}`);
  await rename(directory, doomed);
  await removeTree(doomed);
}
