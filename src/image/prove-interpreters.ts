import { copyFile, rm } from "node:fs/promises";
import { join } from "node:path";

import { CreameryError } from "../base/errors.ts";
import type { ImageDefinition } from "./definition.ts";
import type { ImageManifest } from "./manifest.ts";
import { runStep } from "./run-step.ts";

/**
 * Each interpreter must import what tests take for granted, make an environment, and compile and load a C
 * extension: as the job's user, with no network.
 * @throws CreameryError `image-build` naming the interpreter that does not.
 */
export async function proveInterpreters(
  definition: ImageDefinition,
  rootfs: string,
  script: string,
  signal: AbortSignal,
  onInterpreter: (name: string) => void,
): Promise<ImageManifest["interpreters"]> {
  const inside = "tmp/prove.py";
  await copyFile(script, join(rootfs, inside));
  const proven: ImageManifest["interpreters"][number][] = [];
  // The proof writes below /tmp and needs /proc and /dev of its own, gone with its mount namespace.
  const shell = [
    "set -e",
    'mount -t proc proc "$1/proc"; mount -t tmpfs tmpfs "$1/dev"; mount -t tmpfs tmpfs "$1/run"',
    'for n in null zero urandom random full; do touch "$1/dev/$n"; mount --bind "/dev/$n" "$1/dev/$n"; done',
    'mkdir -p "$1/dev/shm"; mount -t tmpfs tmpfs "$1/dev/shm"',
    'root=$1; shift; exec chroot --userspec=1000:1000 "$root" env -i HOME=/home/tester PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 "$@"',
  ].join("\n");
  for (const { name, executable, uv, lacks } of definition.interpreters) {
    onInterpreter(name);
    const lines = await runStep({
      argv: ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", shell, "sh", rootfs, executable, `/${inside}`, uv ? "uv" : "virtualenv", ...lacks],
      what: `the proof of ${name}`,
      nextStep: "mend its entry in the image's definition",
      signal,
    });
    const fullVersion = lines.at(-1) ?? "";
    const [implementation = "", version = ""] = name.split("-");
    if (!fullVersion.startsWith(`${version}.`)) {
      throw new CreameryError("image-build", `${name} says that it is ${fullVersion}`, { input: name, nextStep: "mend its entry in the image's definition" });
    }
    proven.push({ name, implementation: implementation === "pypy" ? "pypy" : "cpython", version, executable, fullVersion, uv });
  }
  await rm(join(rootfs, inside));
  return proven;
}
