import { once } from "node:events";
import { Server } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

import { serve } from "@hono/node-server";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";

import { sampleFarm, type SampleFarm } from "./farm.sample.ts";

let farm: SampleFarm;
beforeEach(async () => {
  farm = await sampleFarm({ live: { quietMs: 20, readers: 3 } });
});
afterEach(async () => {
  const [failure] = farm.failures;
  await farm[Symbol.asyncDispose]();
  if (failure !== undefined) throw failure;
});

const running = (attempt: string, change: object = {}) => ({
  attempt,
  job: null,
  project: "six",
  visibility: "public" as const,
  configuration: "cpython-3.13",
  ...change,
});

/** Reads until a text comes, and leaves. */
async function until(answer: Response, wanted: string | null): Promise<string> {
  const reader: ReadableStreamDefaultReader<Uint8Array> | undefined = answer.body?.getReader();
  let text = "";
  for (;;) {
    const part = await reader?.read();
    if (part?.value !== undefined) text += Buffer.from(part.value).toString();
    if (part === undefined || part.done) break;
    if (wanted !== null && text.includes(wanted)) {
      await reader?.cancel();
      break;
    }
  }
  return text;
}

const events = (text: string) => [...text.matchAll(/^event: (\w+)$/gmu)].map(([, name]) => name);

test("the log of an attempt that runs comes as it is written, and ends with it", async () => {
  const { live } = farm.deps;
  live.begin(running("a1"));
  live.publish("a1", { kind: "log", text: "one\ntwo\n\nevent: end\ndata: {}\n\n" });
  const answer = await farm.ask("/attempts/a1/log/live");
  expect(answer.headers.get("content-type")).toBe("text/event-stream");
  const reading = until(answer, null);
  live.publish("a1", { kind: "phase", phase: "test", atMs: 5 });
  live.end("a1", "pass");
  const text = await reading;
  expect(events(text)).toEqual(["begun", "log", "phase", "ended", "end"]);
  expect(text).toContain('data: {"text":"one\\ntwo\\n\\nevent: end');
});

test("who was cut off goes on after the last event that was read", async () => {
  const { live } = farm.deps;
  live.begin(running("a1"));
  for (const text of ["one", "two", "three"]) live.publish("a1", { kind: "log", text });
  const first = await until(await farm.ask("/attempts/a1/log/live"), '"two"');
  const last = [...first.matchAll(/^id: (\S+)$/gmu)].at(-1)?.[1] ?? "";
  live.end("a1", null);
  const headers = { "last-event-id": last };
  const rest = await until(await farm.ask("/attempts/a1/log/live", { headers }), null);
  expect(rest).not.toContain('"two"');
  expect(rest).toContain('"three"');
  const foreign = { "last-event-id": "0123456789ab-3" };
  expect(
    await until(await farm.ask("/attempts/a1/log/live", { headers: foreign }), null),
  ).toContain('"one"');
});

test("an attempt that is over and kept is told so", async () => {
  const id = await farm.record({ outcome: "crash" });
  const text = await until(await farm.ask(`/attempts/${id}/log/live`), null);
  expect(events(text)).toEqual(["ended", "end"]);
  expect(text).toContain('"outcome":"crash"');
});

test("a job is followed through its states and attempts, until it is over", async () => {
  // Nobody looks whether it is over before that is told.
  await using busy = await sampleFarm({ live: { quietMs: 600_000 } });
  const key = await busy.enqueue("six");
  const { live } = busy.deps;
  const reading = until(await busy.ask(`/jobs/${key}/events`), null);
  await new Promise((resolve) => setTimeout(resolve, 30));
  live.begin(running("a1", { job: key }));
  live.publish("a1", { kind: "log", text: "hello" });
  live.end("a1", "pass");
  await busy.deps.queue.cancel(key, "");
  live.changed({
    kind: "job",
    key,
    project: "six",
    visibility: "public",
    configuration: "cpython-3.13",
    state: "cancelled",
    attempt: "a1",
  });
  expect(events(await reading)).toEqual(["state", "begun", "log", "ended", "state", "end"]);
});

test("what is told just after the store says that a job is over is heard", async () => {
  const key = await farm.enqueue("six");
  const { database, live, queue } = farm.deps;
  const job = { key, project: "six", visibility: "public", configuration: "cpython-3.13" } as const;
  const Cancelled = z.looseObject({ state: z.literal("cancelled") });
  const read = database.read.bind(database);
  database.read = async (ask) => {
    const found = await read(ask);
    if (Cancelled.safeParse(found).success)
      live.changed({ kind: "job", ...job, state: "cancelled", attempt: null });
    return found;
  };
  const reading = until(await farm.ask(`/jobs/${key}/events`), null);
  await queue.cancel(key, "");
  expect(events(await reading)).toEqual(["state", "state", "end"]);
});

test("a job that ended without a word is over once it was quiet twice", async () => {
  const key = await farm.enqueue("six");
  const reading = until(await farm.ask(`/jobs/${key}/events`), null);
  await farm.deps.queue.cancel(key, "");
  expect(events(await reading)).toEqual(["state", "end"]);
  const after = await until(await farm.ask(`/jobs/${key}/events`), null);
  expect(events(after)).toEqual(["state", "end"]);
  expect(farm.deps.live.channels).toBe(0);
});

test("while nothing happens a comment says that the farm is there", async () => {
  expect(await until(await farm.ask("/events"), ": still here")).toContain("\n\n: still here\n\n");
});

test("a token that is revoked while it reads reads no further", async () => {
  const as = await farm.token(["read-private"]);
  const reading = until(await farm.ask("/events", { as }), null);
  const [principal] = (await farm.principals.list({ limit: 1 })).principals;
  await farm.principals.revoke(principal?.id ?? "", farm.nowMs);
  farm.nowMs += 20_000;
  expect(events(await reading)).toEqual([]);
});

test("more readers than the farm has room for are asked to come again", async () => {
  const open: Response[] = [];
  for (let at = 0; at < 3; at++) {
    const answer = await farm.ask("/events");
    void until(answer.clone(), "nothing that comes").catch(() => undefined);
    open.push(answer);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const refused = await farm.ask("/events");
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "30"]);
  farm.deps.live[Symbol.dispose]();
  for (const answer of open) await answer.body?.cancel();
});

test("a browser that closes its page is a reader no more", async () => {
  const server = serve({ fetch: farm.app.fetch, port: 0, hostname: "127.0.0.1" });
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  const left = new AbortController();
  const { signal } = left;
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1/events`, { signal });
  const reading = until(answer, null).catch(() => "left");
  const { live } = farm.deps;
  for (let tries = 0; live.readers === 0 && tries < 500; tries++) await sleep(10);
  expect(live.readers).toBe(1);
  left.abort();
  await reading;
  for (let tries = 0; live.readers > 0 && tries < 500; tries++) await sleep(10);
  expect(live.readers).toBe(0);
  if (server instanceof Server) server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});
