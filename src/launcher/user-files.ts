import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants, createWriteStream } from "node:fs";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { Transform, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { CreameryError } from "../base/errors.ts";
import type { Session } from "./session.ts";

/** The person who asked: whoever called sudo, else root. */
export interface Asker {
  readonly uid: number;
  readonly gid: number;
}

export function askerFrom(env: NodeJS.ProcessEnv): Asker {
  const uid = Number(env["SUDO_UID"] ?? 0);
  const gid = Number(env["SUDO_GID"] ?? 0);
  return Number.isSafeInteger(uid) && Number.isSafeInteger(gid)
    ? { uid, gid }
    : { uid: 65534, gid: 65534 };
}

const DEADLINE_MS = 300_000;

/** Version control, environments, caches and what builds leave: none of it is the project's source. */
const LEFT_OUT = [
  ".git",
  ".hg",
  ".svn",
  ".tox",
  ".nox",
  ".venv",
  "venv",
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

export interface FileRequest {
  readonly session: Session;
  readonly asker: Asker;
  readonly path: string;
  readonly signal: AbortSignal;
}

/** Packs a directory as the person who asked sees it. @throws CreameryError `not-a-project`, `bad-archive`, `disk-full`. */
export async function packTree(
  request: FileRequest & { result: string; maxBytes: number },
): Promise<{ file: string; sizeBytes: number }> {
  const options = [
    ...TAR_FORM,
    ...LEFT_OUT.map((name) => `--exclude=${name}`),
    "--anchored",
    ...LEFT_OUT_AT_TOP.map((name) => `--exclude=${name}`),
  ];
  const script =
    'test -d "$1" || { echo "is no directory, or can not be read" >&2; exit 1; }; dir=$1; shift; exec tar --create "$@" --directory "$dir" .';
  return await fetchAs(
    request,
    ["sh", "-c", script, "sh", request.path, ...options],
    "not-a-project",
  );
}

/** Copies a regular file, opened with the rights of the person who asked. @throws CreameryError `bad-archive`. */
export async function readUserFile(
  request: FileRequest & { result: string; maxBytes: number },
): Promise<{ file: string; sizeBytes: number }> {
  const script =
    'test -f "$1" || { echo "is no file, or can not be read" >&2; exit 1; }; exec cat <"$1"';
  return await fetchAs(request, ["sh", "-c", script, "sh", request.path], "bad-archive");
}

/**
 * Writes a file of the exchange directory to the path, with the rights of the person who asked; whole or not at all.
 * @throws CreameryError `output-file`.
 */
export async function writeUserFile(request: FileRequest & { content: string }): Promise<void> {
  const { session, asker, path, content, signal } = request;
  // The farm owns the directory and could put a link or a pipe there: opened without following, without waiting.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(join(session.exchange, content), flags).catch((cause: unknown) => {
    throw new CreameryError("launcher", "there is nothing to write", { input: content, cause });
  });
  try {
    const state = await handle.stat();
    if (!state.isFile())
      throw new CreameryError("launcher", "what is to be written is no file", { input: content });
    const { size } = state;
    // The size is checked before the rename: input that was cut off is never taken for the whole.
    const script =
      'set -e; umask 022; part="$1.creamery-$$.part"; trap \'rm -f -- "$part"\' EXIT; cat >"$part"; test "$(wc -c <"$part")" -eq "$2"; mv -f -- "$part" "$1"';
    const child = runAs(asker, ["sh", "-c", script, "sh", path, String(size)], signal);
    const said = lastWords(child.stderr);
    const closed = once(child, "close");
    child.stdout.resume();
    await pipeline(handle.createReadStream({ autoClose: false }), child.stdin).catch(
      () => undefined,
    );
    const code: unknown = (await closed)[0];
    signal.throwIfAborted();
    if (code !== 0) {
      throw new CreameryError(
        "output-file",
        `can't be written: ${said() || `exit ${String(code)}`}`,
        { input: path },
      );
    }
  } finally {
    await handle.close();
  }
}

async function fetchAs(
  request: FileRequest & { result: string; maxBytes: number },
  argv: readonly string[],
  code: "not-a-project" | "bad-archive",
): Promise<{ file: string; sizeBytes: number }> {
  const { session, asker, path, result, maxBytes, signal } = request;
  // Root's own directory, so that nothing is put in the way; the farm may only read it.
  const file = join(session.received, result);
  const child = runAs(asker, argv, signal);
  child.stdin.end();
  const said = lastWords(child.stderr);
  const closed = once(child, "close");
  let sizeBytes = 0;
  const bound = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes)
        done(new CreameryError(code, `is larger than ${maxBytes} bytes`, { input: path }));
      else done(null, chunk);
    },
  });
  try {
    await pipeline(child.stdout, bound, createWriteStream(file, { mode: 0o644, flags: "wx" }));
    const exit: unknown = (await closed)[0];
    if (exit !== 0)
      throw new CreameryError(code, said() || `reading it ended with ${String(exit)}`, {
        input: path,
      });
  } catch (thrown) {
    child.kill("SIGKILL");
    await rm(file, { force: true });
    signal.throwIfAborted();
    throw thrown;
  }
  return { file, sizeBytes };
}

function runAs({ uid, gid }: Asker, argv: readonly string[], signal: AbortSignal) {
  const groups = uid === 0 ? ["--clear-groups"] : ["--init-groups"];
  const drop =
    uid === 0 ? [] : ["--reuid", String(uid), "--regid", String(gid), ...groups, "--no-new-privs"];
  return spawn("setpriv", [...drop, "--pdeathsig", "KILL", "--", ...argv], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: "/usr/local/bin:/usr/bin:/bin", LC_ALL: "C.UTF-8" },
    signal: AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]),
    killSignal: "SIGKILL",
  }).on("error", () => {
    // `close` follows; an abort is told by the signal itself.
  });
}

function lastWords(stream: Readable): () => string {
  let text = "";
  stream.on("data", (chunk: Buffer) => {
    if (text.length < 4000) text += chunk.toString("utf8");
  });
  return () => text.trim().split("\n").at(0)?.slice(0, 300) ?? "";
}
