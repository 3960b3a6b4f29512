import { execFile } from "node:child_process";
import { readFile, realpath, rm } from "node:fs/promises";
import { promisify } from "node:util";

import { CreameryError } from "../base/errors.ts";

/**
 * Removes a root file system or what is left of one. Whatever is still mounted inside is unmounted first: it
 * may be the host's own /dev or /sys, and nothing of those may ever be removed.
 * @throws CreameryError `image-build` when something stays mounted.
 */
export async function removeTree(path: string): Promise<void> {
  const real = await realpath(path).catch(() => null);
  if (real === null) return;
  for (const mounted of mountsBelow(await readFile("/proc/self/mountinfo", "utf8"), real)) {
    await promisify(execFile)("umount", ["--lazy", "--no-canonicalize", mounted]).catch(() => {});
  }
  const [left] = mountsBelow(await readFile("/proc/self/mountinfo", "utf8"), real);
  if (left !== undefined) {
    throw new CreameryError("image-build", "something is mounted in what an earlier build left", {
      input: left,
      nextStep: `unmount it with \`umount ${left}\`, then run the same command again`,
    });
  }
  await rm(real, { recursive: true, force: true });
}

/** Mount points at or below a path, deepest and newest first; as /proc/self/mountinfo has them (proc(5)). */
export function mountsBelow(mountinfo: string, path: string): string[] {
  const points = mountinfo.split("\n").flatMap((line) => {
    const field = line.split(" ")[4];
    if (field === undefined) return [];
    const point = field.replaceAll(/\\([0-7]{3})/gu, (_, octal: string) =>
      String.fromCodePoint(Number.parseInt(octal, 8)),
    );
    return point === path || point.startsWith(`${path}/`) ? [point] : [];
  });
  return points.toReversed().toSorted((left, right) => right.length - left.length);
}
