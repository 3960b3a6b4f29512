import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { serve, type HttpBindings } from "@hono/node-server";
import { Hono } from "hono";

import { openFarmClient, type FarmClient } from "../worker/farm-client.ts";

/** A farm of routes under test, on a port that the system gives, and workers of it. */
export interface LocalFarm extends AsyncDisposable {
  readonly url: string;
  /** `METHOD path` of each request, in order. */
  readonly requests: string[];
  /** A client with a worker's token. */
  worker(name: string): Promise<FarmClient>;
}

export const workerToken = (name: string): string => `token-of-the-worker-${name}`;
const QUICK = { retries: 3, firstPauseMs: 1, longestPauseMs: 2 };

export type FarmEnv = { Bindings: HttpBindings; Variables: { worker: string } };

/** @param mount puts the routes below `/api/v1`; who sends no worker's token gets no further than 401. */
export async function startLocalFarm(mount: (api: Hono<FarmEnv>) => void): Promise<LocalFarm> {
  const requests: string[] = [];
  const api = new Hono<FarmEnv>();
  api.use("*", async (context, next) => {
    requests.push(`${context.req.method} ${new URL(context.req.url).pathname}`);
    const name = /^Bearer token-of-the-worker-(\w+)$/u.exec(
      context.req.header("authorization") ?? "",
    )?.[1];
    if (name === undefined) return context.text("who are you?", 401);
    context.set("worker", name);
    await next();
  });
  mount(api);
  const app = new Hono().route("/api/v1", api);
  const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" });
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const url = `http://127.0.0.1:${address.port}`;
  const directory = mkdtempSync(join(tmpdir(), "creamery-local-farm-"));
  const clients: FarmClient[] = [];
  return {
    url,
    requests,
    worker: async (name) => {
      const tokenFile = join(directory, name);
      writeFileSync(tokenFile, workerToken(name), { mode: 0o600 });
      const client = await openFarmClient({ url, tokenFile }, QUICK);
      clients.push(client);
      return client;
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client[Symbol.dispose]();
      if (server instanceof Server) server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await rm(directory, { recursive: true, force: true });
    },
  };
}
