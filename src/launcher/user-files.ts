import { constants, createWriteStream } from "node:fs";
import { open, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { Transform, Writable, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { exitCodeOf, firstWords } from "../base/child.ts";
import { CreameryError, type ErrorCode } from "../base/errors.ts";
import { runAs, type Asker } from "./asker.ts";
import { replySchemas, type LauncherReply } from "./protocol.ts";
import type { Session } from "./session.ts";

/** Version control, environments, caches and what builds leave: none of it is the project's source. */
const LEFT_OUT = [
  ".git",
  ".hg",
  ".svn",
  ".tox",
  ".nox",
  "__pycache__",
  "node_modules",
  ".mypy_cache",
  ".pytest_cache",
];
/** Left out at the top only: deeper down they are ordinary names. */
const LEFT_OUT_AT_TOP = ["./build", "./dist"];
/** Who owns a file and when it was read is nobody's concern; when it was written is a build's. */
const TAR_FORM = [
  "--format=pax",
  "--pax-option=delete=atime,delete=ctime",
  "--sort=name",
  "--hard-dereference",
  "--owner=0",
  "--group=0",
  "--numeric-owner",
];

export interface PersonsPath {
  readonly asker: Asker;
  readonly path: string;
  readonly signal: AbortSignal;
}

export interface FileRequest extends PersonsPath {
  readonly session: Session;
}

/**
 * Exit codes that tell why a path can't be taken; none is tar's, cat's or the shell's own. `take` ends with one unless the
 * path is there, of the kind that `test` means by its first word, and readable; the deepest directory that can be seen
 * tells whether what is below it is missing, or hidden from this person.
 */
const EXIT = { missing: 71, hidden: 72, unreadable: 73, otherKind: 74 } as const;
const TAKE = `take() {
  at=$2
  while [ -n "$at" ] && ! [ -e "$at" ]; do at=\${at%/*}; done
  if ! [ -e "$2" ]; then
    if [ -d "$at" ] && ! [ -x "$at" ]; then exit ${EXIT.hidden}; fi
    exit ${EXIT.missing}
  fi
  test "$1" "$2" || exit ${EXIT.otherKind}
  test -r "$2" || exit ${EXIT.unreadable}
}
`;

/** What it is called when a path is there and of another kind. */
interface OtherKind {
  readonly code: ErrorCode;
  readonly reason: string;
}

/** What is at the path. @throws CreameryError `no-such-path`, `unreadable-path`. */
export async function probeUserPath({
  asker,
  path,
  signal,
}: FileRequest): Promise<LauncherReply<"probe-user-path">> {
  const script = `${TAKE}take -e "$1"; if [ -f "$1" ]; then echo file; elif [ -d "$1" ]; then echo directory; else echo other; fi`;
  const child = runAs(asker, ["sh", "-c", script, "sh", path], signal);
  child.stdin.end();
  const told = firstWords(child.stdout);
  const said = firstWords(child.stderr);
  const exit = await exitCodeOf(child);
  signal.throwIfAborted();
  if (exit !== 0) throw notTaken(exit, said(), path);
  return replySchemas["probe-user-path"].parse({ what: told() });
}

/**
 * Packs a directory as the person who asked sees it.
 * @throws CreameryError `no-such-path`, `unreadable-path` (it, or anything in it), `not-a-project` (no directory), `too-large`.
 */
export async function packTree(
  request: FileRequest & { result: string; maxBytes: number },
): Promise<{ file: string; sizeBytes: number }> {
  const options = [
    ...TAR_FORM,
    ...LEFT_OUT.map((name) => `--exclude=${name}`),
    // A virtual environment, whatever it is called.
    "--exclude-tag-all=pyvenv.cfg",
    "--anchored",
    ...LEFT_OUT_AT_TOP.map((name) => `--exclude=${name}`),
  ];
  const script = `${TAKE}take -d "$1"; dir=$1; shift; exec tar --create "$@" --directory "$dir" .`;
  const argv = ["sh", "-c", script, "sh", request.path, ...options];
  return await fetchAs(request, argv, { code: "not-a-project", reason: "is no directory" });
}

/**
 * Copies a regular file, opened with the rights of the person who asked.
 * @throws CreameryError `no-such-path`, `unreadable-path`, `bad-archive` (no regular file), `too-large`.
 */
export async function readUserFile(
  request: FileRequest & { result: string; maxBytes: number },
): Promise<{ file: string; sizeBytes: number }> {
  return await fetchAs(request, readArgv(request.path), NO_FILE);
}

/**
 * What a regular file says, opened with the rights of the person who asked: of one that can hold secrets no copy is made.
 * @throws CreameryError `no-such-path`, `unreadable-path`, `bad-archive` (no regular file), `too-large`.
 */
export async function readUserText(
  request: FileRequest & { maxBytes: number },
): Promise<{ text: string }> {
  const chunks: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  await takeAs(request, readArgv(request.path), NO_FILE, sink);
  return { text: Buffer.concat(chunks).toString("utf8") };
}

const NO_FILE: OtherKind = { code: "bad-archive", reason: "is no file" };

function readArgv(path: string): string[] {
  return ["sh", "-c", `${TAKE}take -f "$1"; exec cat <"$1"`, "sh", path];
}

/**
 * Makes the name of a file beside the path, removed at the end unless it took the path's place. What is there and no file (a
 * directory, `/dev/stdout`) is left as it is. Nobody else's link is followed: the file is made new, under a name that nobody guesses.
 */
const PLACE = `set -e
if [ -e "$1" ] && ! [ -f "$1" ]; then exit ${EXIT.otherKind}; fi
[ -d "\${1%/*}/" ] || exit ${EXIT.missing}
cd -- "\${1%/*}/" 2>/dev/null || exit ${EXIT.hidden}
umask "\${3:-022}"
part=./.creamery-$(od -An -N8 -tx1 /dev/urandom | tr -d ' ').part
trap 'rm -f -- "$part"' EXIT
set -C
`;
/** The file beside takes the path's place once it is whole: its size is checked, since input that was cut off is never the whole. */
const WRITE = `${PLACE}cat >"$part"
test "$(wc -c <"$part")" -eq "$2"
mv -fT -- "$part" "./\${1##*/}"`;

/**
 * Writes a file of the exchange directory to the path, with the rights of the person who asked; whole or not at all.
 * @throws CreameryError `output-file`.
 */
export async function writeUserFile(
  request: FileRequest & { content: string; isPrivate?: boolean | undefined },
): Promise<void> {
  const { session, asker, path, content, isPrivate = false, signal } = request;
  const { handle, sizeBytes } = await openExchanged(session, content);
  try {
    const stream = handle.createReadStream({ autoClose: false });
    await writeAs({ asker, path, signal }, sizeBytes, stream, isPrivate);
  } finally {
    await handle.close();
  }
}

/** A file of the exchange directory. @throws CreameryError `launcher`. */
export async function openExchanged(
  { exchange }: Pick<Session, "exchange">,
  content: string,
): Promise<{ readonly handle: FileHandle; readonly sizeBytes: number }> {
  // The farm owns the directory and could put a link or a pipe there: opened without following, without waiting.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(join(exchange, content), flags).catch((cause: unknown) => {
    throw new CreameryError("launcher", "there is nothing to write", { input: content, cause });
  });
  const state = await handle.stat();
  if (state.isFile()) return { handle, sizeBytes: state.size };
  await handle.close();
  throw new CreameryError("launcher", "what is to be written is no file", { input: content });
}

