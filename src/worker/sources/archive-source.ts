import { open } from "node:fs/promises";
import { basename } from "node:path";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { metadataOfWheelFile } from "../../index/metadata/wheel-metadata.ts";
import { parseCoreMetadata } from "../../python/core-metadata.ts";
import { parseSdistFilename, parseWheelFilename } from "../../python/distribution-filename.ts";
import { normaliseName } from "../../python/names.ts";
import { compareVersions, formatVersion, parseVersion } from "../../python/versions.ts";
import type { ResolvedSource } from "../attempt-job.ts";
import { guessProject } from "./guess-project.ts";
import { hashFile } from "./packed-tree.ts";

/** A wheel or an sdist of the person who asked. */
export interface GivenArchive {
  /** Where that person has it: its name tells what it is. */
  readonly path: string;
  /** Where it was copied to. */
  readonly file: string;
  readonly extras: readonly string[];
  readonly label: string;
}

/** How each kind of archive begins. */
const ARCHIVES: readonly (readonly [suffix: string, form: string, magic: Buffer])[] = [
  [".whl", "zip", Buffer.from("PK\u0003\u0004")],
  [".zip", "zip", Buffer.from("PK\u0003\u0004")],
  [".tar.gz", "gzip", Buffer.from([0x1f, 0x8b])],
  [".tgz", "gzip", Buffer.from([0x1f, 0x8b])],
  [".tar.bz2", "bzip2", Buffer.from("BZh")],
  [".tar.xz", "xz", Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a])],
];

export function isArchiveName(name: string): boolean {
  return ARCHIVES.some(([suffix]) => name.endsWith(suffix));
}

/** What the archive says of itself: a wheel by its metadata, an sdist by its name. @throws CreameryError `bad-archive`. */
export async function resolveArchive(
  { path, file, extras, label }: GivenArchive,
  signal: AbortSignal,
): Promise<ResolvedSource> {
  const filename = basename(path);
  const [suffix = "", form, magic = Buffer.alloc(0)] =
    ARCHIVES.find(([known]) => filename.endsWith(known)) ?? [];
  if (!(await firstBytes(file, magic.length)).equals(magic)) {
    throw new CreameryError("bad-archive", `is no ${form} archive: it begins otherwise`, {
      input: path,
      nextStep: "build it anew, or give the directory itself",
    });
  }
  const sha256 = await hashFile(file, signal);
  const given = { path: file, filename, sha256 };
  const common = { extras, wheelNames: [], yanked: null, sha256, label };
  if (suffix === ".whl") {
    const told = await readWheel(file, filename);
    return { ...common, ...told, kind: "wheel", sourceFile: null, wheelFile: given };
  }
  const sdist = parseSdistFilename(filename);
  return {
    ...common,
    kind: "sdist",
    project: sdist?.project ?? guessProject(filename.slice(0, -suffix.length)),
    version: sdist?.version ?? "",
    sourceFile: given,
    wheelFile: null,
    requiresPython: null,
  };
}

/** Installers refuse a wheel whose name and metadata are at odds, and one without metadata. */
async function readWheel(
  file: string,
  filename: string,
): Promise<Pick<ResolvedSource, "project" | "version" | "requiresPython">> {
  const named = parseWheelFilename(filename);
  const namedVersion = named === null ? null : parseVersion(named.version);
  if (named === null || namedVersion === null)
    throw new CreameryError("bad-archive", "is no name that a wheel can have (PEP 427)", {
      input: filename,
      nextStep: "give it the name that it was built with, such as x-1.0-py3-none-any.whl",
    });
  const content = await metadataOfWheelFile(file);
  if (content === null)
    throw new CreameryError("bad-archive", "holds no METADATA that can be read", {
      input: filename,
      nextStep: "build it anew",
    });
  const metadata = parseCoreMetadata(content.toString("utf8"));
  const version = parseVersion(metadata.version);
  if (
    normaliseName(metadata.name) !== named.project ||
    version === null ||
    compareVersions(version, namedVersion) !== 0
  ) {
    const says = clip(printableLine(`${metadata.name} ${metadata.version}`), 100);
    throw new CreameryError("bad-archive", `is ${says} by its own metadata`, {
      input: filename,
      nextStep: "give it the name that it was built with",
    });
  }
  const { requiresPython } = metadata;
  return { project: named.project, version: formatVersion(version), requiresPython };
}

async function firstBytes(path: string, length: number): Promise<Buffer> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0);
  return buffer.subarray(0, bytesRead);
}
