import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";

import { CreameryError, diskFullFault, reasonOf } from "../base/errors.ts";
import { isTreePath, readFrames } from "./tree-frames.ts";

/**
 * A directory of files that the farm makes anew and again, with the rights of whose it is. It is put together in a part beside
 * it (or within, where it is there already), which nobody else can look into, and takes its place once it is whole. What the
 * farm wrote is listed in it: only that is ever replaced or removed. Synchronous, in a process of its own.
 */

/** Lists what the farm wrote here, a path on each line. */
const MARKER = ".creamery-report";
const FIRST_LINE =
  "Written by creamery report: these files, and no others, are replaced or removed.";
const PART = /^\.creamery-[0-9a-f]{16}\.part$/u;
/** What was not touched for so long was left by a process that is no more. */
const STALE_MS = 24 * 3_600_000;
/** Files up to this size are held against those that are there: what is the same keeps its time. */
const COMPARED_BYTES = 1 << 20;

/**
 * @returns the part's name.
 * @throws CreameryError `output-file` for what is no directory, or one that holds what the farm did not write; `disk-full`.
 */
export function beginTree(path: string): string {
  return withFaults(path, () => {
    const isThere = isDirectory(path);
    if (isThere) assertOurs(path);
    else if (!isDirectory(dirname(path)))
      throw refused(path, "can't be written: its directory is not there", "make it first");
    const place = isThere ? path : dirname(path);
    removeStale(place);
    const part = `.creamery-${randomBytes(8).toString("hex")}.part`;
    mkdirSync(join(place, part), { mode: 0o700 });
    return part;
  });
}

