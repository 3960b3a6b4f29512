import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

import { stringify, type TomlTable } from "smol-toml";
import { z } from "zod";

import { FARM_UID } from "../src/launcher/directories.ts";
import { openDatabase } from "../src/store/open-database.ts";
import { FarmStatus } from "../src/web/api/schemas/status.ts";
import { REPOSITORY } from "./run-creamery.ts";

const LogLine = z.looseObject({ event: z.string(), level: z.string() });
export type LogLine = z.infer<typeof LogLine>;
const Address = z.object({ url: z.string(), tokenFile: z.string() });
const START_MS = 120_000;

/** `creamery up` in directories of its own; its cache, with the image in it, is the host's. As root. */
export class RunningFarm implements AsyncDisposable {
  readonly pid: number;
  /** What it has logged, as it comes. */
  readonly log: LogLine[] = [];
  readonly #base: string;
  readonly #ended: Promise<unknown>;
  #address: z.infer<typeof Address> = { url: "", tokenFile: "" };

  private constructor(base: string, config: string, run: string) {
    this.#base = base;
    const child = spawn(join(REPOSITORY, "creamery"), ["up", "--config", config], {
      stdio: ["ignore", "pipe", "inherit"],
      env: {
        ...process.env,
        CREAMERY_DATA_DIR: join(base, "data"),
        CREAMERY_RUN_DIR: run,
      },
    });
    this.pid = child.pid ?? -1;
    this.#ended = once(child, "close");
    createInterface({ input: child.stdout }).on("line", (line) => {
      const parsed = LogLine.safeParse(JSON.parse(line));
      if (parsed.success) this.log.push(parsed.data);
    });
  }

  /**
   * @param watched names that are watched from the start.
   * @param isFirst with a run directory of its own: nothing that it loads has been compiled before, as after an update.
   */
  static async start(
    config: TomlTable,
    watched: readonly string[],
    isFirst = false,
  ): Promise<RunningFarm> {
    const base = mkdtempSync(join(tmpdir(), "creamery-bench-"));
    chmodSync(base, 0o755);
    const data = join(base, "data");
    mkdirSync(data);
    {
      await using database = await openDatabase(join(data, "store.sqlite"));
      const rows = watched.map((name) => ({ name, since_ms: Date.now() }));
      await database.write((within) => within.insertInto("watched").values(rows).execute());
    }
    for (const name of ["", ...readdirSync(data)]) chownSync(join(data, name), FARM_UID, FARM_UID);
    const file = join(base, "creamery.toml");
    writeFileSync(file, stringify({ ...config, farm: { listen: "127.0.0.1:0" } }));
    const farm = new RunningFarm(
      base,
      file,
      isFirst ? join(base, "run") : join(tmpdir(), "creamery-bench-run"),
    );
    await farm.until(() => farm.log.some(({ event }) => event === "started"), START_MS);
    farm.#address = Address.parse(JSON.parse(readFileSync(join(data, "farm.json"), "utf8")));
    return farm;
  }

  /** `http://127.0.0.1:PORT` */
  get url(): string {
    return this.#address.url.replace(/\/$/u, "");
  }

  async status(): Promise<FarmStatus> {
    const { url, tokenFile } = this.#address;
    const token = readFileSync(tokenFile, "utf8").trim();
    const answer = await fetch(`${url}/api/v1/status`, {
      headers: { authorization: `Bearer ${token}` },
    });
    return FarmStatus.parse(await answer.json());
  }

  /** Until nothing is queued, waiting or leased, for as long as the status is kept. */
  async idle(withinMs: number): Promise<void> {
    const began = performance.now();
    for (let calm = 0; calm < 3;) {
      if (performance.now() - began > withinMs) throw new Error("the farm does not come to rest");
      await sleep(5000);
      const { queue } = await this.status();
      const open = queue.reduce((sum, lane) => sum + lane.queued + lane.waiting + lane.leased, 0);
      calm = open === 0 ? calm + 1 : 0;
    }
  }

  async until(holds: () => boolean, withinMs: number): Promise<void> {
    const began = performance.now();
    while (!holds()) {
      if (performance.now() - began > withinMs)
        throw new Error(`it did not come: ${JSON.stringify(this.log.slice(-5))}`);
      await sleep(20);
    }
  }

  /** All processes of it. */
  processes(): readonly ProcessFacts[] {
    const all = readdirSync("/proc")
      .filter((name) => /^\d+$/u.test(name))
      .flatMap((name) => factsOf(Number(name)) ?? []);
    const mine = new Set([this.pid]);
    // A child may be listed before its parent.
    for (let before = 0; before < mine.size;) {
      before = mine.size;
      for (const { pid, parent } of all) if (mine.has(parent)) mine.add(pid);
    }
    return all.filter(({ pid }) => mine.has(pid));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.kill(this.pid, "SIGTERM");
    await this.#ended;
    rmSync(this.#base, { recursive: true, force: true });
  }
}

export interface ProcessFacts {
  readonly pid: number;
  readonly parent: number;
  /** Its own and those of children that have ended, s. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly command: string;
}

/** Of Linux on every platform that matters here: sysconf(_SC_CLK_TCK). */
const TICKS = 100;

function factsOf(pid: number): ProcessFacts | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // From the third field on: the second may hold anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = fields.slice(11, 15).reduce((sum, text) => sum + Number(text), 0);
    const rss = /^VmRSS:\s+(\d+) kB$/mu.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    return {
      pid,
      parent: Number(fields[1]),
      cpuSeconds: ticks / TICKS,
      residentBytes: Number(rss ?? 0) * 1024,
      command,
    };
  } catch {
    return null;
  }
}
