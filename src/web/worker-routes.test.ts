import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

import { HostFacts } from "../queue/hosts.ts";
import { Hosts } from "../queue/hosts.ts";
import { Queue } from "../queue/queue.ts";
import { newAttemptId } from "../store/attempt-id.ts";
import { openDatabase } from "../store/open-database.ts";
import { SqlStore } from "../store/sql/sql-store.ts";
import { coordinatorContract } from "../worker/coordinator-contract.ts";
import { LocalCoordinator } from "../worker/local-coordinator.ts";
import { RemoteBucket } from "../worker/remote-bucket.ts";
import { RemoteCoordinator } from "../worker/remote-coordinator.ts";
import { startTrialFarm, type TrialFarm } from "./farm-app.sample.ts";

const signal = new AbortController().signal;
const facts = HostFacts.parse({});

describe("the farm in a worker's own process", () => {
  coordinatorContract(async () => {
    const directory = mkdtempSync(join(tmpdir(), "creamery-coordinator-"));
    const database = await openDatabase(join(directory, "store.sqlite"));
    const queue = new Queue(database, { newId: () => newAttemptId() });
    const hosts = new Hosts(database);
    const store = new SqlStore(database);
    return {
      queue,
      hosts,
      store,
      coordinator: async (name, boot) => new LocalCoordinator({ name, boot, queue, hosts, store }),
      [Symbol.asyncDispose]: async () => {
        await database[Symbol.asyncDispose]();
        rmSync(directory, { recursive: true });
      },
    };
  });
});

test("what was given to a worker that was gone at that very instant is given to another at once", async () => {
  await using farm = await startTrialFarm();
  const { queue, hosts, store } = farm;
  const local = (name: string) => new LocalCoordinator({ name, boot: name, queue, hosts, store });
  for (const name of ["one", "two"]) await local(name).arrive({ boot: name, slots: 1, facts });
  const gone = new AbortController();
  await queue.enqueue([
    {
      id: "r1",
      project: "six",
      visibility: "public",
      word: "six==1.0",
      version: "1.0",
      line: "",
      reason: "release",
      configurations: [{ name: "cpython-3.13", lane: "priority" }],
    },
  ]);
  const wish = { most: 1, without: [], waitMs: 0 };
  const claim = queue.claim.bind(queue);
  queue.claim = async (options) => {
    const given = await claim(options);
    if (given.length > 0) gone.abort();
    return given;
  };
  await expect(local("one").claim(wish, gone.signal)).rejects.toThrow("aborted");
  expect(await local("two").claim(wish, signal)).toMatchObject([{ project: "six", try: 1 }]);
});

describe("the farm by HTTP", () => {
  coordinatorContract(async () => {
    const farm = await startTrialFarm();
    const tokens = new Map<string, string>();
    return {
      queue: farm.queue,
      hosts: farm.hosts,
      store: farm.store,
      coordinator: async (name, boot) => {
        const token = tokens.get(name) ?? (await farm.token(name, ["worker"]));
        tokens.set(name, token);
        return new RemoteCoordinator(await farm.client(token), boot);
      },
      [Symbol.asyncDispose]: () => farm[Symbol.asyncDispose](),
    };
  });
});

