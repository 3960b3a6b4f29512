import { randomUUID } from "node:crypto";
import { basename, resolve } from "node:path";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError, type ErrorCode } from "../../base/errors.ts";
import type { LauncherClient } from "../../launcher/client.ts";
import type { LauncherReply } from "../../launcher/protocol.ts";
import { isName, normaliseName } from "../../python/names.ts";
import { parseRequirement } from "../../python/requirements.ts";
import type { ResolvedSource } from "../attempt-job.ts";
import { isArchiveName, resolveArchive } from "./archive-source.ts";
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
const PROJECT_FILES = ["pyproject.toml", "setup.py", "setup.cfg"];

/**
 * A directory (packed by the launcher), a wheel or an sdist of the person who asked.
 * @param typed the path as it was typed; extras may follow it in brackets, as pip takes them.
 * @throws CreameryError `no-such-path`, `unreadable-path`, `too-large`, `not-a-project`, `bad-archive`, `launcher`, `deadline`.
 */
export async function resolveLocal(
  typed: string,
  context: LocalContext,
  signal: AbortSignal,
): Promise<ResolvedSource> {
  const { place, what } = await findPlace(typed, context, signal);
  switch (what) {
    case "directory":
      return await resolveTree(place, context, signal);
    case "file": {
      if (!isArchiveName(place.path)) throw noArchive(place, "by its name");
      const file = await readFile(place.path, context, signal);
      return await resolveArchive({ ...place, file }, signal);
    }
    case "other":
      throw noArchive(place, "but a device, a pipe or a socket");
  }
}

/**
 * That a word taken for a project's name is no file beside the person who asked: nobody's file names are told to an index.
 * A directory of that name is none of our concern (`zope.interface`), and is meant by `./zope.interface`.
 * @throws CreameryError `bad-archive`.
 */
export async function assertNoFile(
  word: string,
  context: LocalContext,
  signal: AbortSignal,
): Promise<void> {
  const path = resolve(context.cwd, word);
  const what = await probe(path, context, signal).catch((thrown: unknown) => {
    if (thrown instanceof CreameryError && UNSEEN.has(thrown.code)) return null;
    throw thrown;
  });
  if (what !== "file") return;
  throw new CreameryError("bad-archive", "is a file that is no project, sdist or wheel", {
    input: path,
    nextStep: `give a directory, a .whl, or an sdist (.tar.gz, .zip); for the release on the index write '${clip(word, 80)}>=0'`,
  });
}

const UNSEEN: ReadonlySet<ErrorCode> = new Set(["no-such-path", "unreadable-path"]);

function noArchive({ path }: Place, why: string): CreameryError {
  return new CreameryError("bad-archive", `is neither a wheel nor an sdist ${why}`, {
    input: path,
    nextStep: "give a directory, a .whl, or an sdist (.tar.gz, .zip)",
  });
}

/** What was typed, taken apart. */
interface Place {
  /** Absolute. */
  readonly path: string;
  readonly extras: readonly string[];
  readonly label: string;
}

type Kind = LauncherReply<"probe-user-path">["what"];

/** A path that is there with the brackets in its name is that path; else they are extras. */
async function findPlace(
  typed: string,
  context: LocalContext,
  signal: AbortSignal,
): Promise<{ readonly place: Place; readonly what: Kind }> {
  const whole = placeOf(typed, [], context.cwd);
  const [, bare, bracketed] = /^(.+)(\[[^[\]/]+\])$/u.exec(typed) ?? [];
  const extras = bracketed === undefined ? undefined : parseRequirement(`x${bracketed}`)?.extras;
  try {
    return { place: whole, what: await probe(whole.path, context, signal) };
  } catch (thrown) {
    if (!isMissing(thrown)) throw thrown;
    if (bare === undefined || extras === undefined) throw notThere(typed, whole, thrown);
  }
  const place = placeOf(bare, [...new Set(extras.map(normaliseName))], context.cwd);
  try {
    return { place, what: await probe(place.path, context, signal) };
  } catch (thrown) {
    throw isMissing(thrown) ? notThere(bare, place, thrown) : thrown;
  }
}

/** The label is as typed; where that is dots alone, the directory's name. */
function placeOf(typed: string, extras: readonly string[], cwd: string): Place {
  const path = resolve(cwd, typed);
  const shown = /^[./]*$/u.test(typed) ? basename(path) || path : typed;
  const suffix = extras.length === 0 ? "" : `[${extras.join(",")}]`;
  return { path, extras, label: clip(printableLine(`${shown}${suffix}`), 200) };
}

async function probe(path: string, { launcher }: LocalContext, signal: AbortSignal): Promise<Kind> {
  return (await launcher.request({ kind: "probe-user-path", path }, { signal })).what;
}

async function readFile(
  path: string,
  { launcher }: LocalContext,
  signal: AbortSignal,
): Promise<string> {
  const request = {
    kind: "read-user-file",
    path,
    result: resultName(),
    maxBytes: MAX_BYTES,
  } as const;
  return (await launcher.request(request, { signal })).file;
}

function isMissing(thrown: unknown): thrown is CreameryError {
  return thrown instanceof CreameryError && thrown.code === "no-such-path";
}

function notThere(typed: string, { path }: Place, cause: CreameryError): CreameryError {
  const word = typed.replaceAll(/^(?:\.\/)+|\/+$/gu, "");
  return new CreameryError("no-such-path", cause.message, {
    input: path,
    nextStep:
      isName(word) && !isArchiveName(word)
        ? `write ${clip(word, 80)} alone for the release on the index`
        : "check the path",
    cause,
  });
}

async function resolveTree(
  { path, extras, label }: Place,
  context: LocalContext,
  signal: AbortSignal,
): Promise<ResolvedSource> {
  await assertProject(path, context, signal);
  const { file, sha256 } = await packTree(path, context, signal);
  const project = guessProject(basename(path));
  const filename = `${project}.tar`;
  const sourceFile = { path: file, filename, sha256: await hashFile(file, signal) };
  return {
    kind: "tree",
    project,
    version: "",
    extras,
    sourceFile,
    wheelFile: null,
    wheelNames: [],
    requiresPython: null,
    yanked: null,
    sha256,
    label,
  };
}

/** Seen before the tree is packed: a home directory given by mistake is not packed to learn that it is none. */
async function assertProject(
  path: string,
  context: LocalContext,
  signal: AbortSignal,
): Promise<void> {
  for (const name of PROJECT_FILES) {
    try {
      if ((await probe(`${path}/${name}`, context, signal)) === "file") return;
    } catch (thrown) {
      if (!isMissing(thrown)) throw thrown;
    }
  }
  throw new CreameryError("not-a-project", `has no ${PROJECT_FILES.join(", ")} at its top`, {
    input: path,
    nextStep: "give the directory that holds one of them",
  });
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
    const nextStep = thrown instanceof CreameryError ? AFTER_PACKING[thrown.code] : undefined;
    if (!(thrown instanceof CreameryError) || nextStep === undefined) throw thrown;
    throw new CreameryError(thrown.code, thrown.message, { input: path, nextStep, cause: thrown });
  }
}

const AFTER_PACKING: Partial<Record<ErrorCode, string>> = {
  "too-large": "leave out what is no source, or build an sdist and give that",
  "unreadable-path": "see that you can read all of its files",
};

/** The launcher makes each file new. */
function resultName(): string {
  return `source-${randomUUID()}`;
}
