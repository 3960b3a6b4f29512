import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

import { CreameryError } from "../base/errors.ts";

export interface ContainedCommand {
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Without, the command has an empty network of its own. */
  readonly network: boolean;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  readonly onLine?: (line: string) => void;
}

export interface ContainedResult {
  readonly code: number | null;
  /** The last lines of both streams, oldest first. */
  readonly tail: readonly string[];
}

const TAIL_LINES = 60;
const LINE_CHARS = 2000;

/**
 * Runs a command in mount and process namespaces of its own, so that whatever ends it (an abort, a
 * deadline, this process being killed) ends all that it started and undoes its mounts.
 * @throws CreameryError `host-lacks`, `deadline`; the signal's reason when aborted.
 */
export async function runContained(command: ContainedCommand): Promise<ContainedResult> {
  command.signal.throwIfAborted();
  const namespaces = ["--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"];
  if (!command.network) namespaces.push("--net");
  // setpriv's request outlives the exec: unshare dies with us, and its child with it.
  const child = spawn(
    "setpriv",
    ["--pdeathsig", "KILL", "unshare", ...namespaces, "--", ...command.argv],
    {
      env: command.env,
      cwd: command.cwd,
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const tail: string[] = [];
  const hear = (raw: string) => {
    const line = raw.slice(0, LINE_CHARS);
    tail.push(line);
    if (tail.length > TAIL_LINES) tail.shift();
    command.onLine?.(line);
  };
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on("line", hear);

  const deadline = AbortSignal.timeout(command.deadlineMs);
  const kill = () => child.kill("SIGKILL");
  const either = AbortSignal.any([command.signal, deadline]);
  either.addEventListener("abort", kill, { once: true });
  try {
    const ended = Promise.withResolvers<number | null>();
    child.once("error", (cause) =>
      ended.reject(
        new CreameryError("host-lacks", "setpriv or unshare can't be started", {
          nextStep: "install util-linux",
          cause,
        }),
      ),
    );
    // `close`, not `exit`: by then every process that held the pipes is gone, and their last lines are read.
    child.once("close", (code) => ended.resolve(code));
    const code = await ended.promise;
    command.signal.throwIfAborted();
    if (deadline.aborted) {
      throw new CreameryError(
        "deadline",
        `${command.argv[0]} did not end in ${command.deadlineMs / 1000} s`,
        {
          nextStep: "run the same command again; what was fetched is fetched anew",
        },
      );
    }
    return { code, tail };
  } finally {
    either.removeEventListener("abort", kill);
  }
}

const INSIDE =
  'mount -t proc proc "$1/proc" && mount -t tmpfs -o mode=1777 tmpfs "$1/tmp" && mount -t tmpfs -o mode=1777 tmpfs "$1/var/tmp" && ' +
  'mount -t tmpfs -o mode=755 tmpfs "$1/dev" && ' +
  'for node in null zero full random urandom tty; do : >"$1/dev/$node" && mount --bind "/dev/$node" "$1/dev/$node"; done && ' +
  'ln -s /proc/self/fd "$1/dev/fd" && mkdir -m 1777 "$1/dev/shm" && root=$1 owner=$2 && shift 2 && exec chroot --userspec="$owner" "$root" "$@"';

export interface RootCommand {
  readonly rootfs: string;
  readonly argv: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  /** `0:0` or the job's user. */
  readonly owner: string;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  readonly onLine?: (line: string) => void;
}

/** As `runContained`, inside a root file system, with no network; /tmp and /dev are memory and leave nothing. */
export async function runInRoot(command: RootCommand): Promise<ContainedResult> {
  return await runContained({
    argv: ["sh", "-c", INSIDE, "sh", command.rootfs, command.owner, ...command.argv],
    env: {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      LANG: "C.UTF-8",
      HOME: "/tmp",
      ...command.env,
    },
    network: false,
    deadlineMs: command.deadlineMs,
    signal: command.signal,
    ...(command.onLine === undefined ? {} : { onLine: command.onLine }),
  });
}
