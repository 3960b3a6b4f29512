import { copyFile, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";

import { printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import type { LockedPackage } from "./lock/image-lock.ts";
import type { SourceFiles } from "./lock/source-files.ts";
import type { ImageManifest } from "./manifest.ts";
import { runInRoot } from "./run-contained.ts";

type InstalledPackage = ImageManifest["packages"][number];

/** For archives that are unpacked, not installed, in the root file system. */
export const UNPACKED_DIR = "/var/cache/creamery-unpack";

/** Unpacks archives that can't be installed, in the order in which they are given. @throws CreameryError `image-build`. */
export async function unpackPackages(
  rootfs: string,
  packages: readonly LockedPackage[],
  files: SourceFiles,
  signal: AbortSignal,
): Promise<void> {
  const directory = join(rootfs, UNPACKED_DIR);
  await mkdir(directory, { recursive: true });
  for (const { name, sha256 } of packages) {
    await copyFile(files.path(sha256), join(directory, sha256));
    const { code, tail } = await runInRoot({
      rootfs,
      argv: ["dpkg-deb", "--extract", `${UNPACKED_DIR}/${sha256}`, "/"],
      owner: "0:0",
      deadlineMs: 60_000,
      signal,
    });
    if (code !== 0)
      throw new CreameryError(
        "image-build",
        `a package could not be unpacked: ${printableLine(tail.at(-1) ?? "")}`,
        { input: name },
      );
  }
  await rm(directory, { recursive: true });
}

/** Each Debian package that is installed in a root file system, with the sha256 of its archive; by name. */
export async function installedPackages(
  rootfs: string,
  archives: readonly LockedPackage[],
  signal: AbortSignal,
): Promise<InstalledPackage[]> {
  const lines: string[] = [];
  const { code, tail } = await runInRoot({
    rootfs,
    argv: ["dpkg-query", "-W", "-f", "${Package}\\t${Version}\\t${Architecture}\\n"],
    owner: "0:0",
    deadlineMs: 120_000,
    signal,
    onLine: (line) => lines.push(line),
  });
  if (code !== 0)
    throw new CreameryError(
      "image-build",
      `the installed packages could not be listed: ${printableLine(tail.at(-1) ?? "")}`,
    );
  return parseInstalled(lines, archives);
}

export function parseInstalled(
  lines: readonly string[],
  archives: readonly Omit<LockedPackage, "sizeBytes" | "use">[],
): InstalledPackage[] {
  const hashes = new Map(
    archives.map((one) => [`${one.name} ${one.version} ${one.architecture}`, one.sha256]),
  );
  const packages = lines.flatMap((line) => {
    const [name, version, architecture] = line.split("\t");
    if (name === undefined || version === undefined || architecture === undefined) return [];
    const sha256 = hashes.get(`${name} ${version} ${architecture}`) ?? null;
    return [{ name, version, architecture, sha256 }];
  });
  return packages.toSorted((left, right) => byText(left.name, right.name));
}

function byText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