/** @throws CreameryError `launcher` for what is no stream of frames; `output-file`, `disk-full`. */
export async function addToTree(
  path: string,
  part: string,
  content: AsyncIterable<Buffer>,
): Promise<void> {
  const directory = placeOf(path, part);
  const { O_WRONLY, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const made = new Set<string>();
  let written = "";
  let file = -1;
  const close = () => {
    if (file >= 0) closeSync(file);
    file = -1;
  };
  try {
    await readFrames(content, (frame, chunk) => {
      withFaults(path, () => {
        if (file < 0 || written !== frame.path) {
          close();
          const parent = dirname(frame.path);
          if (!made.has(parent)) mkdirSync(join(directory, parent), { recursive: true });
          made.add(parent);
          const flags = O_WRONLY | O_NOFOLLOW | (frame.continues ? O_APPEND : O_CREAT | O_EXCL);
          file = openSync(join(directory, frame.path), flags, 0o666);
          written = frame.path;
        }
        for (let at = 0; at < chunk.length;) at += writeSync(file, chunk, at);
      });
    });
    const now = new Date();
    utimesSync(directory, now, now);
  } finally {
    close();
  }
}

/** What was added takes the directory's place, or that of what was written there before. @throws CreameryError `output-file`, `disk-full`. */
export function keepTree(path: string, part: string): void {
  const directory = placeOf(path, part);
  withFaults(path, () => {
    const files = filesIn(directory).toSorted();
    if (dirname(directory) === path) return update(path, directory, files);
    writeMarker(directory, directory, files);
    chmodSync(directory, 0o777 & ~process.umask());
    renameSync(directory, path);
  });
}

/** Nothing comes of it. */
export function dropTree(path: string, part: string): void {
  rmSync(placeOf(path, part), { recursive: true, force: true });
}

/**
 * File by file, each whole at any instant: first what was not there, then what leads to it, and only then goes what nothing
 * leads to any more. So whoever reads meanwhile, or is left with what an end in the midst of it made, follows no link to nothing.
 */
function update(path: string, part: string, files: readonly string[]): void {
  const before = listed(path);
  const parents = new Set(files.map((file) => dirname(file)).filter((parent) => parent !== "."));
  for (const parent of parents) assertDirectories(path, parent);
  const isThere = new Map(files.map((file) => [file, assertReplaceable(path, file, before)]));
  // Whatever happens from here on, it is known to be ours.
  writeMarker(path, part, [...new Set([...before, ...files])].toSorted());
  for (const parent of parents) mkdirSync(join(path, parent), { recursive: true });
  for (const file of files)
    if (isThere.get(file) === false) renameSync(join(part, file), join(path, file));
  for (const file of files)
    if (isThere.get(file) === true && !isSame(join(part, file), join(path, file)))
      renameSync(join(part, file), join(path, file));
  const kept = new Set(files);
  for (const file of before) if (!kept.has(file)) removeOurs(path, file);
  writeMarker(path, part, files);
  rmSync(part, { recursive: true, force: true });
}

function placeOf(path: string, part: string): string {
  if (!PART.test(part)) throw new CreameryError("launcher", "is no part", { input: part });
  const within = join(path, part);
  return existsSync(within) ? within : join(dirname(path), part);
}

/** Of the path itself, not of where a link leads; null for nothing. */
function stateOf(path: string) {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null;
}

function isDirectory(path: string): boolean {
  const state = statSync(path, { throwIfNoEntry: false });
  if (state?.isDirectory() === true) return true;
  if (stateOf(path) === null) return false;
  throw refused(path, "is there and no directory");
}

function assertOurs(path: string): void {
  const others = readdirSync(path).filter((name) => !PART.test(name));
  if (others.length === 0 || others.includes(MARKER)) return;
  throw refused(path, "holds what no report wrote");
}

function assertDirectories(path: string, parent: string): void {
  for (let at = parent; at !== "."; at = dirname(at)) {
    const state = stateOf(join(path, at));
    if (state !== null && !state.isDirectory())
      throw refused(join(path, at), "is in the way: no report wrote it", "move it away");
  }
}

/** @returns whether a file is there. */
function assertReplaceable(path: string, file: string, ours: ReadonlySet<string>): boolean {
  const state = stateOf(join(path, file));
  if (state === null) return false;
  if (state.isFile() && ours.has(file)) return true;
  throw refused(join(path, file), "is in the way: no report wrote it", "move it away");
}

function removeOurs(path: string, file: string): void {
  // The list is a file like any other: where a link stands in for a directory by now, what it leads to is no report's.
  if (leadsElsewhere(path, dirname(file))) return;
  const state = stateOf(join(path, file));
  if (state?.isFile() === true) unlinkSync(join(path, file));
  for (let at = dirname(file); at !== "."; at = dirname(at)) {
    try {
      rmdirSync(join(path, at));
    } catch {
      // Something else is in it.
      return;
    }
  }
}

function leadsElsewhere(path: string, parent: string): boolean {
  for (let at = parent; at !== "."; at = dirname(at))
    if (stateOf(join(path, at))?.isDirectory() === false) return true;
  return false;
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [statSync(one), statSync(other)];
  if (a.size !== b.size || a.size > COMPARED_BYTES || a.mode !== b.mode) return false;
  return readFileSync(one).equals(readFileSync(other));
}

function listed(path: string): ReadonlySet<string> {
  const marker = join(path, MARKER);
  if (stateOf(marker)?.isFile() !== true) return new Set();
  return new Set(readFileSync(marker, "utf8").split("\n").slice(1).filter(isTreePath));
}

function writeMarker(path: string, part: string, files: readonly string[]): void {
  const written = join(part, `${MARKER}.new`);
  writeFileSync(written, `${[FIRST_LINE, ...files].join("\n")}\n`);
  renameSync(written, join(path, MARKER));
}

function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .filter(isTreePath);
}

function removeStale(place: string): void {
  for (const name of readdirSync(place)) {
    if (!PART.test(name)) continue;
    const state = stateOf(join(place, name));
    if (state !== null && state.isDirectory() && Date.now() - state.mtimeMs > STALE_MS)
      rmSync(join(place, name), { recursive: true, force: true });
  }
}

function refused(path: string, reason: string, nextStep = "name a new directory, or an empty one") {
  return new CreameryError("output-file", reason, { input: path, nextStep });
}

const WORDS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EROFS: "read-only file system",
  ENAMETOOLONG: "file name too long",
  ENOTEMPTY: "something was put there meanwhile",
  ENOTDIR: "its directory is a file",
};

function withFaults<Answer>(path: string, work: () => Answer): Answer {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof CreameryError) throw thrown;
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
    const why = WORDS[code] ?? reasonOf(thrown);
    throw (
      diskFullFault(thrown, path) ??
      new CreameryError("output-file", `can't be written: ${why}`, {
        input: path,
        nextStep: "name a directory that you may write to",
        cause: thrown,
      })
    );
  }
}
