import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

import { CreameryError } from "../../base/errors.ts";
import { MIRROR_STATE } from "../cache/inventory.ts";
import { packSizes } from "./bare-repository.ts";

/** What was used later than so long ago is spared by a collection: nothing else bounds it. */
const RECENT_MS = 2 * 3_600_000;

/**
 * Before one more mirror is made: those that were used just now must not be too many, since guests may name what they like.
 * @param maxBytes of these together. @throws CreameryError `disk-full`.
 */
export async function assertRoom(
  directory: string,
  maxBytes: number,
  nowMs: number,
): Promise<void> {
  let bytes = 0;
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const used = await stat(join(path, MIRROR_STATE)).catch(() => null);
    if (used !== null && used.mtimeMs > nowMs - RECENT_MS) bytes += (await packSizes(path)).bytes;
  }
  if (bytes > maxBytes)
    throw new CreameryError(
      "disk-full",
      `mirrors of repositories that were used just now hold more than ${maxBytes} bytes together`,
      { input: directory, nextStep: "raise repositories.recent_gib in creamery.toml" },
    );
}
