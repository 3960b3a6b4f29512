import { constants, copyFile, lstat, rm, symlink } from "node:fs/promises";
import { basename, join } from "node:path";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { directoryInRoot } from "../directory-in-root.ts";
import { runInRoot } from "../run-contained.ts";
import type { BringContext } from "./types.ts";

type TreeContext = Pick<BringContext, "rootfs" | "signal">;

/** Trees of interpreters that are no Debian packages, each in a directory of its name. */
const TREES = "/opt/creamery/interpreters";
const SCRIPTS = "/opt/creamery/bring";
const UNPACK_MS = 5 * 60_000;
/** CPython with its tests is 400 MB, PyPy 200 MB. */
const MAX_BYTES = 2_000_000_000;
const MAX_ENTRIES = 100_000;

/** Where an interpreter's own tree lies in the image. */
export function treePath(name: string): string {
  return `${TREES}/${name}`;
}

/** `python3.12`, `pypy3.11`. */
function programOf(name: string): string {
  return `${name.startsWith("pypy-") ? "pypy" : "python"}${versionOf(name)}`;
}

function versionOf(name: string): string {
  return name.slice(name.indexOf("-") + 1);
}

/** Executable and standard library of an interpreter with a tree of its own, as its installation lays them out. */
export function treePaths(name: string): { executable: string; library: string } {
  const program = programOf(name);
  return {
    executable: `${treePath(name)}/bin/${program}`,
    library: `${treePath(name)}/lib/${program}`,
  };
}

export interface ArchivedTree {
  readonly name: string;
  /** Outside of the root file system; its hash was checked. */
  readonly archive: string;
  /** In the archive, the directory that has `bin` and `lib`. */
  readonly tree: string;
}

/** Unpacks an interpreter into its tree and makes it work there. @throws CreameryError `bad-archive`, `image-build`. */
export async function installTree(
  { name, archive, tree }: ArchivedTree,
  context: TreeContext,
): Promise<void> {
  const inside = await bringFile(archive, context);
  const { code, tail } = await runScript(
    "unpack_archive.py",
    [inside, tree, treePath(name), String(MAX_BYTES), String(MAX_ENTRIES)],
    context,
  );
  await removeScripts(context);
  if (code !== 0) {
    const said = lastWords(tail);
    const refused = /^refused: (.*)$/u.exec(said)?.[1];
    throw new CreameryError(
      refused === undefined ? "image-build" : "bad-archive",
      refused === undefined
        ? `the archive of ${name} could not be unpacked: ${said}`
        : `the archive of ${name} is refused: ${refused}`,
      { input: name, nextStep: "mend its entry in image.toml: another archive, or another tree" },
    );
  }
  await settleTree(name, context);
}

/**
 * Makes the tree of an interpreter work where it lies, and its programs be found by their names.
 * @throws CreameryError `image-build`.
 */
export async function settleTree(name: string, context: TreeContext): Promise<void> {
  const { rootfs } = context;
  const program = programOf(name);
  if (name.startsWith("cpython-")) {
    const { code, tail } = await runScript(
      "settle_tree.py",
      [treePath(name), versionOf(name)],
      context,
    );
    await removeScripts(context);
    if (code !== 0)
      throw new CreameryError(
        "image-build",
        `the tree of ${name} could not be made to work in the image: ${lastWords(tail)}`,
        { input: name, nextStep: "mend its entry in image.toml" },
      );
  }
  const programs = await directoryInRoot(rootfs, "/usr/local/bin");
  // Not every tree has a `-config`.
  for (const found of [program, `${program}-config`]) {
    const target = `${treePath(name)}/bin/${found}`;
    if (await isThere(join(rootfs, target))) await symlink(target, join(programs, found));
  }
}

async function isThere(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  );
}

async function bringFile(path: string, { rootfs }: TreeContext): Promise<string> {
  const directory = await directoryInRoot(rootfs, SCRIPTS);
  await copyFile(path, join(directory, basename(path)), constants.COPYFILE_EXCL);
  return `${SCRIPTS}/${basename(path)}`;
}

async function removeScripts({ rootfs }: TreeContext): Promise<void> {
  await rm(await directoryInRoot(rootfs, SCRIPTS), { recursive: true });
}

/** Runs one of the scripts beside this file inside the root file system, with no network. */
async function runScript(script: string, given: readonly string[], context: TreeContext) {
  const inside = await bringFile(join(import.meta.dirname, script), context);
  return await runInRoot({
    rootfs: context.rootfs,
    argv: ["/usr/bin/python3.13", "-I", "-S", "-B", inside, ...given],
    owner: "0:0",
    deadlineMs: UNPACK_MS,
    signal: context.signal,
  }).catch((thrown: unknown) => {
    // It was had: that it can't be unpacked in time is a build that fails, not an interpreter that is missing.
    if (!(thrown instanceof CreameryError) || thrown.code !== "deadline") throw thrown;
    throw new CreameryError("image-build", thrown.message, { input: script, cause: thrown });
  });
}

function lastWords(tail: readonly string[]): string {
  return clip(printableLine(tail.at(-1) ?? "it said nothing"), 300);
}
