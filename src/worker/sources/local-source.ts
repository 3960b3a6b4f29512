import { randomUUID } from "node:crypto";
import { open } from "node:fs/promises";
import { basename, resolve } from "node:path";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import type { LauncherClient } from "../../launcher/client.ts";
import { parseSdistFilename, parseWheelFilename } from "../../python/distribution-filename.ts";
import { isName } from "../../python/names.ts";
import type { HostFile, ResolvedSource } from "../attempt-job.ts";
import { guessProject } from "./guess-project.ts";
import { hashFile, hashPackedTree } from "./packed-tree.ts";

/** How paths are reached: the farm's own user may not see them, so the launcher is asked. */
export interface LocalContext {
  readonly launcher: Pick<LauncherClient, "request">;
  /** Of the person who asked, absolute: relative paths start there. */
  readonly cwd: string;
}

/** What is fetched lies in memory where the run directory does. */
const MAX_BYTES = 1024 ** 3;
/** Enough to learn what something is; the least that the launcher can be asked for. */
const PROBE_BYTES = 1024 ** 2;
const PROJECT_FILES = ["pyproject.toml", "setup.py", "setup.cfg"];

/** How each kind of archive begins. */
const ARCHIVES: readonly (readonly [suffix: string, form: string, magic: Buffer])[] = [
  [".whl", "zip", Buffer.from("PK\u0003\u0004")],
  [".zip", "zip", Buffer.from("PK\u0003\u0004")],
  [".tar.gz", "gzip", Buffer.from([0x1f, 0x8b])],
  [".tgz", "gzip", Buffer.from([0x1f, 0x8b])],
  [".tar.bz2", "bzip2", Buffer.from("BZh")],
  [".tar.xz", "xz", Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a])],
];
const NOT_THERE = "there is no such file or directory, or it can't be read";

/**
 * A directory (packed by the launcher), a wheel or an sdist of the person who asked.
 * @param typed the path as it was typed.
 * @throws CreameryError `not-a-project`, `bad-archive`, `launcher`, `deadline`.
 */
export async function resolveLocal(
  typed: string,
  context: LocalContext,
  signal: AbortSignal,
): Promise<ResolvedSource> {
  const path = resolve(context.cwd, typed);
  const archive = ARCHIVES.find(([suffix]) => path.endsWith(suffix));
  if (archive !== undefined) {
    const read = await readUserFile(path, MAX_BYTES, context, signal);
    if (read.kind === "too-large")
      throw new CreameryError("bad-archive", `is larger than ${MAX_BYTES} bytes`, { input: path });
    if (read.kind === "read") return await resolveArchive(typed, path, archive, read.file, signal);
  }
  for (const name of PROJECT_FILES) {
    // Asked for before the tree is packed: a home directory given by mistake is not packed to learn that it is none.
    const read = await readUserFile(`${path}/${name}`, PROBE_BYTES, context, signal);
    if (read.kind !== "none") return await resolveTree(typed, path, context, signal);
  }
  throw await noSource(typed, path, context, signal);
}

async function resolveTree(
  typed: string,
  path: string,
  context: LocalContext,
  signal: AbortSignal,
): Promise<ResolvedSource> {
  const { file, sha256 } = await packTree(path, context, signal);
  const project = guessProject(basename(path));
  const filename = `${project}.tar`;
  return {
    ...unknownYet,
    kind: "tree",
    project,
    sourceFile: { path: file, filename, sha256: await hashFile(file, signal) },
    sha256,
    label: labelOf(typed, path),
  };
}

/** @returns the tar, and the hash of what it holds. */
async function packTree(
  path: string,
  { launcher }: LocalContext,
  signal: AbortSignal,
): Promise<{ readonly file: string; readonly sha256: string }> {
  try {
    const request = { kind: "pack-tree", path, result: resultName(), maxBytes: MAX_BYTES } as const;
    const { file } = await launcher.request(request, { signal });
    return { file, sha256: await hashPackedTree(file, signal) };
  } catch (thrown) {
    if (!(thrown instanceof CreameryError) || thrown.code !== "not-a-project") throw thrown;
    const tooMuch = /^(?:is larger|holds more) than/u.test(thrown.message);
    throw new CreameryError("not-a-project", thrown.message, {
      input: path,
      nextStep: tooMuch
        ? "leave out what is no source, or build an sdist and give that"
        : "see that you can read all of its files",
      cause: thrown,
    });
  }
}

