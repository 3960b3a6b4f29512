import { lstat, mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import type { Builder } from "../model/source.ts";
import type { ImageDefinition } from "./definition.ts";
import { runContained, runInRoot, type ContainedResult } from "./run-contained.ts";

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
  await sortTriggers(rootfs);
}

/** dpkg writes who waits for which trigger (deb-triggers(5)) in the order in which packages were unpacked, and it means nothing. */
async function sortTriggers(rootfs: string): Promise<void> {
  const directory = join(rootfs, "var/lib/dpkg/triggers");
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(directory, entry.name);
    const text = await readFile(path, "utf8");
    const sorted = sortedLines(text);
    if (sorted !== text) await writeFile(path, sorted);
  }
}

/** @param text lines that each end with a line feed. */
export function sortedLines(text: string): string {
  const lines = text.split("\n").slice(0, -1).toSorted();
  return lines.map((line) => `${line}\n`).join("");
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
  readonly builder: Builder;
}

export interface CompileRequest {
  /** Its times must be normalised first. */
  readonly rootfs: string;
  readonly interpreters: readonly CompiledInterpreter[];
  readonly epoch: number;
  /** `1000:1000`. */
  readonly jobUser: string;
  readonly signal: AbortSignal;
  /** Is told of each before it begins. */
  readonly onInterpreter: (name: string) => void;
}

/**
 * Compiles each interpreter's standard library, so that no guest has to: hash-based and unchecked (PEP 552)
 * where that exists, by times that never change again in 2.7.
 */
export async function compileByteCode({
  rootfs,
  interpreters,
  epoch,
  jobUser,
  signal,
  onInterpreter,
}: CompileRequest): Promise<void> {
  await sweep(["find", rootfs, "-xdev", "-name", "*.pyc", "-delete"], signal);
  await sweep(
    ["find", rootfs, "-xdev", "-depth", "-name", "__pycache__", "-exec", "rm", "-rf", "{}", "+"],
    signal,
  );
  for (const interpreter of interpreters) {
    onInterpreter(interpreter.name);
    for (const { mayFail = false, ...step } of compileSteps(interpreter, jobUser)) {
      const ended = await runInRoot({
        ...step,
        rootfs,
        env: { PYTHONHASHSEED: "0", SOURCE_DATE_EPOCH: String(epoch) },
        deadlineMs: SWEEP_MS,
        signal,
      });
      if (!mayFail) mustHaveEnded(step.argv, ended);
    }
  }
}

type Command = readonly [string, ...string[]];

interface CompileStep {
  readonly argv: Command;
  readonly owner: string;
  readonly mayFail?: boolean;
}

const ROOT = "0:0";

/**
 * Debian's interpreters compile as root, which has run their packages already. Any other runs as the job's user, and can write
 * to nothing but where byte code goes, which is root's again in the end.
 */
export function compileSteps(
  { name, executable, library, builder }: CompiledInterpreter,
  jobUser: string,
): CompileStep[] {
  const directories = [
    library,
    ...(name === SYSTEM_INTERPRETER
      ? ["/usr/lib/python3/dist-packages", "/usr/local/lib/creamery"]
      : []),
  ];
  const mode =
    name === "cpython-2.7" ? [] : ["-q", "--invalidation-mode", "unchecked-hash", "-j", "1"];
  // Some files are not meant to compile (templates, syntax of other versions): the exit code says nothing.
  const compile = {
    argv: [executable, "-m", "compileall", "-q", "-f", ...mode, ...directories],
    mayFail: true,
  } as const;
  if (builder === "debian") return [{ ...compile, owner: ROOT }];
  const root = (...argv: [string, ...string[]]): CompileStep => ({ argv, owner: ROOT });
  const [user = "", group = ""] = jobUser.split(":");
  const caches = ["-name", "__pycache__"];
  const make = ["install", "-d", "-o", user, "-g", group, "{}/__pycache__", ";"];
  return [
    root("find", library, "-xdev", ...caches, "-prune", "-o", "-type", "d", "-exec", ...make),
    { ...compile, owner: jobUser },
    root("chown", "-R", "--no-dereference", `--from=${jobUser}`, ROOT, library),
    root("find", library, "-xdev", ...caches, "-empty", "-delete"),
  ];
}

/** Debian's own python3, which owns /usr/lib/python3. */
const SYSTEM_INTERPRETER = "cpython-3.13";

async function sweep(argv: Command, signal: AbortSignal): Promise<void> {
  const ended = await runContained({
    argv,
    env: { PATH: "/usr/bin:/bin", LANG: "C" },
    network: false,
    deadlineMs: SWEEP_MS,
    signal,
  });
  mustHaveEnded(argv, ended);
}

/** @throws CreameryError `image-build`. */
function mustHaveEnded([program]: Command, { code, tail }: ContainedResult): void {
  if (code !== 0)
    throw new CreameryError(
      "image-build",
      `${program} failed: ${printableLine(tail.at(-1) ?? "")}`,
    );
}
