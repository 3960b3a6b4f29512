import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

import { stringify, type TomlTable } from "smol-toml";

import { leaksOf } from "../../src/machine/contract/farm-under-test.ts";

/** The real command line in directories of its own, watched from outside. The cache, with the image in it, is the host's. */

export const REPOSITORY = resolve(import.meta.dirname, "../..");
const COMMAND = join(REPOSITORY, "creamery");
const WATCH_MS = 250;
/** For what ends by itself, on a busy host too, and for what nothing but a launcher removes. */
const ENDED_MS = 30_000;
const REMOVED_MS = 5000;

export interface Ended {
  /** Null for one that a signal ended. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
  /** The command's own sessions, as they were seen with their processes while it ran. */
  readonly seen: readonly string[];
  /** What is there of these sessions when a moment has passed. */
  readonly leaks: readonly string[];
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** What starts it, in front of its path. */
  readonly through?: readonly string[];
  /** Called a few times a second while it runs. */
  readonly whileRunning?: () => void;
}

export interface RunningCommand {
  /** Of the launcher, which leads a process group of its own. */
  readonly pid: number;
  readonly ended: Promise<Ended>;
  /** When this was said on standard error. @throws Error when the command ends without it. */
  readonly said: (what: RegExp) => Promise<void>;
}

export class CommandRoom implements AsyncDisposable {
  readonly base: string;
  readonly dataDirectory: string;
  readonly runDirectory: string;
  readonly #running = new Set<RunningCommand>();

  /** @param name of the directory that holds it all. */
  constructor(name: string) {
    this.base = mkdtempSync(join(tmpdir(), `creamery-${name}-`));
    // The farm's user passes through it.
    chmodSync(this.base, 0o755);
    this.dataDirectory = join(this.base, "data");
    this.runDirectory = join(this.base, "run");
    mkdirSync(this.runDirectory);
  }

  /** A creamery.toml. @returns its path. */
  writeConfig(name: string, table: TomlTable): string {
    const path = join(this.base, name);
    writeFileSync(path, stringify(table));
    chmodSync(path, 0o644);
    return path;
  }

  start(words: readonly string[], options: CommandOptions = {}): RunningCommand {
    const [program = COMMAND, ...argv] = [...(options.through ?? []), COMMAND, ...words];
    const began = performance.now();
    const command = spawn(program, argv, {
      cwd: options.cwd ?? this.base,
      // A Ctrl-C tells the whole group.
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        CREAMERY_DATA_DIR: this.dataDirectory,
        CREAMERY_RUN_DIR: this.runDirectory,
        NO_COLOR: "1",
        ...options.env,
      },
    });
    const { pid = 0 } = command;
    const [stdout, stderr] = [collect(command.stdout), collect(command.stderr)];
    const seen = new Set<string>();
    const others = new Set(this.sessions());
    const finish = async (): Promise<Ended> => {
      const [closed] = await Promise.all([
        once(command, "close"),
        this.#watch(command, () => {
          for (const session of this.sessions())
            if (!others.has(session) && this.#leaksOf(session).some(isProcess)) seen.add(session);
          options.whileRunning?.();
        }),
      ]);
      const seconds = (performance.now() - began) / 1000;
      const code: unknown = closed[0];
      return {
        code: typeof code === "number" ? code : null,
        stdout: stdout.text(),
        stderr: stderr.text(),
        seconds,
        seen: [...seen],
        leaks: await this.leftovers(seen),
      };
    };
    const running = { pid, ended: finish(), said: stderr.said };
    this.#running.add(running);
    command.once("exit", () => this.#running.delete(running));
    return running;
  }

  async run(words: readonly string[], options: CommandOptions = {}): Promise<Ended> {
    return this.start(words, options).ended;
  }

  sessions(): string[] {
    return readdirSync(this.runDirectory).filter((name) => /^s\d+-\d+$/u.test(name));
  }

  /** What is there of these sessions when a moment has passed, for as long as anything is. */
  async leftovers(of: Iterable<string>): Promise<string[]> {
    const sessions = [...of];
    const left = () => sessions.flatMap((session) => this.#leaksOf(session));
    const began = performance.now();
    for (;;) {
      const leaks = left();
      const waitMs = leaks.some(endsByItself) ? ENDED_MS : REMOVED_MS;
      if (leaks.length === 0 || performance.now() - began > waitMs) return leaks;
      await sleep(100);
    }
  }

  /** Ends what still runs, and removes all of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    const running = [...this.#running];
    for (const { pid } of running) process.kill(pid, "SIGTERM");
    await Promise.allSettled(running.map(({ ended }) => ended));
    rmSync(this.base, { recursive: true, force: true });
  }

  /** Another command's session may stand beside it, and where the root is no mount, a place for one is made and left. */
  #leaksOf(session: string): string[] {
    const files = `file ${this.runDirectory}/`;
    return leaksOf(this.runDirectory, session).filter(
      (leak) => !leak.startsWith(files) || leak === `${files}${session}`,
    );
  }

  async #watch(
    command: ChildProcessByStdio<null, Readable, Readable>,
    look: () => void,
  ): Promise<void> {
    while (command.exitCode === null && command.signalCode === null) {
      look();
      await sleep(WATCH_MS);
    }
  }
}

const isProcess = (leak: string): boolean => leak.startsWith("process");
const endsByItself = (leak: string): boolean => isProcess(leak) || leak.startsWith("mount");

interface Collected {
  readonly text: () => string;
  readonly said: (what: RegExp) => Promise<void>;
}

function collect(stream: Readable): Collected {
  let text = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => (text += chunk));
  return {
    text: () => text,
    said: async (what) => {
      while (!what.test(text)) {
        if (stream.readableEnded) throw new Error(`ended without ${what.source}: ${text}`);
        await sleep(20);
      }
    },
  };
}
