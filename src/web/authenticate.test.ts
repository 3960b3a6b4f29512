import { Hono } from "hono";
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";

import { FUZZ, FUZZ_TIMEOUT_MS } from "../../test/properties.ts";
import { FARM } from "../model/authorise.ts";
import { MemoryPrincipals } from "../model/memory-principals.ts";
import type { NewPrincipal } from "../model/principals.ts";
import { newToken } from "../model/token.ts";
import { authenticate, permit, refusal, type Authenticated } from "./authenticate.ts";
import type { Peer } from "./client-address.ts";
import { FailedTries } from "./failed-tries.ts";

interface Farm {
  readonly principals: MemoryPrincipals;
  readonly token: string;
  readonly id: string;
  peer: Peer;
  nowMs: number;
  lookups: number;
  ask(authorization?: string): Promise<{ status: number; body: unknown; headers: Headers }>;
}

async function farmWith(change: Partial<NewPrincipal> = {}, tries?: FailedTries): Promise<Farm> {
  const principals = new MemoryPrincipals();
  const { text, id, sha256 } = newToken("person");
  await principals.create(
    {
      kind: "person",
      name: "somebody",
      scopes: ["operate"],
      projects: null,
      createdAtMs: 0,
      createdBy: null,
      expiresAtMs: null,
      ...change,
    },
    { id, sha256 },
  );
  const find = principals.findByHash.bind(principals);
  principals.findByHash = (hash) => {
    farm.lookups++;
    return find(hash);
  };
  const app = new Hono<Authenticated>();
  app.use(
    authenticate({
      principals,
      peer: () => farm.peer,
      nowMs: () => farm.nowMs,
      ...(tries === undefined ? {} : { failedTries: tries }),
    }),
  );
  app.get("/", (context) => {
    const principal = context.get("principal");
    return context.json(principal.kind === "anonymous" ? "anonymous" : principal.id);
  });
  const farm: Farm = {
    principals,
    token: text,
    id,
    peer: { address: "192.0.2.1", encrypted: true },
    nowMs: 1_000_000,
    lookups: 0,
    ask: async (authorization) => {
      const headers = authorization === undefined ? undefined : { authorization };
      const answer = await app.request("/", headers === undefined ? {} : { headers });
      return {
        status: answer.status,
        body: z.unknown().parse(await answer.json()),
        headers: answer.headers,
      };
    },
  };
  return farm;
}

test("who shows no token is nobody, who shows one is its principal", async () => {
  const farm = await farmWith();
  expect(await farm.ask()).toMatchObject({ status: 200, body: "anonymous" });
  for (const header of [
    `Bearer ${farm.token}`,
    `bearer ${farm.token}`,
    `Basic ${Buffer.from(`anybody:${farm.token}`).toString("base64")}`,
  ])
    expect(await farm.ask(header)).toMatchObject({ status: 200, body: farm.id });
});

test("a token that is not good ends the request, and says how one is shown", async () => {
  const farm = await farmWith();
  for (const header of [
    "",
    "Bearer",
    "Bearer x",
    farm.token,
    `Bearer ${farm.token} `.concat("x"),
    `Bearer ${farm.token}, Bearer ${farm.token}`,
    `Bearer ${newToken("person").text}`,
    `Basic ${Buffer.from(farm.token).toString("base64")}`,
    `Digest ${farm.token}`,
  ]) {
    const { status, headers } = await farm.ask(header);
    expect(status).toBe(401);
    expect(headers.get("www-authenticate")).toBe('Bearer realm="creamery"');
    expect(headers.get("content-type")).toBe("application/problem+json");
  }
  // Only one of them had a token's form and checksum.
  expect(farm.lookups).toBe(1);
});

test("a token that was revoked or has expired is told so", async () => {
  const farm = await farmWith({ expiresAtMs: 2_000_000 });
  farm.nowMs = 1_999_999;
  expect((await farm.ask(`Bearer ${farm.token}`)).status).toBe(200);
  farm.nowMs = 2_000_000;
  expect(await farm.ask(`Bearer ${farm.token}`)).toMatchObject({
    status: 401,
    body: { detail: "this token has expired" },
  });
  const other = await farmWith();
  expect((await other.ask(`Bearer ${other.token}`)).status).toBe(200);
  await other.principals.revoke(other.id, other.nowMs);
  expect(await other.ask(`Bearer ${other.token}`)).toMatchObject({
    status: 401,
    body: { detail: "this token was revoked" },
  });
});

test.each([
  ["192.0.2.1", false, 403],
  ["192.0.2.1", true, 200],
  ["127.0.0.1", false, 200],
  ["::1", false, 200],
  ["::ffff:127.0.0.1", false, 200],
  ["", false, 403],
])("a token from %j, encrypted: %s, is answered %i", async (address, encrypted, status) => {
  const farm = await farmWith();
  farm.peer = { address, encrypted };
  expect((await farm.ask(`Bearer ${farm.token}`)).status).toBe(status);
  expect((await farm.ask()).status).toBe(200);
  expect(farm.lookups).toBe(status === 200 ? 1 : 0);
});