async function resolveArchive(
  typed: string,
  path: string,
  [suffix, form, magic]: (typeof ARCHIVES)[number],
  file: string,
  signal: AbortSignal,
): Promise<ResolvedSource> {
  const filename = basename(path);
  if (!(await firstBytes(file, magic.length)).equals(magic)) {
    throw new CreameryError("bad-archive", `is no ${form} archive: it begins otherwise`, {
      input: path,
      nextStep: "build it anew, or give the directory itself",
    });
  }
  const sha256 = await hashFile(file, signal);
  const given: HostFile = { path: file, filename, sha256 };
  const label = labelOf(typed, path);
  if (suffix === ".whl") {
    const wheel = parseWheelFilename(filename);
    if (wheel === null)
      throw new CreameryError("bad-archive", "is no name that a wheel can have (PEP 427)", {
        input: filename,
        nextStep: "give it the name that it was built with, such as x-1.0-py3-none-any.whl",
      });
    const { project, version } = wheel;
    return { ...unknownYet, kind: "wheel", project, version, wheelFile: given, sha256, label };
  }
  const sdist = parseSdistFilename(filename);
  return {
    ...unknownYet,
    kind: "sdist",
    project: sdist?.project ?? guessProject(filename.slice(0, -suffix.length)),
    version: sdist?.version ?? "",
    sourceFile: given,
    sha256,
    label,
  };
}

const unknownYet = {
  version: "",
  extras: [],
  sourceFile: null,
  wheelFile: null,
  wheelNames: [],
  requiresPython: null,
  yanked: null,
} as const;

type UserFile =
  | { readonly kind: "read"; readonly file: string }
  | { readonly kind: "too-large" }
  | { readonly kind: "none" };

async function readUserFile(
  path: string,
  maxBytes: number,
  { launcher }: LocalContext,
  signal: AbortSignal,
): Promise<UserFile> {
  try {
    const request = { kind: "read-user-file", path, result: resultName(), maxBytes } as const;
    return { kind: "read", file: (await launcher.request(request, { signal })).file };
  } catch (thrown) {
    if (!(thrown instanceof CreameryError) || thrown.code !== "bad-archive") throw thrown;
    // One code stands for both; the launcher's words (user-files.ts) tell them apart.
    if (thrown.message.startsWith("is larger than")) return { kind: "too-large" };
    if (thrown.message.startsWith("is no file")) return { kind: "none" };
    throw thrown;
  }
}

/** Why nothing can be tested there. */
async function noSource(
  typed: string,
  path: string,
  context: LocalContext,
  signal: AbortSignal,
): Promise<CreameryError> {
  if (await isDirectory(path, context, signal)) {
    return new CreameryError("not-a-project", `has no ${PROJECT_FILES.join(", ")} at its top`, {
      input: path,
      nextStep: "give the directory that holds one of them",
    });
  }
  const read = await readUserFile(path, PROBE_BYTES, context, signal);
  if (read.kind !== "none") {
    return new CreameryError("bad-archive", "is neither a wheel nor an sdist by its name", {
      input: path,
      nextStep: "give a directory, a .whl, or an sdist (.tar.gz, .zip)",
    });
  }
  const word = typed.replaceAll(/^(?:\.\/)+|\/+$/gu, "");
  const isArchive = ARCHIVES.some(([suffix]) => word.endsWith(suffix));
  return new CreameryError("not-a-project", NOT_THERE, {
    input: path,
    nextStep:
      isName(word) && !isArchive
        ? `write ${clip(word, 80)} alone for the release on the index`
        : "check the path",
  });
}

async function isDirectory(
  path: string,
  { launcher }: LocalContext,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const request = {
      kind: "pack-tree",
      path,
      result: resultName(),
      maxBytes: PROBE_BYTES,
    } as const;
    await launcher.request(request, { signal });
    return true;
  } catch (thrown) {
    if (!(thrown instanceof CreameryError) || thrown.code !== "not-a-project") throw thrown;
    return !thrown.message.startsWith("is no directory");
  }
}

/** The launcher makes each file new. */
function resultName(): string {
  return `source-${randomUUID()}`;
}

async function firstBytes(path: string, length: number): Promise<Buffer> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0);
  return buffer.subarray(0, bytesRead);
}

/** As typed; where that is dots alone, the directory's name. */
function labelOf(typed: string, path: string): string {
  const shown = /^[./]*$/u.test(typed) ? basename(path) || path : typed;
  return clip(printableLine(shown), 200);
}
