import { BlockList } from "node:net";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { serve } from "@hono/node-server";
import { Hono } from "hono";

import { MemoryBucket } from "../bucket/memory-bucket.sample.ts";
import { openIndexService } from "../index/index-service.ts";
import type { Scope } from "../model/principals.ts";
import { newToken } from "../model/token.ts";
import { Hosts } from "../queue/hosts.ts";
import { Queue } from "../queue/queue.ts";
import { newAttemptId } from "../store/attempt-id.ts";
import type { Database } from "../store/database.ts";
import { openDatabase } from "../store/open-database.ts";
import { probe } from "../store/probe.ts";
import { SqlDeliveries } from "../store/sql/sql-deliveries.ts";
import { SqlPrincipals } from "../store/sql/sql-principals.ts";
import { SqlStore } from "../store/sql/sql-store.ts";
import { openFarmClient, type FarmClient } from "../worker/farm-client.ts";
import { LocalCoordinator } from "../worker/local-coordinator.ts";
import { farmApp } from "./farm-app.ts";
import { peerOf } from "./peer-of.ts";

/** A whole farm over HTTP, on a port that the system gives: real store and queue, a bucket in memory, an index without files. */
export interface TrialFarm extends AsyncDisposable {
  readonly url: string;
  readonly database: Database;
  readonly queue: Queue;
  readonly hosts: Hosts;
  readonly store: SqlStore;
  readonly bucket: MemoryBucket;
  /** A new token with these scopes; the text. */
  token(name: string, scopes: readonly Scope[]): Promise<string>;
  /** A client with a token. */
  client(token: string): Promise<FarmClient>;
}

const QUICK = { retries: 2, firstPauseMs: 1, longestPauseMs: 2 };

export async function startTrialFarm(): Promise<TrialFarm> {
  await using opened = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), "creamery-farm-"));
  opened.defer(() => rm(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, "images"));
  const database = opened.use(await openDatabase(join(directory, "store.sqlite")));
  const queue = new Queue(database, { newId: () => newAttemptId() });
  const hosts = new Hosts(database);
  const store = new SqlStore(database);
  const principals = new SqlPrincipals(database);
  const bucket = new MemoryBucket();
  const index = opened.use(
    await openIndexService({
      directory: join(directory, "index"),
      upstreams: {
        indexes: [],
        crates: null,
        transport: { ca: undefined, clientCert: undefined, proxy: null },
      },
    }),
  );
  const stop = new AbortController();
  opened.defer(() => stop.abort());
  const peer = peerOf(new BlockList());
  const app = farmApp({
    principals,
    queue,
    bucket,
    index: index.farmIndex(() => undefined),
    images: {
      imagesDir: join(directory, "images"),
      archivesDir: join(directory, "archives"),
      pack: () => Promise.reject(new Error("there is no image")),
      signal: stop.signal,
    },
    webhooks: {
      secretsOf: () => [],
      projectsOf: () => [],
      repositoryOf: () => null,
      deliveries: new SqlDeliveries(database),
      enqueue: () => Promise.resolve([]),
      audit: () => undefined,
      peer,
      nowMs: Date.now,
      pause: () => Promise.resolve(),
      maxBodyBytes: 1 << 20,
      keepMs: 86_400_000,
    },
    farm: { image: "2026.11.2+0ed3d8fa", version: "0.1.0" },
    coordinatorOf: (name, boot) => new LocalCoordinator({ name, boot, queue, hosts, store }),
    api: new Hono(),
    pages: new Hono(),
    ready: () => probe(database),
    metrics: () => Promise.resolve({ text: "", type: "text/plain" }),
    peer,
    nowMs: Date.now,
  });
  const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" });
  await once(server, "listening");
  opened.defer(async () => {
    if (server instanceof Server) server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const url = `http://127.0.0.1:${address.port}`;
  const parts = opened.move();
  let count = 0;
  return {
    url,
    database,
    queue,
    hosts,
    store,
    bucket,
    token: async (name, scopes) => {
      const token = newToken("worker");
      await principals.create(
        {
          kind: "worker",
          name,
          scopes,
          projects: null,
          createdAtMs: Date.now(),
          createdBy: null,
          expiresAtMs: null,
        },
        token,
      );
      return token.text;
    },
    client: async (token) => {
      const tokenFile = join(directory, `token-${++count}`);
      writeFileSync(tokenFile, token, { mode: 0o600 });
      const client = await openFarmClient({ url, tokenFile }, QUICK);
      parts.defer(() => client[Symbol.dispose]());
      return client;
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}