/** That a file could be written there, before the work of making it. @throws CreameryError `output-file`. */
export async function assertWritable({ asker, path, signal }: PersonsPath): Promise<void> {
  const child = runAs(asker, ["sh", "-c", `${PLACE}: >"$part"`, "sh", path], signal);
  await ended(child, path, signal);
}

/**
 * Writes a stream of so many bytes to the path, with the rights of the person who asked; whole or not at all.
 * @param isPrivate for its owner alone to read.
 * @throws CreameryError `output-file`.
 */
export async function writeAs(
  { asker, path, signal }: PersonsPath,
  sizeBytes: number,
  content: Readable,
  isPrivate = false,
): Promise<void> {
  const words = [path, String(sizeBytes), isPrivate ? "077" : "022"];
  const child = runAs(asker, ["sh", "-c", WRITE, "sh", ...words], signal);
  const over = ended(child, path, signal);
  over.catch(() => undefined);
  await pipeline(content, child.stdin).catch(() => undefined);
  await over;
}

async function ended(
  child: ReturnType<typeof runAs>,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const said = firstWords(child.stderr);
  child.stdout.resume();
  const code = await exitCodeOf(child);
  signal.throwIfAborted();
  if (code !== 0) throw notWritten(code, said(), path);
}

async function fetchAs(
  request: FileRequest & { result: string; maxBytes: number },
  argv: readonly string[],
  otherKind: OtherKind,
): Promise<{ file: string; sizeBytes: number }> {
  // Root's own directory, so that nothing is put in the way; the farm may only read it, and nobody else.
  const file = join(request.session.received, request.result);
  const sink = createWriteStream(file, { mode: 0o640, flags: "wx" });
  try {
    return { file, sizeBytes: await takeAs(request, argv, otherKind, sink) };
  } catch (thrown) {
    await rm(file, { force: true });
    throw thrown;
  }
}

