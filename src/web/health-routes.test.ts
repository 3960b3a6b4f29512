import { Hono } from "hono";
import { describe, expect, test } from "vitest";

import { MemoryPrincipals } from "../model/memory-principals.ts";
import type { Scope } from "../model/principals.ts";
import { newToken } from "../model/token.ts";
import { authenticate } from "./authenticate.ts";
import { healthRoutes } from "./health-routes.ts";
import { refuseWhenFull } from "./refuse-when-full.ts";
import { routeClassOf } from "./route-class.ts";

const NOW = 1_800_000_000_000;

function farm(address = "127.0.0.1") {
  const state = { isReady: true };
  const principals = new MemoryPrincipals();
  const app = healthRoutes({
    ready: async () => {
      if (!state.isReady) throw new Error("no store");
    },
    metrics: async () => ({ text: "creamery_info 1\n", type: "text/plain; version=0.0.4" }),
    authenticate: authenticate({
      principals,
      peer: () => ({ address, encrypted: true }),
      nowMs: () => NOW,
    }),
    nowMs: () => NOW,
  });
  const tokenOf = async (scopes: readonly Scope[], projects: readonly string[] | null = null) => {
    const token = newToken("program");
    await principals.create(
      {
        kind: "program",
        name: "prometheus",
        scopes,
        projects,
        createdAtMs: NOW,
        createdBy: null,
        expiresAtMs: null,
      },
      token,
    );
    return { authorization: `Bearer ${token.text}` };
  };
  return { app, state, tokenOf };
}

describe("health", () => {
  test("healthz answers while this process does, readyz while the store does too", async () => {
    const { app, state } = farm("203.0.113.9");
    expect((await app.request("/healthz")).status).toBe(200);
    expect((await app.request("/readyz")).status).toBe(200);
    state.isReady = false;
    expect((await app.request("/healthz")).status).toBe(200);
    const answer = await app.request("/readyz");
    expect(answer.status).toBe(503);
    // Whoever asks hears no more of the store.
    expect(await answer.text()).toBe("the store does not answer\n");
  });
});

describe("metrics", () => {
  test("are this host's own without a token", async () => {
    const answer = await farm("::1").app.request("/metrics");
    expect([answer.status, await answer.text()]).toEqual([200, "creamery_info 1\n"]);
  });

  test.each(["forwarded", "x-forwarded-for", "x-real-ip", "via"])(
    "are not those of whom a proxy on this host speaks for (%s)",
    async (name) => {
      const { app } = farm();
      expect((await app.request("/metrics", { headers: { [name]: "1.2.3.4" } })).status).toBe(401);
    },
  );

  test("are others' with a token of the scope operate, and no other", async () => {
    const { app, tokenOf } = farm("203.0.113.9");
    const ask = async (headers: Record<string, string>) =>
      (await app.request("/metrics", { headers })).status;
    expect(await ask({})).toBe(401);
    expect(await ask(await tokenOf(["operate"]))).toBe(200);
    expect(await ask(await tokenOf(["enqueue"]))).toBe(403);
    expect(await ask(await tokenOf(["operate"], ["six"]))).toBe(403);
    expect(await ask({ authorization: "Bearer nonsense" })).toBe(401);
  });

  test("are no more open to a token that is good for less, on this host", async () => {
    const { app, tokenOf } = farm();
    const headers = await tokenOf(["enqueue"]);
    expect((await app.request("/metrics", { headers })).status).toBe(403);
  });
});

describe("a farm whose disk is nearly full", () => {
  const state: { lack: string | null } = { lack: null };
  const app = new Hono();
  app.use(refuseWhenFull(() => state.lack));
  app.all("*", (context) => context.text("taken"));

  test.each([
    ["POST", "/api/v1/jobs", 503],
    ["POST", "/hooks/github", 503],
    ["PUT", "/api/v1/worker/attempts/a1/assets/log.txt", 503],
    ["PUT", "/api/v1/worker/sources/00ff", 503],
    ["GET", "/api/v1/jobs", 200],
    ["POST", "/api/v1/jobs/k1/cancel", 200],
    ["POST", "/api/v1/worker/attempts/a1/finish", 200],
    ["DELETE", "/api/v1/worker/attempts/a1/assets/log.txt", 200],
  ])("answers %s %s by %i, and takes it again alone", async (method, path, status) => {
    state.lack = "0.5 GiB are free";
    const refused = await app.request(path, { method });
    expect(refused.status).toBe(status);
    expect(refused.headers.get("retry-after")).toBe(status === 503 ? "60" : null);
    state.lack = null;
    expect((await app.request(path, { method })).status).toBe(200);
  });
});

test.each([
  ["/healthz", "health"],
  ["/metrics", "metrics"],
  ["/hooks/github", "hooks"],
  ["/api/v1/worker/claim", "claim"],
  ["/api/v1/worker/heartbeat", "worker"],
  ["/api/v1/index/simple/six/", "index"],
  ["/api/v1/worker/images/x/archive", "images"],
  ["/api/v1/worker/attempts/a1/assets/log.txt", "assets"],
  ["/api/v1/worker/sources/00ff/facts", "assets"],
  ["/api/v1/attempts/a1/assets/log.txt", "api"],
  ["/api/v1/attempts/a1", "api"],
  ["/projects/../../etc", "pages"],
])("what %s is for is %s", (path, expected) => {
  expect(routeClassOf(path)).toBe(expected);
});
