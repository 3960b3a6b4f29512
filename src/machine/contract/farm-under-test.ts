import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

import { z } from "zod";

import { CreameryError } from "../../base/errors.ts";
import { sessionCgroups } from "../../launcher/cgroup.ts";

/** For what was killed to be gone: on a busy host that takes a while, and where nothing is left nobody waits. */
export const GONE_MS = 30_000;
const REPOSITORY = join(import.meta.dirname, "..", "..", "..");

const answerSchema = z.union([
  z.strictObject({ ready: z.literal(true), session: z.string(), uid: z.number() }),
  z.strictObject({ done: z.literal(true), value: z.unknown() }),
  z.strictObject({ done: z.literal(false), error: z.string() }),
]);
export type FarmAnswer = z.infer<typeof answerSchema>;

/** The image to test with: CREAMERY_TEST_IMAGE, else the newest of the host's. */
export function imageForTests(): string {
  const named = process.env["CREAMERY_TEST_IMAGE"];
  if (named !== undefined) return named;
  const images = join(cacheDirectory(), "images");
  const found = existsSync(images)
    ? readdirSync(images).filter((name) => existsSync(join(images, name, "manifest.json")))
    : [];
  const newest = found.toSorted().at(-1);
  if (newest === undefined)
    throw new CreameryError("unknown-image", "there is no image to test with", {
      nextStep: "creamery image build",
    });
  return newest;
}

export function cacheDirectory(): string {
  return process.env["CREAMERY_CACHE_DIR"] ?? "/var/cache/creamery";
}

/** A real launcher with entry.ts for a command line, on directories of its own. */
export class FarmUnderTest implements AsyncDisposable {
  readonly runDirectory: string;
  readonly #base: string;
  readonly #lines: AsyncIterator<string>;
  readonly #closing: Interface;
  readonly process: ChildProcessByStdio<Writable, Readable, null>;
  session = "";
  uid = -1;

  private constructor(kind: string, env: NodeJS.ProcessEnv) {
    this.#base = mkdtempSync(join(tmpdir(), "creamery-farm-"));
    // The farm's user passes through it.
    chmodSync(this.#base, 0o755);
    this.runDirectory = join(this.#base, "run");
    mkdirSync(this.runDirectory);
    this.process = spawn(
      "unshare",
      [
        "--mount",
        "--propagation",
        "slave",
        process.execPath,
        join(REPOSITORY, "src/launcher/main.ts"),
        kind,
        imageForTests(),
      ],
      {
        stdio: ["pipe", "pipe", "inherit"],
        env: {
          ...process.env,
          CREAMERY_CACHE_DIR: cacheDirectory(),
          CREAMERY_DATA_DIR: join(this.#base, "data"),
          CREAMERY_RUN_DIR: this.runDirectory,
          CREAMERY_CLI_ENTRY: "src/machine/contract/entry.ts",
          ...env,
        },
      },
    );
    this.#closing = createInterface({ input: this.process.stdout });
    this.#lines = this.#closing[Symbol.asyncIterator]();
  }

  static async open(
    kind: "gvisor" | "container" | "qemu",
    env: NodeJS.ProcessEnv = {},
  ): Promise<FarmUnderTest> {
    const farm = new FarmUnderTest(kind, env);
    const answer = await farm.#next();
    if (!("ready" in answer))
      throw new CreameryError("launcher", "the farm under test did not start");
    farm.session = answer.session;
    farm.uid = answer.uid;
    return farm;
  }

  /** Sends one command to entry.ts and waits for its answer. @throws Error with what failed inside. */
  async ask(...words: readonly string[]): Promise<unknown> {
    this.process.stdin.write(`${words.join("\t")}\n`);
    const answer = await this.#next();
    if (!("done" in answer))
      throw new CreameryError("launcher", "the farm under test is out of step");
    if (!answer.done) throw new Error(answer.error);
    return answer.value;
  }

  async exit(code: number): Promise<number | null> {
    this.process.stdin.write(`exit\t${code}\n`);
    await this.ended();
    return this.process.exitCode;
  }

  async ended(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null)
      await once(this.process, "exit");
  }

  /** What this farm left on the host: processes, mounts, control groups, files of its session. */
  leaks(): string[] {
    return leaksOf(this.runDirectory, basename(this.session));
  }

  /** Waits until nothing is left, at most so long; answers with what is. */
  async leaksAfter(
    waitMs: number,
    only: (leak: string) => boolean = () => true,
  ): Promise<string[]> {
    const deadline = performance.now() + waitMs;
    for (;;) {
      const left = this.leaks().filter(only);
      if (left.length === 0 || performance.now() > deadline) return left;
      await sleep(20);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill("SIGTERM");
      await this.ended();
    }
    this.#closing.close();
    rmSync(this.#base, { recursive: true, force: true });
  }

  async #next(): Promise<FarmAnswer> {
    const line = await this.#lines.next();
    if (line.done === true) throw new CreameryError("launcher", "the farm under test ended");
    return answerSchema.parse(JSON.parse(line.value));
  }
}

/** Looks for a session's leftovers from outside. */
export function leaksOf(runDirectory: string, sessionId: string): string[] {
  const leaks: string[] = [];
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/u.test(name))) {
    const cgroup = readText(`/proc/${pid}/cgroup`);
    const command = readText(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
    const session = readText(`/proc/${pid}/environ`).includes(`/${sessionId}\0`);
    if (cgroup.includes(sessionId) || command.includes(sessionId) || session)
      leaks.push(`process ${pid}: ${command}`);
  }
  for (const line of readText("/proc/self/mountinfo").split("\n")) {
    if (line.includes(runDirectory)) leaks.push(`mount ${line.split(" ")[4]}`);
  }
  leaks.push(...sessionCgroups(sessionId).map((path) => `cgroup ${path}`));
  // Where each launcher binds the repository for itself: a directory that is empty for all others.
  const left = readdirSync(runDirectory).filter((name) => name !== "repo");
  leaks.push(...left.map((name) => `file ${join(runDirectory, name)}`));
  return leaks;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
