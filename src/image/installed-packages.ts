import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

import { printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import type { ImageManifest } from "./manifest.ts";
import { runInRoot } from "./run-contained.ts";
import { sha256Of } from "./tree-hash.ts";

/** Where the build keeps archives that are unpacked, not installed, in the root file system. */
export const UNPACKED_DIR = "/var/cache/creamery-unpack";

type InstalledPackage = ImageManifest["packages"][number];

// The lists of the build are still there: apt knows the archive's hash of each version.
const QUERY =
  "dpkg-query -W -f '${Package}\\t${Version}\\t${Architecture}\\n' && echo -- && " +
  "dpkg-query -W -f '${Package}:${Architecture}=${Version}\\n' | sed 's/:all=/=/' | xargs apt-cache show | grep -E '^(Package|Version|Architecture|SHA256): '";

/**
 * Unpacks the archives that were fetched for it, and says which they are.
 * @throws CreameryError `image-build`.
 */
export async function unpackPackages(
  rootfs: string,
  signal: AbortSignal,
): Promise<InstalledPackage[]> {
  const unpacked: InstalledPackage[] = [];
  const directory = join(rootfs, UNPACKED_DIR);
  for (const archive of (await readdir(directory).catch(() => [])).toSorted(byText)) {
    const inside = `${UNPACKED_DIR}/${archive}`;
    const { code, tail } = await runInRoot({
      rootfs,
      argv: [
        "sh",
        "-c",
        'dpkg-deb --extract "$1" / && dpkg-deb --field "$1" Package Version Architecture',
        "sh",
        inside,
      ],
      owner: "0:0",
      deadlineMs: 60_000,
      signal,
    });
    const field = (wanted: string) =>
      tail.find((line) => line.startsWith(`${wanted}: `))?.slice(wanted.length + 2);
    const [name, version, architecture] = [
      field("Package"),
      field("Version"),
      field("Architecture"),
    ];
    if (code !== 0 || name === undefined || version === undefined || architecture === undefined) {
      throw new CreameryError(
        "image-build",
        `a package could not be unpacked: ${printableLine(tail.at(-1) ?? "")}`,
        { input: archive },
      );
    }
    unpacked.push({
      name,
      version,
      architecture,
      sha256: await sha256Of(join(directory, archive)),
    });
  }
  await rm(directory, { recursive: true, force: true });
  return unpacked;
}

/** Each Debian package of a root file system, with the sha256 of its archive as the signed lists have it; by name. */
export async function installedPackages(
  rootfs: string,
  signal: AbortSignal,
): Promise<InstalledPackage[]> {
  const lines: string[] = [];
  const { code, tail } = await runInRoot({
    rootfs,
    argv: ["sh", "-c", QUERY],
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
  return parseInstalled(lines);
}

export function parseInstalled(lines: readonly string[]): InstalledPackage[] {
  const hashes = new Map<string, string>();
  let fields: Record<string, string> = {};
  for (const line of lines) {
    const field = /^(Package|Version|Architecture|SHA256): (\S+)$/u.exec(line);
    if (field === null) continue;
    const [, name = "", value = ""] = field;
    if (name === "Package") fields = {};
    fields[name] = value;
    const { Package: owner, Version: version, Architecture: architecture, SHA256: sha256 } = fields;
    if (
      owner !== undefined &&
      version !== undefined &&
      architecture !== undefined &&
      sha256 !== undefined
    )
      hashes.set(`${owner} ${version} ${architecture}`, sha256);
  }
  const packages = lines.flatMap((line) => {
    const [name, version, architecture] = line.split("\t");
    if (name === undefined || version === undefined || architecture === undefined) return [];
    return [
      {
        name,
        version,
        architecture,
        sha256: hashes.get(`${name} ${version} ${architecture}`) ?? null,
      },
    ];
  });
  return packages.toSorted((left, right) => byText(left.name, right.name));
}

function byText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
