import { once } from "node:events";
import { connect } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { describe, expect, test } from "vitest";
import { z } from "zod";

import {
  COMMIT,
  hexOf,
  sampleDelivery,
  SAMPLES,
  SECRET,
  signedHeaders,
  type SampleDelivery,
} from "../watch/webhooks/deliveries.sample.ts";
import { FailedTries } from "./failed-tries.ts";
import { PROJECT_SECRET, sampleFarm, type SampleFarm } from "./webhooks.sample.ts";

interface Sending {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** In place of the sample's, and signed. */
  readonly body?: string;
}

async function send(
  { app }: SampleFarm,
  sample: SampleDelivery,
  { path = `/${sample.forge}`, headers = {}, body = sample.body }: Sending = {},
): Promise<{ status: number; answer: Record<string, unknown>; headers: Headers }> {
  const signed = signedHeaders(sample, Buffer.from(body));
  for (const [name, value] of Object.entries(headers)) signed.set(name, value);
  const response = await app.request(path, { method: "POST", headers: signed, body });
  const answer = z.record(z.string(), z.unknown()).parse(await response.json());
  expect(response.headers.get("content-type")).toBe(
    response.ok ? "application/json" : "application/problem+json",
  );
  return { status: response.status, answer, headers: response.headers };
}

const push = sampleDelivery("GitHub: branch");

describe.each(SAMPLES)("$title", (sample) => {
  const repository = sample.title.includes("Data Center")
    ? "https://git.example/scm/OCTO/hello.git"
    : "https://git.example/Octo/hello.git";
  const wanted = sample.references.filter(({ deleted }) => !deleted);

  test("queues what it pushed and is tested, out of the operator's own address", async () => {
    const farm = sampleFarm({}, repository);
    const path = `/${sample.forge}/hello`;
    const { status } = await send(farm, sample, { path });
    expect(status).toBe(wanted.length > 0 ? 202 : 200);
    expect(farm.queued.map(({ reference }) => reference)).toEqual(wanted);
    for (const { repository: cloned } of farm.queued) expect(cloned.url).toBe(repository);
  });

  test("queues nothing when its sender is not known", async () => {
    const farm = sampleFarm({}, repository);
    for (const path of [`/${sample.forge}`, `/${sample.forge}/hello`]) {
      const response = await farm.app.request(path, {
        method: "POST",
        headers: sample.headers,
        body: sample.body,
      });
      expect(response.status).toBe(
        sample.headers["x-event-key"] === "diagnostics:ping" ? 200 : 401,
      );
    }
    expect(farm.queued).toEqual([]);
  });
});

test("what was accepted is told, and noted", async () => {
  const farm = sampleFarm();
  const { status, answer } = await send(farm, push);
  expect(status).toBe(202);
  expect(answer).toEqual({
    status: "accepted",
    delivery: "72d3162e-cc78-11e3-81ab-4c9367dc0958",
    queued: [{ project: "hello", reference: "main", jobs: ["job-1"] }],
  });
  expect(farm.queued).toMatchObject([
    { forge: "github", reference: { name: "main", commit: COMMIT } },
  ]);
  expect(farm.audited).toMatchObject([
    { address: "192.0.2.1", forge: "github", project: null, outcome: "accepted", status: 202 },
  ]);
});

test("the same delivery again is accepted already, and queues nothing", async () => {
  const farm = sampleFarm();
  await send(farm, push);
  const { status, answer } = await send(farm, push);
  expect([status, answer["status"]]).toEqual([200, "already-accepted"]);
  expect(farm.queued).toHaveLength(1);
});

test("a delivery that was captured queues nothing under another id", async () => {
  const farm = sampleFarm();
  await send(farm, push);
  const { status, answer } = await send(farm, push, {
    headers: { "x-github-delivery": "00000000-cc78-11e3-81ab-4c9367dc0958" },
  });
  expect([status, answer["status"]]).toEqual([200, "already-accepted"]);
  expect(farm.queued).toHaveLength(1);
});

test("an id that comes again with another body is refused", async () => {
  const farm = sampleFarm();
  await send(farm, push);
  const body = push.body.replaceAll(COMMIT, "f".repeat(40));
  expect((await send(farm, push, { body })).status).toBe(409);
  expect(farm.queued).toHaveLength(1);
});

test("two that come at once have one name for what is queued", async () => {
  const farm = sampleFarm();
  await Promise.all([send(farm, push), send(farm, push)]);
  expect(new Set(farm.queued.map(({ key }) => key)).size).toBe(1);
});

