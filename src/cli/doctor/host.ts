import { accessSync, constants, existsSync, readFileSync, statfsSync } from "node:fs";
import { release } from "node:os";
import { delimiter, dirname, join } from "node:path";

import type { Directories } from "../../launcher/directories.ts";
import { availableMemory } from "../../worker/room.ts";
import type { Finding } from "./finding.ts";

const GIB = 1024 ** 3;
/** One guest's memory and the farm's own; below it attempts meet the host's limits before their own. */
const MEMORY_BYTES = 1.5 * GIB;
/** Building the image: the unpacked root file system, and apt's packages beside it. */
const IMAGE_BUILD_BYTES = 6 * GIB;
const WORK_BYTES = 1 * GIB;

const gib = (bytes: number): string => `${(bytes / GIB).toFixed(1)} GiB`;

/** Where a command of this name lies on PATH, or undefined. */
export function findCommand(name: string, path: string): string | undefined {
  // An unprivileged PATH lacks the places where root's tools lie.
  return [...path.split(delimiter), "/usr/sbin", "/sbin"]
    .map((directory) => join(directory, name))
    .find((candidate) => {
      try {
        accessSync(candidate, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

export function kernelFinding(): Finding {
  return { name: "kernel", state: "ok", detail: `Linux ${release()}` };
}

/** @param version as `process.versions.node`. */
export function nodeFinding(version: string, executable: string): Finding {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const enough = major > 24 || (major === 24 && minor >= 12);
  return {
    name: "Node",
    state: enough ? "ok" : "lacks",
    detail: `${version} at ${executable}`,
    ...(enough ? {} : { nextStep: "run ./creamery, which brings Node 24.12 or newer" }),
  };
}

/** The commands that the farm runs, with the Debian package that brings each. */
const COMMANDS: readonly (readonly [command: string, debianPackage: string])[] = [
  ["mmdebstrap", "mmdebstrap"],
  ["runc", "runc"],
  ["git", "git"],
  ["python3", "python3-pip"],
  ["unshare", "util-linux"],
  ["setpriv", "util-linux"],
  ["xz", "xz-utils"],
  ["tar", "tar"],
  ["mke2fs", "e2fsprogs"],
];

export function commandsFinding(path: string): Finding {
  const missing = COMMANDS.filter(([command]) => findCommand(command, path) === undefined);
  const names = missing.map(([command]) => command);
  const packages = [...new Set(missing.map(([, debianPackage]) => debianPackage))];
  return missing.length === 0
    ? { name: "commands", state: "ok", detail: COMMANDS.map(([command]) => command).join(", ") }
    : {
        name: "commands",
        state: "lacks",
        detail: `missing: ${names.join(", ")}`,
        nextStep: `apt-get install --no-install-recommends ${packages.join(" ")}`,
      };
}

/** Controllers that limits need. Hybrid hosts mount them as version 1 and an empty version 2 beside them. */
const CONTROLLERS = ["memory", "pids", "cpu"] as const;

/** @param root where the cgroup file systems are mounted: `/sys/fs/cgroup`. */
export function cgroupFinding(root: string): Finding {
  const unified = join(root, "cgroup.controllers");
  const version2 = existsSync(unified);
  const available = version2 ? readFileSync(unified, "utf8").trim().split(" ") : [];
  const has = (controller: string): boolean =>
    version2 ? available.includes(controller) : existsSync(join(root, controller, "cgroup.procs"));
  const missing = CONTROLLERS.filter((controller) => !has(controller));
  const version = version2 ? "version 2" : "version 1";
  return missing.length === 0
    ? { name: "cgroups", state: "ok", detail: `${version}, with ${CONTROLLERS.join(", ")}` }
    : {
        name: "cgroups",
        state: "lacks",
        detail: `${version}, without ${missing.join(", ")}: limits would not bite`,
        nextStep: `mount the controllers at ${root}, or enable them on the kernel's command line`,
      };
}

export function userNamespaceFinding(path = "/proc/sys/user/max_user_namespaces"): Finding {
  const most = existsSync(path) ? Number(readFileSync(path, "utf8")) : 0;
  return most > 0
    ? { name: "user namespaces", state: "ok", detail: `up to ${most}` }
    : {
        name: "user namespaces",
        state: "note",
        detail: "none: the machine kind `container` cannot run",
        nextStep: "sysctl user.max_user_namespaces=10000",
      };
}

/** @param freeBytes what could be had without swapping. */
export function memoryFinding(freeBytes: number = availableMemory()): Finding {
  return freeBytes >= MEMORY_BYTES
    ? { name: "memory", state: "ok", detail: `${gib(freeBytes)} free` }
    : {
        name: "memory",
        state: "note",
        detail: `${gib(freeBytes)} free, less than ${gib(MEMORY_BYTES)}`,
        nextStep: "run one attempt at a time (--jobs 1), or set lower limits in creamery.toml",
      };
}

/** Free space in each of the farm's directories, or where they will be. */
export function diskFindings(directories: Directories, hasImage: boolean): Finding[] {
  const needs: Record<keyof Directories, number> = {
    cache: hasImage ? WORK_BYTES : IMAGE_BUILD_BYTES,
    data: WORK_BYTES / 4,
    run: 0,
  };
  return (["cache", "data"] as const).map((which) =>
    diskFinding(which, directories[which], freeBytesAt(directories[which]), needs[which]),
  );
}

export function diskFinding(
  which: "cache" | "data",
  path: string,
  freeBytes: number,
  neededBytes: number,
): Finding {
  const name = `disk (${which})`;
  return freeBytes >= neededBytes
    ? { name, state: "ok", detail: `${gib(freeBytes)} free at ${path}` }
    : {
        name,
        state: "lacks",
        detail: `${gib(freeBytes)} free at ${path}, ${gib(neededBytes)} needed`,
        nextStep: `make room, or name another place with CREAMERY_${which.toUpperCase()}_DIR`,
      };
}

function freeBytesAt(path: string): number {
  let existing = path;
  while (!existsSync(existing)) existing = dirname(existing);
  const { bavail, bsize } = statfsSync(existing);
  return bavail * bsize;
}