async function post(
  farm: TrialFarm,
  path: string,
  body: unknown,
  token?: string,
): Promise<Response> {
  return await fetch(`${farm.url}/api/v1/worker/${path}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

test("without a token, or with one that is for something else, there is no work and nothing to see", async () => {
  await using farm = await startTrialFarm();
  const reader = await farm.token("reader", ["read-private", "enqueue", "operate", "admin"]);
  const arrival = { boot: "b1", slots: 1, facts };
  expect((await post(farm, "arrive", arrival)).status).toBe(401);
  expect((await post(farm, "arrive", arrival, reader)).status).toBe(403);
  expect((await post(farm, "arrive", arrival, `${reader}x`)).status).toBe(401);
  for (const path of ["index/", "worker/images/2026.11.2+0ed3d8fa/archive"]) {
    const asked = (token: string) =>
      fetch(`${farm.url}/api/v1/${path}`, { headers: { authorization: `Bearer ${token}` } });
    expect((await fetch(`${farm.url}/api/v1/${path}`)).status).toBe(401);
    expect((await asked(reader)).status).toBe(403);
  }
  expect(await farm.hosts.all()).toEqual([]);
});

test("what is no body of ours is told in one line, with where it is wrong", async () => {
  await using farm = await startTrialFarm();
  const token = await farm.token("one", ["worker"]);
  const cases: readonly (readonly [unknown, string])[] = [
    ["{", "is no JSON"],
    [{ boot: "b1", slots: 0, facts }, "slots"],
    [{ slots: 1, facts }, "boot"],
    ["[]", "expected object"],
  ];
  for (const [body, reason] of cases) {
    const answer = await post(farm, "arrive", body, token);
    expect(answer.status).toBe(400);
    expect(answer.headers.get("content-type")).toContain("application/problem+json");
    expect(await answer.text()).toContain(reason);
  }
});

test("a worker writes beside its own attempts, and ones that confirm them, and beside no other's", async () => {
  await using farm = await startTrialFarm();
  const directory = mkdtempSync(join(tmpdir(), "creamery-spool-"));
  const [mine, other] = [
    await farm.token("mine", ["worker"]),
    await farm.token("other", ["worker"]),
  ];
  const clients = [await farm.client(mine), await farm.client(other)];
  const [own, foreign] = await Promise.all(
    clients.map((client, place) =>
      RemoteBucket.open({ farm: client, directory: join(directory, String(place)) }),
    ),
  );
  const [first, second] = clients.map(
    (client, place) => new RemoteCoordinator(client, `b${place}`),
  );
  if (!own || !foreign || !first || !second) throw new Error("unreachable");
  await first.arrive({ boot: "b0", slots: 1, facts }, signal);
  await second.arrive({ boot: "b1", slots: 1, facts }, signal);
  const options = { signal, compression: "gzip" } as const;
  const write = (bucket: RemoteBucket, attempt: string, text: string) =>
    bucket.create(`attempts/${attempt}/log.txt`, Buffer.from(text), options);
  // Who holds nothing writes nothing.
  await expect(write(own, "a1", "x")).rejects.toMatchObject({ code: "farm-refused" });
  await farm.queue.enqueue([
    {
      id: "r1",
      project: "six",
      visibility: "public",
      word: "six==1.0",
      version: "1.0",
      line: "",
      reason: "release",
      configurations: [{ name: "cpython-3.13", lane: "priority" }],
    },
  ]);
  const [job] = await first.claim({ most: 1, without: [], waitMs: 0 }, signal);
  const attempt = job?.attempt ?? "";
  await expect(write(foreign, attempt, "not mine")).rejects.toMatchObject({ code: "farm-refused" });
  await write(own, attempt, "mine");
  await write(own, newAttemptId(), "confirms");
  await first.finish(attempt, { kind: "returned" }, signal);
  await expect(write(own, attempt, "late")).rejects.toMatchObject({ code: "farm-refused" });
  rmSync(directory, { recursive: true });
});

test("the farm says whether it lives, whether its store answers, and where there is nothing", async () => {
  await using farm = await startTrialFarm();
  expect((await fetch(`${farm.url}/healthz`)).status).toBe(200);
  expect((await fetch(`${farm.url}/readyz`)).status).toBe(200);
  const nothing = await fetch(`${farm.url}/nothing`);
  expect(nothing.status).toBe(404);
  expect(nothing.headers.get("content-type")).toContain("application/problem+json");
  await farm.database[Symbol.asyncDispose]();
  expect((await fetch(`${farm.url}/readyz`)).status).toBe(503);
  expect((await fetch(`${farm.url}/healthz`)).status).toBe(200);
});
