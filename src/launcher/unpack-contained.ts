import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { text } from "node:stream/consumers";

import { exitCodeOf } from "../base/child.ts";
import { CreameryError } from "../base/errors.ts";
import { AS_FARM } from "./directories.ts";
import { faultIn } from "./child-fault.ts";
import type { Session } from "./session.ts";

export interface UnpackRequest {
  readonly session: Pick<Session, "repository">;
  /** A file of the farm's. */
  readonly archive: string;
  readonly sha256: string;
  readonly maxBytes: number;
  /** An empty directory that nobody else may reach; its parent gets another beside it. */
  readonly into: string;
  readonly signal: AbortSignal;
}

/**
 * A root of its own with what Node needs, read-only, and the directory; no network, no other process, and of root's rights those
 * that give files away. Whatever an archive made of its reader, it would be there.
 */
const INSIDE = `set -e
root=$1 into=$2 node=$3 repository=$4
shift 4
mount -t tmpfs -o mode=755,size=1m tmpfs "$root"
mkdir "$root/into" "$root/repository" "$root/dev"
: >"$root/node"
for name in usr lib lib64 lib32 bin; do
  if [ -L "/$name" ]; then cp -P "/$name" "$root/$name"
  elif [ -d "/$name" ]; then mkdir "$root/$name"; mount --bind -o ro "/$name" "$root/$name"; fi
done
for node_ in null urandom; do : >"$root/dev/$node_"; mount --bind "/dev/$node_" "$root/dev/$node_"; done
mount --bind -o ro "$node" "$root/node"
mount --bind -o ro "$repository" "$root/repository"
mount --bind -o nosuid,nodev "$into" "$root/into"
mount -o remount,ro "$root"
exec chroot "$root" setpriv --bounding-set=-all,+chown,+fowner,+dac_override,+fsetid --inh-caps=-all --no-new-privs -- \\
  /node /repository/src/launcher/unpack-image-child.ts /into "$@"`;

/**
 * Unpacks an archive as root, by a child that can reach nothing but where it unpacks. The archive is read by another, with the
 * farm's rights: it is the farm's own, and could be a link to anything.
 * @throws CreameryError `bad-archive`, `upstream-hash`, `disk-full`, `launcher`; the signal's reason.
 */
export async function unpackContained(request: UnpackRequest): Promise<void> {
  const { session, archive, sha256, maxBytes, into, signal } = request;
  signal.throwIfAborted();
  const root = join(dirname(into), "unpacker");
  await mkdir(root, { mode: 0o700 });
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8" };
  const ending = { env, cwd: "/", signal, killSignal: "SIGKILL" } as const;
  const reader = spawn("setpriv", [...AS_FARM, "cat", "--", archive], {
    ...ending,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const namespaces = ["--mount", "--pid", "--net", "--ipc", "--fork", "--kill-child=SIGKILL"];
  const inside = [root, into, process.execPath, session.repository, sha256, String(maxBytes)];
  const unpacker = spawn(
    "setpriv",
    // Its request outlives the exec: unshare dies with us, and its child with it.
    ["--pdeathsig", "KILL", "unshare", ...namespaces, "--", "sh", "-c", INSIDE, "sh", ...inside],
    { ...ending, stdio: ["pipe", "ignore", "pipe"] },
  );
  const [read, unpacked, said] = [exitCodeOf(reader), exitCodeOf(unpacker), text(unpacker.stderr)];
  // It may end before it has read all.
  await pipeline(reader.stdout, unpacker.stdin).catch(() => reader.kill("SIGKILL"));
  const [readCode, code, words] = [await read, await unpacked, await said];
  signal.throwIfAborted();
  if (code === 0) return;
  if (readCode !== 0 && readCode !== null)
    throw new CreameryError("launcher", "the archive can't be read with the farm's rights", {
      input: archive,
    });
  throw faultIn(words, "launcher", "what unpacks images");
}