test("when nothing could be queued the sender is told to try again, and the next try is no repetition", async () => {
  let broken = true;
  const keys: string[] = [];
  const farm = sampleFarm({
    enqueue: ({ key }) => {
      keys.push(key);
      return broken ? Promise.reject(new Error("the disk is full")) : Promise.resolve(["job"]);
    },
  });
  const failed = await send(farm, push);
  expect([failed.status, failed.headers.get("retry-after")]).toEqual([503, "30"]);
  expect(JSON.stringify(failed.answer)).not.toContain("disk");
  expect(farm.audited.at(-1)).toMatchObject({ outcome: "failed", reason: "the disk is full" });
  broken = false;
  expect((await send(farm, push)).status).toBe(202);
  expect(keys[1]).toBe(keys[0]);
});

test("a request that names no commit and no id is new each time", async () => {
  const farm = sampleFarm();
  const ask = async (): Promise<number> =>
    (
      await farm.app.request("/generic/hello", {
        method: "POST",
        headers: { authorization: `Bearer ${PROJECT_SECRET}` },
      })
    ).status;
  expect([await ask(), await ask()]).toEqual([202, 202]);
  expect(farm.queued.map(({ reference }) => reference.name)).toEqual(["HEAD", "HEAD"]);
});

test("a repository that nobody configured is refused, and nobody learns which are", async () => {
  const farm = sampleFarm();
  const body = push.body.replaceAll("Octo/Hello", "Octo/Other");
  const unknown = await send(farm, push, { body });
  const elsewhere = await send(farm, push, { body, path: "/github/hello" });
  expect([unknown.status, elsewhere.status]).toEqual([404, 404]);
  expect(elsewhere.answer).toEqual(unknown.answer);
  expect(JSON.stringify(unknown.answer)).not.toMatch(/octo|hello|git\.example/iu);
  expect(farm.queued).toEqual([]);
});

test("a hook of a project that is not there answers as one whose signature is bad", async () => {
  const farm = sampleFarm();
  const missing = await send(farm, push, { path: "/github/no-such-project" });
  const nameless = await send(farm, push, { path: "/github/%20%00" });
  const bad = await send(farm, push, {
    path: "/github/hello",
    headers: { "x-hub-signature-256": `sha256=${"0".repeat(64)}` },
  });
  expect([missing.status, nameless.status, bad.status]).toEqual([401, 401, 401]);
  expect(missing.answer).toEqual(bad.answer);
  expect(nameless.answer).toEqual(bad.answer);
});

test("a project's own secret is good at its own address alone", async () => {
  const farm = sampleFarm();
  const headers = { "x-hub-signature-256": `sha256=${hexOf(push.body, PROJECT_SECRET)}` };
  expect((await send(farm, push, { path: "/github/Hello", headers })).status).toBe(202);
  expect((await send(farm, push, { path: "/github", headers })).status).toBe(401);
});

test("a generic request has to say which repository, by its address or its body", async () => {
  const farm = sampleFarm();
  const sample = sampleDelivery("generic: form");
  expect((await send(farm, sample)).status).toBe(400);
  expect((await send(farm, sample, { path: "/generic/hello" })).status).toBe(202);
  expect((await send(sampleFarm(), sampleDelivery("generic: JSON"))).status).toBe(202);
});

test("every project of a repository is tested", async () => {
  const one = sampleFarm();
  await send(one, push);
  const [first] = one.queued;
  if (first === undefined) throw new Error("nothing was queued");
  const two = { ...first.repository, project: "hello-plugin" };
  const farm = sampleFarm({ projectsOf: () => [first.repository, two] });
  expect((await send(farm, push)).status).toBe(202);
  expect(farm.queued.map(({ repository }) => repository.project)).toEqual([
    "hello",
    "hello-plugin",
  ]);
  expect(new Set(farm.queued.map(({ key }) => key)).size).toBe(2);
});

test("branches that are not tested are ignored and remembered by nobody", async () => {
  const farm = sampleFarm();
  const body = push.body.replaceAll("refs/heads/main", "refs/heads/topic");
  expect(await send(farm, push, { body })).toMatchObject({
    status: 200,
    answer: { status: "ignored" },
  });
  expect((await send(farm, push)).status).toBe(202);
});

test("other methods, forges and addresses are told what is there", async () => {
  const { app } = sampleFarm();
  const answer = await app.request("/github");
  expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST"]);
  for (const path of ["/", "/sourcehut", "/github/hello/more", "/constructor", "/__proto__"])
    expect((await app.request(path, { method: "POST" })).status).toBe(404);
});

test("who fails too often is slowed, but a good delivery from the same address is taken at once", async () => {
  const farm = sampleFarm({
    failedTries: new FailedTries({ tries: 3, windowMs: 60_000, addresses: 10 }),
  });
  const bad = { headers: { "x-hub-signature-256": `sha256=${"0".repeat(64)}` } };
  const statuses: number[] = [];
  for (let at = 0; at < 4; at++) statuses.push((await send(farm, push, bad)).status);
  expect(statuses).toEqual([401, 401, 429, 429]);
  expect(farm.paused).toEqual([2000, 2000]);
  expect((await send(farm, push, bad)).headers.get("retry-after")).toBe("60");
  expect((await send(farm, push)).status).toBe(202);
});

