import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

import type { ImageManifest } from "./manifest.ts";
import { runStep } from "./run-step.ts";

/** The Debian packages of a new root file system, each with the sha256 that the signed package lists give, by name. */
export async function installedPackages(rootfs: string, signal: AbortSignal): Promise<ImageManifest["packages"]> {
  const step = { what: "listing the installed packages", nextStep: "run the build again", signal };
  const found: { name: string; version: string; architecture: string }[] = [];
  await runStep({
    ...step,
    argv: ["chroot", rootfs, "dpkg-query", "-W", "-f", "${Package} ${Version} ${Architecture}\\n"],
    onLine: (line) => {
      const [name = "", version = "", architecture = ""] = line.split(" ");
      found.push({ name, version, architecture });
    },
  });
  const hashes = new Map<string, string>();
  let stanza: Record<string, string> = {};
  const close = () => {
    hashes.set(`${stanza["Package"]} ${stanza["Version"]}`, stanza["SHA256"] ?? "");
    stanza = {};
  };
  await runStep({
    ...step,
    argv: ["chroot", rootfs, "apt-cache", "show", ...found.map(({ name, version }) => `${name}=${version}`)],
    onLine: (line) => {
      if (line === "") close();
      const field = /^(Package|Version|SHA256): (.*)$/u.exec(line);
      if (field !== null) stanza[field[1] ?? ""] = field[2] ?? "";
    },
  });
  close();
  // What apt kept for itself says when and from where, not what: no part of the image.
  for (const directory of ["var/lib/apt/lists", "var/cache/apt"]) {
    for (const name of await readdir(join(rootfs, directory)).catch(() => [])) await rm(join(rootfs, directory, name), { recursive: true, force: true });
  }
  return found
    .map((one) => ({ ...one, sha256: hashes.get(`${one.name} ${one.version}`) || null }))
    .toSorted((left, right) => (left.name < right.name ? -1 : 1));
}
