import { spawn } from "node:child_process";
import { once } from "node:events";
import type { ServerResponse } from "node:http";

import { CreameryError } from "../../base/errors.ts";
import { GIT_ENVIRONMENT } from "./git-command.ts";

export interface UploadPack {
  /** Of the bare repository. */
  readonly path: string;
  /** Only what is there is told, no request is read. */
  readonly advertise: boolean;
  /** As the client said it: `version=2`; null for none. */
  readonly protocol: string | null;
  readonly input: Buffer;
  readonly response: ServerResponse;
  /** Before bytes are sent. @throws when they are too many. */
  readonly count: (bytes: number) => void;
  readonly signal: AbortSignal;
  /** A client that takes nothing for so long is given up; a minute by default. */
  readonly stalledMs?: number;
}

const LIMITS = [`--as=${8 * 1024 ** 3}`, "timeout", "--signal=KILL", "600"];

const STALLED_MS = 60_000;

/** A guest is beside us: what costs is our processor, not the way. */
const SETTINGS = [
  "uploadpack.allowAnySHA1InWant=true",
  // Every object of a partial clone would be a question of its own.
  "uploadpack.allowFilter=false",
  "uploadpack.hideRefs=refs/creamery",
  "pack.threads=1",
  "pack.window=0",
  "pack.compression=1",
  "pack.windowMemory=64m",
  "gc.auto=0",
].flatMap((setting) => ["-c", setting]);

/**
 * Lets git's own server program answer, into the response, whose headers are written. It reads one repository, in a clean environment, one process
 * group that ends with the client.
 * @throws what `count` throws; the signal's reason.
 */
export async function runUploadPack(run: UploadPack): Promise<void> {
  const { path, advertise, protocol, input, response, count, signal } = run;
  const { stalledMs = STALLED_MS } = run;
  signal.throwIfAborted();
  const how = ["upload-pack", "--strict", "--stateless-rpc"];
  const argv = [...how, ...(advertise ? ["--advertise-refs"] : []), path];
  const child = spawn("prlimit", [...LIMITS, "git", ...SETTINGS, ...argv], {
    env: { ...GIT_ENVIRONMENT, ...(protocol === null ? {} : { GIT_PROTOCOL: protocol }) },
    cwd: path,
    detached: true,
    stdio: ["pipe", "pipe", "ignore"],
  });
  const kill = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  };
  const closed = new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", () => resolve());
  });
  closed.catch(() => undefined);
  signal.addEventListener("abort", kill, { once: true });
  // One that finds fault with the request reads no further.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  try {
    for await (const chunk of child.stdout) {
      if (!(chunk instanceof Buffer)) continue;
      count(chunk.length);
      if (response.write(chunk)) continue;
      // It holds a place that others wait for.
      const bounded = AbortSignal.any([signal, AbortSignal.timeout(stalledMs)]);
      await once(response, "drain", { signal: bounded }).catch(() => {
        signal.throwIfAborted();
        throw new CreameryError("usage", "the client takes nothing of what it asked for");
      });
    }
    await closed;
    signal.throwIfAborted();
  } finally {
    signal.removeEventListener("abort", kill);
    kill();
    await closed.catch(() => undefined);
  }
}
