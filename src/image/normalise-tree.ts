import { lstat, mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import type { ImageDefinition } from "./definition.ts";
import { runContained, runInRoot } from "./run-contained.ts";

const SWEEP_MS = 10 * 60_000;

/** Emptied, the directory itself stays. apt's sources and options name the host's mirror and proxy. */
const EMPTIED = [
  "boot",
  "dev",
  "proc",
  "run",
  "sys",
  "tmp",
  "var/tmp",
  "var/cache",
  "var/log",
  "var/lib/apt/lists",
  "root",
  "etc/apt/sources.list.d",
  "etc/apt/preferences.d",
] as const;

/** Backups, caches and seeds that say when or where an image was built. */
const REMOVED = [
  "etc/apt/sources.list",
  "etc/apt/apt.conf.d/99mmdebstrap",
  "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
  "etc/.pwd.lock",
  "etc/passwd-",
  "etc/shadow-",
  "etc/group-",
  "etc/gshadow-",
  "etc/subuid-",
  "etc/subgid-",
  "var/lib/dpkg/status-old",
  "var/lib/dpkg/diversions-old",
  "var/lib/dpkg/statoverride-old",
  "var/lib/dpkg/available",
  "var/lib/systemd/random-seed",
  "var/lib/dbus/machine-id",
  "etc/initramfs-tools",
  "initrd.img",
  "initrd.img.old",
  "vmlinuz",
  "vmlinuz.old",
] as const;

const SECONDS_PER_DAY = 86_400;

/** Takes out of a root file system all that differs between two builds of the same packages. */
export async function normaliseTree(
  rootfs: string,
  definition: ImageDefinition,
  signal: AbortSignal,
): Promise<void> {
  for (const path of EMPTIED) {
    signal.throwIfAborted();
    for (const name of await readdir(join(rootfs, path)).catch(() => []))
      await rm(join(rootfs, path, name), { recursive: true, force: true });
  }
  for (const path of REMOVED) await rm(join(rootfs, path), { recursive: true, force: true });
  for (const name of await readdir(join(rootfs, "etc/ssh")).catch(() => [])) {
    if (name.startsWith("ssh_host_")) await rm(join(rootfs, "etc/ssh", name));
  }
  // Where the guest's sockets are mounted.
  await mkdir(join(rootfs, "run/creamery"), { mode: 0o755 });
  // Empty, not missing: the runtime or the agent writes a guest's own.
  for (const path of ["etc/machine-id", "etc/resolv.conf"]) {
    await rm(join(rootfs, path), { force: true });
    await writeFile(join(rootfs, path), "", { mode: 0o644 });
  }
  const shadow = join(rootfs, "etc/shadow");
  const mode = (await lstat(shadow)).mode & 0o7777;
  const aged = normaliseShadow(
    await readFile(shadow, "utf8"),
    Math.floor(definition.epoch / SECONDS_PER_DAY),
  );
  await truncate(shadow, 0);
  await writeFile(shadow, aged, { mode });
}

/** The day of each account's last change of password (shadow(5), third field) is that of the version. */
export function normaliseShadow(text: string, day: number): string {
  return text
    .split("\n")
    .map((line) => {
      const fields = line.split(":");
      if (fields.length < 3 || fields[2] === "") return line;
      return [...fields.slice(0, 2), String(day), ...fields.slice(3)].join(":");
    })
    .join("\n");
}

/** Sets every time in a tree to the version's. */
export async function normaliseTimes(
  rootfs: string,
  epoch: number,
  signal: AbortSignal,
): Promise<void> {
  await sweep(
    ["find", rootfs, "-xdev", "-exec", "touch", "--no-dereference", `--date=@${epoch}`, "{}", "+"],
    signal,
  );
}

export interface CompiledInterpreter {
  readonly name: string;
  readonly executable: string;
  readonly library: string;
}

/**
 * Compiles each interpreter's standard library, so that no guest has to: hash-based and unchecked (PEP 552)
 * where that exists, by times that never change again in 2.7. Times must be normalised first.
 * @param onInterpreter is told of each before it begins.
 */
export async function compileByteCode(
  rootfs: string,
  interpreters: readonly CompiledInterpreter[],
  epoch: number,
  signal: AbortSignal,
  onInterpreter: (name: string) => void,
): Promise<void> {
  await sweep(["find", rootfs, "-xdev", "-name", "*.pyc", "-delete"], signal);
  await sweep(
    ["find", rootfs, "-xdev", "-depth", "-name", "__pycache__", "-exec", "rm", "-rf", "{}", "+"],
    signal,
  );
  for (const { name, executable, library } of interpreters) {
    onInterpreter(name);
    const directories = [
      library,
      ...(name === SYSTEM_INTERPRETER
        ? ["/usr/lib/python3/dist-packages", "/usr/local/lib/creamery"]
        : []),
    ];
    const mode =
      name === "cpython-2.7" ? [] : ["-q", "--invalidation-mode", "unchecked-hash", "-j", "1"];
    // Some files are not meant to compile (templates, syntax of other versions): the exit code says nothing.
    await runInRoot({
      rootfs,
      argv: [executable, "-m", "compileall", "-q", "-f", ...mode, ...directories],
      owner: "0:0",
      env: { PYTHONHASHSEED: "0", SOURCE_DATE_EPOCH: String(epoch) },
      deadlineMs: SWEEP_MS,
      signal,
    });
  }
}

/** Debian's own python3, which owns /usr/lib/python3. */
const SYSTEM_INTERPRETER = "cpython-3.13";

async function sweep(argv: readonly [string, ...string[]], signal: AbortSignal): Promise<void> {
  const { code, tail } = await runContained({
    argv,
    env: { PATH: "/usr/bin:/bin", LANG: "C" },
    network: false,
    deadlineMs: SWEEP_MS,
    signal,
  });
  if (code !== 0)
    throw new CreameryError(
      "image-build",
      `${argv[0]} failed: ${printableLine(tail.at(-1) ?? "")}`,
    );
}
