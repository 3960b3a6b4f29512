import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

import { z } from "zod";

import { startTicks } from "../../src/base/process-name.ts";
import { cacheDirectory, leaksOf } from "../../src/machine/contract/farm-under-test.ts";
import { isCommandLine, processesBelow, type SeenProcess } from "../process-tree.ts";
import { REPOSITORY } from "./run-command.ts";

export interface ServiceOptions {
  /** Of its directories, below `base`. */
  readonly name: string;
  readonly base: string;
  /** After `./creamery`. */
  readonly words: readonly string[];
  /** What starts it, in front of its path. */
  readonly through?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

const LogLine = z.looseObject({ event: z.string() });
export type LogLine = z.infer<typeof LogLine>;

const START_MS = 120_000;
/** After that it hangs: a launcher gives its command 10 s, and ends what is left of it. */
const STOP_MS = 60_000;
const LEFT_MS = 30_000;
const SAID_CHARS = 4000;

/**
 * `creamery up` or `creamery worker`, as a supervisor runs it: in directories of its own, which stay when it is started anew.
 * The host's images and programs are linked.
 */
export class ServiceProcess {
  readonly name: string;
  readonly dataDirectory: string;
  readonly runDirectory: string;
  /** All that it has logged, of each of its lives. */
  readonly log: LogLine[] = [];
  readonly #options: ServiceOptions;
  readonly #cacheDirectory: string;
  readonly #sessions = new Set<string>();
  #process: ChildProcess | undefined;
  #ended: Promise<unknown> = Promise.resolve();
  #said = "";
  #lives = 0;
  #atWork = false;

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.name = options.name;
    const own = join(options.base, options.name);
    this.#cacheDirectory = join(own, "cache");
    this.dataDirectory = join(own, "data");
    this.runDirectory = join(own, "run");
    mkdirSync(this.#cacheDirectory, { recursive: true });
    mkdirSync(this.runDirectory);
    for (const linked of ["images", "tools", "compile"])
      symlinkSync(join(cacheDirectory(), linked), join(this.#cacheDirectory, linked));
  }

  /** Of the launcher; undefined while none runs. */
  get pid(): number | undefined {
    const running = this.#process;
    return running === undefined || running.exitCode !== null || running.signalCode !== null
      ? undefined
      : running.pid;
  }

  /** Whether its newest life has come so far as to say that it is at work. */
  get isAtWork(): boolean {
    return this.#atWork;
  }

  /** How often it was started. */
  get lives(): number {
    return this.#lives;
  }

  /** The last that it said on standard error. */
  get said(): string {
    return this.#said;
  }

  start(): void {
    if (this.pid !== undefined) return;
    const command = join(REPOSITORY, "creamery");
    // A test that is ended leaves none of it.
    const started = spawn(
      "setpriv",
      ["--pdeathsig=KILL", ...(this.#options.through ?? []), command, ...this.#options.words],
      {
        cwd: this.#options.base,
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
        env: {
          ...process.env,
          CREAMERY_CACHE_DIR: this.#cacheDirectory,
          CREAMERY_DATA_DIR: this.dataDirectory,
          CREAMERY_RUN_DIR: this.runDirectory,
          NO_COLOR: "1",
          ...this.#options.env,
        },
      },
    );
    this.#process = started;
    // What the launcher will call its session: its process stays the same one.
    if (started.pid !== undefined)
      this.#sessions.add(`s${started.pid}-${startTicks(started.pid) ?? ""}`);
    const life = ++this.#lives;
    this.#atWork = false;
    this.#ended = once(started, "exit");
    this.#ended.catch(() => undefined);
    createInterface({ input: started.stdout }).on("line", (line) => this.#note(line, life));
    started.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#said = (this.#said + text).slice(-SAID_CHARS);
    });
  }

  /** Waits until this life has said so. @throws Error when it ends before, or takes too long. */
  async until(event: string, from = this.log.length): Promise<void> {
    const deadline = performance.now() + START_MS;
    while (!this.log.slice(from).some((line) => line.event === event)) {
      if (this.pid === undefined || performance.now() > deadline)
        throw new Error(`${this.name} did not come to ${event}: ${this.#said}`);
      await sleep(50);
    }
  }

  /** Starts it and waits until it is at work. */
  async open(): Promise<void> {
    const from = this.log.length;
    this.start();
    await this.until("started", from);
  }

  /** What it has started now. */
  below(): readonly SeenProcess[] {
    const { pid } = this;
    return pid === undefined ? [] : processesBelow(pid);
  }

  commandLine(): number | undefined {
    return this.below().find(isCommandLine)?.pid;
  }

  killLauncher(): void {
    this.#process?.kill("SIGKILL");
  }

  /** Waits until it is no more, after a signal. */
  async ended(): Promise<void> {
    await this.#ended.catch(() => undefined);
  }

  /** In good order. @returns its exit code; null for one that had to be killed. */
  async stop(): Promise<number | null> {
    const running = this.#process;
    if (running === undefined || this.pid === undefined) return null;
    running.kill("SIGTERM");
    const cut = setTimeout(() => running.kill("SIGKILL"), STOP_MS);
    await this.ended();
    clearTimeout(cut);
    return running.exitCode;
  }

  /** What is left of all of its lives when a moment has passed: processes, mounts, control groups, files. */
  async leftovers(): Promise<readonly string[]> {
    const look = () =>
      [
        ...new Set([...this.#sessions].flatMap((session) => leaksOf(this.runDirectory, session))),
        ...[
          join(this.dataDirectory, "partial"),
          join(this.dataDirectory, "spool"),
          join(this.dataDirectory, "incoming"),
          join(this.dataDirectory, "bucket", ".new"),
        ].flatMap((directory) => namesIn(directory).map((name) => `file ${join(directory, name)}`)),
      ].filter((leak) => leak !== `file ${join(this.runDirectory, "root")}`);
    const deadline = performance.now() + LEFT_MS;
    let left = look();
    while (left.length > 0 && performance.now() < deadline) {
      await sleep(100);
      left = look();
    }
    return left;
  }

  /** What a life has said may be heard in the next one. */
  #note(line: string, life: number): void {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      // A process that is killed in the middle of a line.
      return;
    }
    const parsed = LogLine.safeParse(value);
    if (!parsed.success) return;
    this.log.push(parsed.data);
    if (parsed.data.event === "started" && life === this.#lives) this.#atWork = true;
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
