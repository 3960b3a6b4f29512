import { spawn } from "node:child_process";
import { join } from "node:path";

import { CreameryError } from "../base/errors.ts";

/** Held until disposed; the kernel frees it when this process ends in whatever way. */
export interface BuildLock extends AsyncDisposable {
  /** Somebody else held it first: what he built may be what is wanted. */
  readonly waited: boolean;
}

/**
 * One build at a time in a directory. A child holds a lock on a file for as long as its standard input,
 * which is ours, is open (flock(1): Node has no call for it).
 * @param onWait is told when another build holds it.
 * @throws the signal's reason; CreameryError `host-lacks`.
 */
export async function lockBuilds(
  imagesDir: string,
  signal: AbortSignal,
  onWait: () => void,
): Promise<BuildLock> {
  const path = join(imagesDir, ".build-lock");
  const quick = await hold(path, ["--nonblock"], signal);
  if (quick !== null) return { waited: false, [Symbol.asyncDispose]: quick };
  onWait();
  const slow = await hold(path, [], signal);
  if (slow === null)
    throw new CreameryError("host-lacks", "the lock of the image directory can't be taken", {
      input: path,
    });
  return { waited: true, [Symbol.asyncDispose]: slow };
}

/** How to release it, or null when it was not to be had. */
async function hold(
  path: string,
  how: readonly string[],
  signal: AbortSignal,
): Promise<(() => Promise<void>) | null> {
  signal.throwIfAborted();
  const child = spawn("flock", [...how, "--exclusive", path, "sh", "-c", "echo held; exec cat"], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const abort = () => child.kill("SIGKILL");
  signal.addEventListener("abort", abort, { once: true });
  try {
    const held = await new Promise<boolean>((resolve, reject) => {
      child.once("error", (cause) =>
        reject(
          new CreameryError("host-lacks", "flock can't be started", {
            nextStep: "install util-linux",
            cause,
          }),
        ),
      );
      child.stdout.once("data", () => resolve(true));
      child.once("close", () => resolve(false));
    });
    signal.throwIfAborted();
    if (!held) return null;
  } finally {
    signal.removeEventListener("abort", abort);
  }
  return async () => {
    child.stdin.end();
    await closed;
  };
}
