import { statfs } from "node:fs/promises";

import { CreameryError } from "../base/errors.ts";

/**
 * That there is room before anything is fetched.
 * @param what wants it, as in `an image`. @param directory `cache` or `data`, as [directories] calls where it lies.
 * @throws CreameryError `disk-full`.
 */
export async function checkRoom(
  path: string,
  neededBytes: number,
  what: string,
  directory: "cache" | "data",
): Promise<void> {
  const { bavail, bsize } = await statfs(path);
  const freeBytes = bavail * bsize;
  if (freeBytes >= neededBytes) return;
  const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(1);
  throw new CreameryError(
    "disk-full",
    `${what} needs ${gigabytes(neededBytes)} GB, and ${gigabytes(freeBytes)} GB are free`,
    {
      input: path,
      nextStep: `free some space, or set [directories] ${directory} in creamery.toml`,
    },
  );
}