test("no more than 64 are held back at once", async () => {
  const held = Promise.withResolvers<undefined>();
  let waiting = 0;
  const farm = sampleFarm({
    failedTries: new FailedTries({ tries: 1, windowMs: 60_000, addresses: 10 }),
    pause: async () => {
      waiting++;
      await held.promise;
    },
  });
  const bad = { headers: { "x-hub-signature-256": `sha256=${"0".repeat(64)}` } };
  const all = Array.from({ length: 64 }, () => send(farm, push, bad));
  await expect.poll(() => waiting).toBe(64);
  expect((await send(farm, push, bad)).status).toBe(429);
  held.resolve(undefined);
  for (const { status } of await Promise.all(all)) expect(status).toBe(429);
});

test("no answer and no note holds a secret or a signature", async () => {
  const farm = sampleFarm();
  const shown: unknown[] = [];
  for (const sample of SAMPLES) {
    shown.push(await send(farm, sample).then(({ answer }) => answer));
    shown.push(
      await send(farm, sample, { body: `{"x":"${SECRET}"}` }).then(({ answer }) => answer),
    );
  }
  const text = JSON.stringify([shown, farm.audited]);
  expect(text).not.toContain(SECRET);
  expect(text).not.toContain(PROJECT_SECRET);
  expect(text).not.toContain(hexOf(push.body));
});

test("a body that is longer than the bound is not read to its end, whether it says so or not", async () => {
  const farm = sampleFarm({ maxBodyBytes: 1000 });
  let sent = 0;
  const endless = (): ReadableStream =>
    new ReadableStream({
      pull: (controller) => {
        sent++;
        controller.enqueue(new Uint8Array(100));
      },
    });
  const ask = (headers: Record<string, string>): Response | Promise<Response> =>
    farm.app.request("/github", { method: "POST", headers, body: endless(), duplex: "half" });
  expect((await ask({ "content-length": "1001" })).status).toBe(413);
  expect(sent).toBeLessThan(3);
  expect((await ask({})).status).toBe(413);
  expect(sent).toBeLessThan(20);
});

test("a body that does not come is not waited for", async () => {
  const farm = sampleFarm({ bodyTimeoutMs: 20 });
  let cancelled = false;
  const body = new ReadableStream({
    cancel: () => {
      cancelled = true;
    },
  });
  const answer = await farm.app.request("/github", { method: "POST", body, duplex: "half" });
  expect(answer.status).toBe(408);
  expect(cancelled).toBe(true);
});

test("a body that breaks off is a bad request", async () => {
  const farm = sampleFarm();
  const body = new ReadableStream({ pull: () => Promise.reject(new Error("gone")) });
  const answer = await farm.app.request("/github", { method: "POST", body, duplex: "half" });
  expect(answer.status).toBe(400);
});

test("on a real server a slow sender and a large one are cut, and the others are served", async () => {
  const servers: ReturnType<typeof createAdaptorServer>[] = [];
  const serve = async (change: Parameters<typeof sampleFarm>[0]): Promise<number> => {
    const farm = sampleFarm({ maxBodyBytes: 100_000, ...change });
    const server = createAdaptorServer({ fetch: farm.app.fetch });
    servers.push(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const bound = server.address();
    return typeof bound === "object" && bound !== null ? bound.port : 0;
  };
  const raw = async (port: number, text: string): Promise<string> => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(text);
    let answer = "";
    for await (const chunk of socket) {
      answer += String(chunk);
      if (answer.includes("\r\n\r\n")) break;
    }
    socket.destroy();
    return answer.split("\r\n")[0] ?? "";
  };
  try {
    const start = "POST /github HTTP/1.1\r\nhost: farm.example\r\n";
    const [hasty, port] = [await serve({ bodyTimeoutMs: 50 }), await serve({})];
    expect(await raw(hasty, `${start}content-length: 10\r\n\r\nabc`)).toContain("408");
    expect(await raw(port, `${start}content-length: 100001\r\n\r\nabc`)).toContain("413");
    expect(
      await raw(
        port,
        `${start}transfer-encoding: chunked\r\n\r\n1e848\r\n${"x".repeat(125_000)}\r\n`,
      ),
    ).toContain("413");
    const answer = await fetch(`http://127.0.0.1:${port}/github`, {
      method: "POST",
      headers: signedHeaders(push),
      body: push.body,
    });
    expect(answer.status).toBe(202);
  } finally {
    for (const server of servers) {
      server.close();
      if ("closeAllConnections" in server) server.closeAllConnections();
    }
  }
});
