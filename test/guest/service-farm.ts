import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { stringify, type TomlTable } from "smol-toml";

import { newToken } from "../../src/model/token.ts";
import type { Database } from "../../src/store/database.ts";
import { openDatabase } from "../../src/store/open-database.ts";
import { SqlPrincipals } from "../../src/store/sql/sql-principals.ts";
import { freePort } from "../free-port.ts";
import { startUpstream, type RunningUpstream } from "../upstream/upstream.ts";

import { packProjects, type SmallProject } from "./pack-projects.ts";
import { ServiceProcess } from "./service-process.ts";
import { upstreamsOf } from "./upstreams-of.ts";

export interface ServiceFarmOptions {
  readonly name: string;
  readonly projects: readonly SmallProject[];
  /** PostgreSQL's URL; by default SQLite in the coordinator's data directory. */
  readonly store?: string;
  /** More of creamery.toml; a table that is named replaces the test's own. */
  readonly config?: (port: number, index: string) => TomlTable;
}

export interface AddWorkerOptions {
  readonly machine: "gvisor" | "container";
  readonly slots: number;
  /** By default this very host's. */
  readonly url?: string;
  readonly more?: readonly string[];
  readonly through?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** A coordinator, its workers and an upstream, as real processes on this host; the store is looked at from outside. */
export class ServiceFarm implements AsyncDisposable {
  readonly base: string;
  readonly port: number;
  readonly coordinator: ServiceProcess;
  readonly workers: ServiceProcess[] = [];
  readonly database: Database;
  readonly upstream: RunningUpstream;
  readonly config: string;

  private constructor(parts: {
    readonly base: string;
    readonly port: number;
    readonly coordinator: ServiceProcess;
    readonly database: Database;
    readonly upstream: RunningUpstream;
    readonly config: string;
  }) {
    this.base = parts.base;
    this.port = parts.port;
    this.coordinator = parts.coordinator;
    this.database = parts.database;
    this.upstream = parts.upstream;
    this.config = parts.config;
  }

  static async open(options: ServiceFarmOptions): Promise<ServiceFarm> {
    const base = mkdtempSync(join(tmpdir(), `creamery-${options.name}-`));
    // The farm's user passes through it.
    chmodSync(base, 0o755);
    const upstream = await startUpstream({
      files: packProjects(options.projects),
      maxAgeSeconds: 0,
    });
    const port = await freePort();
    const config = join(base, "creamery.toml");
    writeFileSync(
      config,
      stringify({
        upstreams: upstreamsOf(upstream.url),
        queue: { lease_seconds: 10, tries: 20 },
        farm: { listen: `127.0.0.1:${port}` },
        // Every job is to be one that the test knows of.
        retest: { budget_jobs_per_hour: 0 },
        ...(options.store === undefined ? {} : { store: { url: options.store } }),
        ...options.config?.(port, upstream.url),
      }),
    );
    chmodSync(config, 0o644);
    const coordinator = new ServiceProcess({
      name: "coordinator",
      base,
      words: ["up", "--no-worker", "--machine", "container", "--config", config],
    });
    await coordinator.open();
    const location = options.store ?? join(coordinator.dataDirectory, "store.sqlite");
    const database = await openDatabase(location);
    return new ServiceFarm({ base, port, coordinator, database, upstream, config });
  }

  /** A worker that is not started yet, with a token of its own. */
  async addWorker(name: string, options: AddWorkerOptions): Promise<ServiceProcess> {
    const token = newToken("worker");
    const principal = {
      kind: "worker",
      name,
      scopes: ["worker"],
      projects: null,
      createdAtMs: Date.now(),
      createdBy: null,
      expiresAtMs: null,
    } as const;
    await new SqlPrincipals(this.database).create(principal, token);
    const tokenFile = join(this.base, `${name}.token`);
    writeFileSync(tokenFile, `${token.text}\n`, { mode: 0o600 });
    const worker = new ServiceProcess({
      name,
      base: this.base,
      words: [
        "worker",
        `--farm=${options.url ?? `http://127.0.0.1:${this.port}/`}`,
        `--token-file=${tokenFile}`,
        `--machine=${options.machine}`,
        `--slots=${options.slots}`,
        ...(options.more ?? []),
      ],
      ...(options.through === undefined ? {} : { through: options.through }),
      ...(options.env === undefined ? {} : { env: options.env }),
    });
    this.workers.push(worker);
    return worker;
  }

  /** All of them, in good order: who claims first. */
  async stop(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.stop()));
    await this.coordinator.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.database[Symbol.asyncDispose]();
    await this.upstream[Symbol.asyncDispose]();
    rmSync(this.base, { recursive: true, force: true });
  }
}