/** Passes on what a child of the person who asked says. @returns how many bytes it was. */
async function takeAs(
  { asker, path, maxBytes, signal }: FileRequest & { maxBytes: number },
  argv: readonly string[],
  otherKind: OtherKind,
  sink: Writable,
): Promise<number> {
  const child = runAs(asker, argv, signal);
  child.stdin.end();
  const said = firstWords(child.stderr);
  const exited = exitCodeOf(child);
  let sizeBytes = 0;
  const bound = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes)
        done(new CreameryError("too-large", `is larger than ${maxBytes} bytes`, { input: path }));
      else done(null, chunk);
    },
  });
  try {
    await pipeline(child.stdout, bound, sink);
    const exit = await exited;
    if (exit !== 0) throw notTaken(exit, said(), path, otherKind);
  } catch (thrown) {
    child.kill("SIGKILL");
    signal.throwIfAborted();
    throw thrown;
  }
  return sizeBytes;
}

/** Why a person's path was not taken, by the exit code of the child that tried; null for one that was killed. */
function notTaken(exit: unknown, said: string, path: string, otherKind?: OtherKind): CreameryError {
  const input = path;
  const unreadable = (reason: string) =>
    new CreameryError("unreadable-path", reason, { input, nextStep: "check its permissions" });
  switch (exit) {
    case EXIT.missing:
      return new CreameryError("no-such-path", "there is no such file or directory", { input });
    case EXIT.hidden:
      return unreadable("lies where you may not look");
    case EXIT.unreadable:
      return unreadable("is there, but you may not read it");
    case EXIT.otherKind:
      return new CreameryError(otherKind?.code ?? "launcher", otherKind?.reason ?? "", { input });
    case null:
      return new CreameryError("deadline", "reading it took too long", { input });
    default:
      return unreadable(`can't be read: ${said || "no reason was given"}`);
  }
}

/** Why a file could not be written, by the exit code of the child that tried and by its last words. */
function notWritten(exit: unknown, said: string, path: string): CreameryError {
  const nextStep = "name a file in a directory that you may write to";
  const reasons: Readonly<Record<number, string>> = {
    [EXIT.missing]: "can't be written: its directory is not there",
    [EXIT.hidden]: "can't be written: lies where you may not look",
    [EXIT.otherKind]: "is there and no file",
  };
  // Of `sh: 1: cannot create /x: Permission denied` what the system said.
  const system = /: ([\w ,-]{1,60})$/u.exec(said)?.[1]?.toLowerCase() ?? "";
  const reason =
    (typeof exit === "number" ? reasons[exit] : "it took too long") ??
    `can't be written: ${system === "" ? "no reason was given" : system}`;
  return new CreameryError("output-file", reason, { input: path, nextStep });
}
