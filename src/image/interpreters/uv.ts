import { copyFile, cp, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { askersEnvironment } from "../askers-environment.ts";
import { directoryInRoot } from "../directory-in-root.ts";
import { unnamed } from "../lock/source-files.ts";
import { runContained } from "../run-contained.ts";
import { settleTree, treePath, treePaths } from "./interpreter-tree.ts";
import { isUnreachable, withoutAddresses } from "./said.ts";
import { OptionalEntry, type BringContext, type SourcedInterpreter } from "./types.ts";

const INSTALL_MS = 15 * 60_000;
/** The image's own: pinned by the definition, and with it the list of what it can install, and the hash of each. */
const UV = "usr/local/bin/uv";

/** An interpreter that uv installs, on a host that reaches where it has them from (or the mirror that its uv is told of). */
export const UvEntry = OptionalEntry.extend({
  source: z.literal("uv"),
  /** The whole version: `3.12.13`. */
  version: z.string().regex(/^\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?$/u, "must be whole, like 3.12.13"),
}).refine(({ name, version }) => name.endsWith(`-${version.split(".").slice(0, 2).join(".")}`), {
  path: ["version"],
  error: "must be of the version that the name says",
});
export type UvEntry = z.infer<typeof UvEntry>;

export function fromUv({ name, version }: UvEntry): SourcedInterpreter {
  const wanted = `${name.startsWith("pypy") ? "pypy" : "cpython"}-${version}`;
  return {
    ...treePaths(name),
    origin: `uv ${wanted}`,
    packages: [],
    unpacked: [],
    bring: async (context) => {
      const installed = await install(wanted, name, context);
      const tree = await directoryInRoot(context.rootfs, treePath(name));
      await cp(installed, tree, { recursive: true, verbatimSymlinks: true });
      await rm(installed, { recursive: true });
      await settleTree(name, context);
    },
  };
}

/** @returns the one directory that uv made: `cpython-3.12.13-linux-x86_64-gnu`. */
async function install(wanted: string, name: string, context: BringContext): Promise<string> {
  const { rootfs, scratch, env, files, signal } = context;
  const directory = join(scratch, `uv-${name}`);
  // Here uv leaves the archive that it fetches, and takes it from: it checks the hash in either case.
  const archives = join(scratch, `uv-${name}-archives`);
  await mkdir(directory, { recursive: true });
  await mkdir(archives);
  if (files.locked !== null) {
    const archive = files.locked.archives.find(({ interpreter }) => interpreter === name);
    if (archive?.file === undefined)
      throw unnamed(`the archive of ${name}, or as what uv knows it`);
    await copyFile(files.path(archive.sha256), join(archives, archive.file));
  }
  const command = installCommand(join(rootfs, UV), directory, wanted, env);
  const { code, tail } = await runContained({
    argv: command.argv,
    env: {
      ...command.env,
      UV_CACHE_DIR: join(scratch, "uv-cache"),
      UV_PYTHON_CACHE_DIR: archives,
    },
    cwd: scratch,
    network: files.locked === null,
    deadlineMs: INSTALL_MS,
    signal,
  });
  if (code !== 0) throw uvFault(tail, wanted);
  // Links by the minor version lie beside it.
  const made = (await readdir(directory, { withFileTypes: true })).filter(
    (entry) => entry.isDirectory() && entry.name.startsWith(`${wanted}-`),
  );
  const [only] = made;
  if (only === undefined || made.length > 1)
    throw new CreameryError("image-build", `uv made ${made.length} interpreters, not one`, {
      input: wanted,
      nextStep: "mend its version in image.toml",
    });
  const [file, ...others] = await readdir(archives);
  if (file === undefined || others.length > 0)
    throw new CreameryError("image-build", "uv left no archive of it that could be kept", {
      input: wanted,
      nextStep: "take another uv in [[tools]]",
    });
  files.archives.push({ interpreter: name, file, ...(await files.add(join(archives, file))) });
  return join(directory, only.name);
}

/**
 * How uv is asked for an interpreter. Its own list, with the hashes that the image pins, is the one that counts: neither a variable
 * nor a file of whoever asked names another.
 */
export function installCommand(
  uv: string,
  directory: string,
  wanted: string,
  env: NodeJS.ProcessEnv,
): { readonly argv: [string, ...string[]]; readonly env: Record<string, string> } {
  const {
    UV_PYTHON_DOWNLOADS_JSON_URL: _list,
    // Is heeded with --no-config too.
    UV_CONFIG_FILE: _file,
    ...pinned
  } = askersEnvironment(env);
  return {
    argv: [
      uv,
      "python",
      "install",
      "--no-config",
      "--no-progress",
      "--color=never",
      "--no-bin",
      "--install-dir",
      directory,
      wanted,
    ],
    env: pinned,
  };
}

/** What uv said last, as one fault. */
export function uvFault(tail: readonly string[], wanted: string): CreameryError {
  const text = tail.join("\n");
  const said = clip(
    printableLine(
      withoutAddresses(tail.findLast((line) => line.startsWith("error: ")) ?? tail.at(-1) ?? ""),
    ),
    300,
  );
  if (/[Hh]ash mismatch|Checksum mismatch/u.test(text))
    return new CreameryError("upstream-hash", "uv got another file than its own list says", {
      input: wanted,
    });
  if (/No space left on device/u.test(text))
    return new CreameryError("disk-full", "the disk filled up while uv installed", {
      input: wanted,
      nextStep: "free some space, then run the same command again",
    });
  if (/No download found for request|No interpreter found/u.test(text))
    return new CreameryError("upstream", "the image's uv knows no such interpreter", {
      input: wanted,
      nextStep: "mend its version in image.toml, or take a newer uv in [[tools]]",
    });
  if (isUnreachable(text))
    return new CreameryError(
      "no-network",
      "the host that uv has interpreters from can't be reached",
      {
        input: wanted,
        nextStep:
          "build the image where it can be, or set UV_PYTHON_INSTALL_MIRROR to a mirror of it",
      },
    );
  return new CreameryError("upstream", `uv could not install it: ${said}`, {
    input: wanted,
    nextStep: "run `uv python install` by hand to see more, then build the image again",
  });
}
