import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import pg from "pg";

import { freePort } from "../free-port.ts";
import { processesBelow } from "../process-tree.ts";

/** PostgreSQL refuses to run as root: the user that Debian's package brings. */
const USER = "postgres";
const START_MS = 60_000;

/** A PostgreSQL of a test's own, from Debian's package, on a free port in a temporary directory. */
export interface Cluster extends AsyncDisposable {
  /** A new, empty database. @returns its URL. */
  database(): Promise<string>;
  /** Ends the server as a crash would. */
  kill(): Promise<void>;
  /** Starts it again after `kill`. */
  start(): Promise<void>;
  /** Answers nothing any more, and refuses nothing, as one that is behind a network that is cut. */
  freeze(): void;
  /** Goes on after `freeze`. */
  thaw(): void;
}

export interface ClusterOptions {
  /** Settings of postgresql.conf; by default those of production, `fsync` among them. */
  readonly settings?: Readonly<Record<string, string>>;
}

export async function startCluster({ settings = {} }: ClusterOptions = {}): Promise<Cluster> {
  const programs = programsDirectory();
  const root = mkdtempSync(join(tmpdir(), "creamery-pg-"));
  const isRoot = process.getuid?.() === 0;
  if (isRoot) chownSync(root, userId(), 0);
  const asUser = (program: string, ...words: string[]): [string, string[]] => {
    const path = join(programs, program);
    return isRoot
      ? [
          "setpriv",
          [
            `--reuid=${USER}`,
            `--regid=${USER}`,
            "--init-groups",
            "--pdeathsig=KILL",
            path,
            ...words,
          ],
        ]
      : [path, words];
  };
  const data = join(root, "data");
  const made = spawnSync(
    ...asUser(
      "initdb",
      "-D",
      data,
      "-A",
      "trust",
      "-U",
      "creamery",
      "-E",
      "UTF8",
      "--locale=C",
      "-N",
    ),
    { encoding: "utf8", cwd: root, env: { ...process.env, HOME: root } },
  );
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`);
  const port = await freePort();
  const words = ["-D", data, "-p", String(port), "-k", root, "-c", "listen_addresses=127.0.0.1"];
  for (const [name, value] of Object.entries(settings)) words.push("-c", `${name}=${value}`);
  const urlOf = (name: string) => `postgres://creamery@127.0.0.1:${port}/${name}`;

  let server: ChildProcess | undefined;
  let count = 0;
  const cluster: Cluster = {
    async database() {
      const name = `test_${++count}`;
      const client = new pg.Client({ connectionString: urlOf("postgres") });
      await client.connect();
      await client.query(`create database ${name}`);
      await client.end();
      return urlOf(name);
    },
    async kill() {
      if (server === undefined) return;
      const ended = once(server, "exit");
      // Its own children follow: they see that their parent is gone.
      server.kill("SIGQUIT");
      await ended;
      server = undefined;
    },
    async start() {
      server = spawn(...asUser("postgres", ...words), { stdio: "ignore", cwd: root });
      const deadline = Date.now() + START_MS;
      while (!(await answers(urlOf("postgres")))) {
        if (Date.now() > deadline || server.exitCode !== null)
          throw new Error("PostgreSQL does not start");
        await sleep(50);
      }
    },
    freeze() {
      signal(server, "SIGSTOP");
    },
    thaw() {
      signal(server, "SIGCONT");
    },
    async [Symbol.asyncDispose]() {
      cluster.thaw();
      await cluster.kill();
      rmSync(root, { recursive: true, force: true });
    },
  };
  await cluster.start();
  return cluster;
}

/** To the server, which starts no more then, and to each process of a connection: its children, all of them. */
function signal(server: ChildProcess | undefined, name: "SIGSTOP" | "SIGCONT"): void {
  if (server?.pid === undefined) return;
  server.kill(name);
  for (const below of processesBelow(server.pid)) {
    try {
      process.kill(below.pid, name);
    } catch {
      // A connection that ended meanwhile.
    }
  }
}

function userId(): number {
  return Number(spawnSync("id", ["-u", USER], { encoding: "utf8" }).stdout);
}

/** Where Debian's package keeps the server's programs, the newest version's. */
function programsDirectory(): string {
  const root = "/usr/lib/postgresql";
  const versions = readdirSync(root).toSorted((one, other) => Number(other) - Number(one));
  return join(root, versions[0] ?? "", "bin");
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  // It also tells of what breaks while it connects.
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}
