import { spawn } from "node:child_process";
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";

import { CreameryError } from "../../base/errors.ts";

/** Held until disposed, and beyond that by whatever was started with `fd` open and still runs. */
export interface MirrorLock extends AsyncDisposable {
  readonly fd: number;
}

/**
 * One writer of a mirror at a time, of all processes of this host. The lock belongs to the open file (flock(2)), which a git that
 * writes holds open as well: it is not free before that git has ended, even when the process that started it was killed.
 * @throws CreameryError `host-lacks`; the signal's reason.
 */
export async function lockMirror(path: string, signal: AbortSignal): Promise<MirrorLock> {
  // Whoever removed the cache of a running farm took the directory with it.
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, "a");
  try {
    await lockOpenFile(file.fd, signal);
  } catch (thrown) {
    await file.close();
    throw thrown;
  }
  return { fd: file.fd, [Symbol.asyncDispose]: () => file.close() };
}

async function lockOpenFile(fd: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const child = spawn("flock", ["--exclusive", "3"], {
    stdio: ["ignore", "ignore", "ignore", fd],
  });
  const abort = () => child.kill("SIGKILL");
  signal.addEventListener("abort", abort, { once: true });
  try {
    const locked = await new Promise<boolean>((resolve, reject) => {
      child.once("error", (cause) =>
        reject(
          new CreameryError("host-lacks", "flock can't be started", {
            nextStep: "install util-linux",
            cause,
          }),
        ),
      );
      child.once("close", (code) => resolve(code === 0));
    });
    signal.throwIfAborted();
    if (!locked)
      throw new CreameryError("host-lacks", "the lock of a repository's mirror can't be taken");
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
