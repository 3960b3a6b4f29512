import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

export const GUEST = new URL("../../../guest/", import.meta.url).pathname;

export interface Recorded {
  readonly code: number | null;
  readonly lines: readonly string[];
  readonly output: string;
}

/** Runs a program as the agent would: with a named pipe for its events, which are read until it is over. */
export async function record(
  argv: readonly string[],
  options: { cwd: string; env?: Record<string, string> },
): Promise<Recorded> {
  const path = join(options.cwd, `events-${process.hrtime.bigint()}`);
  await promisify(execFile)("mkfifo", [path]);
  // Open for writing too: the end of one writer is not the end of the stream.
  await using pipe = await open(path, constants.O_RDWR | constants.O_NONBLOCK);
  const child = spawn(argv[0] ?? "", argv.slice(1), {
    cwd: options.cwd,
    env: {
      PATH: process.env["PATH"] ?? "/usr/bin:/bin",
      PYTHONDONTWRITEBYTECODE: "1",
      CREAMERY_EVENTS_PATH: path,
      ...options.env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const closed = once(child, "close");
  let text = "";
  for (let over = false; ;) {
    const read = await pipe.read(Buffer.alloc(65536)).catch(() => null);
    if (read !== null) text += read.buffer.toString("utf8", 0, read.bytesRead);
    else if (over) break;
    else over = await Promise.race([closed.then(() => true), sleep(20, false)]);
  }
  return { code: child.exitCode, lines: text.split("\n").filter((line) => line !== ""), output };
}
