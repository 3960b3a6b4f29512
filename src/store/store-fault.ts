import { statfsSync } from "node:fs";
import { dirname } from "node:path";

import { CreameryError, reasonOf } from "../base/errors.ts";

/** SQLite needs room for its journal to read, too, and says of its lack no more than "disk I/O error". */
const LEAST_BYTES = 1024 * 1024;

/**
 * What a database threw, as a fault with a next step.
 * @param freeBytes of the file system that a directory is on.
 */
export function storeFault(
  thrown: unknown,
  path: string,
  freeBytes: (directory: string) => number = freeBytesOf,
): CreameryError {
  if (thrown instanceof CreameryError) return thrown;
  const reason = reasonOf(thrown);
  if (/database or disk is full/.test(reason) || freeBytes(dirname(path)) < LEAST_BYTES) {
    return new CreameryError("disk-full", "no space for the results", {
      input: path,
      nextStep: "free some space, or set another data directory",
      cause: thrown,
    });
  }
  return new CreameryError("store", reason, {
    input: path,
    nextStep: "check that the file is readable and whole; moved away, a new one is made",
    cause: thrown,
  });
}

/** For the farm's own user; 0 too where no further file can be made, infinite where it can't be told. */
function freeBytesOf(directory: string): number {
  try {
    const { bavail, bsize, files, ffree } = statfsSync(directory);
    return files > 0 && ffree === 0 ? 0 : bavail * bsize;
  } catch {
    return Infinity;
  }
}