test("who fails too often is asked to wait without a look into the store, but a token that was good still is", async () => {
  const farm = await farmWith({}, new FailedTries({ tries: 3, windowMs: 60_000, addresses: 10 }));
  expect((await farm.ask(`Bearer ${farm.token}`)).status).toBe(200);
  const statuses: number[] = [];
  for (let at = 0; at < 5; at++)
    statuses.push((await farm.ask(`Bearer ${newToken("person").text}`)).status);
  expect(statuses).toEqual([401, 401, 401, 429, 429]);
  expect(farm.lookups).toBe(4);
  expect((await farm.ask("Bearer x")).headers.get("retry-after")).toBe("60");
  expect((await farm.ask(`Bearer ${farm.token}`)).status).toBe(200);
  await farm.principals.revoke(farm.id, farm.nowMs);
  expect((await farm.ask(`Bearer ${farm.token}`)).status).toBe(401);
  farm.peer = { address: "192.0.2.2", encrypted: true };
  expect((await farm.ask(`Bearer ${newToken("person").text}`)).status).toBe(401);
  farm.peer = { address: "192.0.2.1", encrypted: true };
  farm.nowMs += 60_000;
  expect((await farm.ask(`Bearer ${newToken("person").text}`)).status).toBe(401);
});

test("when it was last used is noted once a minute", async () => {
  const farm = await farmWith();
  const used = async (): Promise<number | null> => {
    await farm.ask(`Bearer ${farm.token}`);
    return (await farm.principals.find(farm.id))?.lastUsedAtMs ?? null;
  };
  expect(await used()).toBe(1_000_000);
  farm.nowMs += 59_999;
  expect(await used()).toBe(1_000_000);
  farm.nowMs += 1;
  expect(await used()).toBe(1_060_000);
});

test("a store that fails is the farm's fault, and lets nobody in", async () => {
  const farm = await farmWith();
  farm.principals.findByHash = () => Promise.reject(new Error("the disk is full"));
  const { status, body } = await farm.ask(`Bearer ${farm.token}`);
  expect(status).toBe(503);
  expect(JSON.stringify(body)).not.toContain("disk");
  const other = await farmWith();
  other.principals.touch = () => Promise.reject(new Error("the disk is full"));
  expect((await other.ask(`Bearer ${other.token}`)).status).toBe(200);
});

test("who may not is told why, by the one table", async () => {
  const allowed = new Hono<Authenticated>();
  const farm = await farmWith({ scopes: ["enqueue"] });
  allowed.use(
    authenticate({ principals: farm.principals, peer: () => farm.peer, nowMs: () => farm.nowMs }),
  );
  allowed.get("/", (context) => {
    const outcome = permit(context, "drain", FARM, farm.nowMs);
    return outcome.kind === "allowed" ? context.json("drained") : refusal(outcome);
  });
  const nobody = await allowed.request("/");
  expect([nobody.status, nobody.headers.get("www-authenticate")]).toEqual([
    401,
    'Bearer realm="creamery"',
  ]);
  const headers = { authorization: `Bearer ${farm.token}` };
  expect((await allowed.request("/", { headers })).status).toBe(403);
});

test("no answer holds a token, nor any part of its secret", async () => {
  const farm = await farmWith();
  await farm.principals.revoke(farm.id, 1);
  for (const encrypted of [true, false]) {
    farm.peer = { address: "192.0.2.1", encrypted };
    const answer = await farm.ask(`Bearer ${farm.token}`);
    expect(JSON.stringify([answer.body, [...answer.headers]])).not.toContain(farm.token.slice(-20));
  }
});

test(
  "whatever a stranger shows lets nobody in, and is no fault of the farm",
  async () => {
    const farm = await farmWith({}, new FailedTries({ tries: 1e9, windowMs: 1, addresses: 10 }));
    const text = fc.string({
      unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
      maxLength: 120,
    });
    const mutated = fc
      .tuple(fc.nat(farm.token.length - 1), text)
      .map(([at, put]) => farm.token.slice(0, at) + put + farm.token.slice(at + 1))
      .filter((changed) => changed !== farm.token);
    const secret = fc.oneof(text, mutated);
    const header = fc.oneof(
      secret,
      secret.map((given) => `Bearer ${given}`),
      secret.map((given) => `Basic ${Buffer.from(`x:${given}`).toString("base64")}`),
    );
    await fc.assert(
      fc.asyncProperty(header, async (given) => {
        expect((await farm.ask(given)).status).toBe(401);
      }),
      FUZZ,
    );
  },
  FUZZ_TIMEOUT_MS,
);
