import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { FARM_UID } from "../../src/launcher/directories.ts";

const SIZE_BYTES = 4 << 20;

/** A small file system in a mount namespace of its own: it goes with the process that holds it, however that ends. */
export interface SmallDisk extends AsyncDisposable {
  /** Starts a command where the disk is mounted. */
  readonly through: readonly string[];
  /** What is on it, as it is seen from here. */
  readonly outside: string;
  /** Leaves not one byte. */
  fill(): void;
  /** Takes away what filled it. */
  free(): void;
}

/** @param at where it is mounted. @param cwd of what is started through it. */
export async function mountSmallDisk(at: string, cwd: string): Promise<SmallDisk> {
  mkdirSync(at, { recursive: true });
  const script = `mount -t tmpfs -o size=${SIZE_BYTES},uid=${FARM_UID},gid=${FARM_UID} creamery-test "$1" && echo mounted && exec cat`;
  const holder = spawn(
    "unshare",
    ["--mount", "--propagation", "private", "sh", "-c", script, "sh", at],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const mounted: unknown = (
    await Promise.race([once(holder.stdout, "data"), once(holder, "exit")])
  )[0];
  if (!Buffer.isBuffer(mounted)) throw new Error("no small disk could be mounted");
  const outside = join("/proc", String(holder.pid), "root", at);
  const filler = join(outside, "filler");
  return {
    through: ["nsenter", "--target", String(holder.pid), "--mount", `--wdns=${cwd}`],
    outside,
    fill: () => {
      try {
        writeFileSync(filler, Buffer.alloc(SIZE_BYTES));
      } catch (thrown) {
        if (!(thrown instanceof Error && "code" in thrown && thrown.code === "ENOSPC"))
          throw thrown;
      }
    },
    free: () => rmSync(filler, { force: true }),
    [Symbol.asyncDispose]: async () => {
      holder.stdin.end();
      if (holder.exitCode === null) await once(holder, "exit");
    },
  };
}
