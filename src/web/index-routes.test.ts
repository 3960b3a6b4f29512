import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createServer, request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { expect, onTestFinished, test } from "vitest";

import { owned, temporaryDirectory } from "../../test/owned.ts";
import { makeWheel } from "../../test/upstream/make-wheel.ts";
import {
  startUpstream,
  type DistFile,
  type RunningUpstream,
  type UpstreamOptions,
} from "../../test/upstream/upstream.ts";
import type { CreameryError } from "../base/errors.ts";
import { openIndexService, type Endpoint, type IndexService } from "../index/index-service.ts";
import { locksFrom } from "../index/lock/write-locks.ts";
import { sampleUpstreams } from "../index/upstream/upstreams.sample.ts";
import { openFarmIndex } from "../worker/farm-index.ts";
import { indexRoutes } from "./index-routes.ts";
import { startLocalFarm, workerToken, type FarmEnv, type LocalFarm } from "./local-farm.sample.ts";

const JSON_TYPE = "application/vnd.pypi.simple.v1+json";
const signal = new AbortController().signal;
interface Fleet {
  readonly farm: LocalFarm;
  readonly coordinator: IndexService;
  readonly faults: CreameryError[];
}

/** A coordinator with these upstreams, and its API. */
async function fleet(index: string, crates: string | null = null): Promise<Fleet> {
  const upstreams = await sampleUpstreams({ index, ...(crates === null ? {} : { crates }) });
  const coordinator = owned(
    await openIndexService({ directory: temporaryDirectory("fleet"), upstreams }),
  );
  const faults: CreameryError[] = [];
  const routes = indexRoutes<FarmEnv>({
    hostOf: (context) => context.get("worker"),
    index: coordinator.farmIndex((fault) => faults.push(fault)),
    root: "/api/v1/index/",
  });
  return {
    farm: owned(await startLocalFarm((api) => api.route("/index", routes))),
    coordinator,
    faults,
  };
}

async function upstream(options: UpstreamOptions): Promise<RunningUpstream> {
  return owned(await startUpstream(options));
}

interface Host {
  readonly index: IndexService;
  readonly endpoint: Endpoint;
  readonly directory: string;
  ask(path: string, headers?: Record<string, string>): Promise<Answer>;
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
  readonly whole: boolean;
}

async function host(index: IndexService, directory: string, before?: Date): Promise<Host> {
  const socketPath = join(directory, "index.sock");
  const at = before === undefined ? {} : { before };
  const endpoint = await index.openEndpoint({ socketPath, attemptId: "a1", ...at });
  const ask = (path: string, headers: Record<string, string> = {}): Promise<Answer> =>
    new Promise((resolve) => {
      const outgoing = request({ socketPath, path, headers, agent: false }, (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.on("error", () => undefined);
        incoming.on("close", () =>
          resolve({
            status: incoming.statusCode ?? 0,
            body: Buffer.concat(chunks),
            whole: incoming.complete,
          }),
        );
      });
      // Held back whole, it is cut off before its first byte.
      outgoing.on("error", () => resolve({ status: 0, body: Buffer.alloc(0), whole: false }));
      outgoing.end();
    });
  return { index, endpoint, directory, ask };
}

async function worker({ farm }: Fleet, name: string): Promise<Host> {
  const directory = temporaryDirectory("fleet");
  const client = await farm.worker(name);
  return await host(owned(await openFarmIndex({ farm: client, directory, signal })), directory);
}

const sha = (content: Buffer): string => createHash("sha256").update(content).digest("hex");
const wheel = makeWheel("spam", "1.0", { "spam/__init__.py": "x = 1\n".repeat(2000) }, ["eggs>=1"]);
const sdist = Buffer.alloc(400_000, "an sdist of spam ");
const FILES: DistFile[] = [
  {
    project: "spam",
    filename: "spam-1.0-py3-none-any.whl",
    content: wheel,
    requiresPython: ">=3.8",
    yanked: "a <bad> idea",
    extra: { "x-file": { kept: [1] } },
  },
  { project: "spam", filename: "spam-1.0.tar.gz", content: sdist },
];
const pathOf = ({ endpoint }: Host, { project, filename, content }: DistFile): string =>
  `${endpoint.indexPath.replace("simple/", "files/")}${project}/${sha(content)}/${filename}`;
const [WHEEL, SDIST] = [FILES[0], FILES[1]];
if (WHEEL === undefined || SDIST === undefined) throw new Error("no files");

test("three workers that ask for a page and a file at once make one upstream request of each", async () => {
  const up = await upstream({ files: FILES, faults: [{ on: ".tar.gz", kind: "slow" }] });
  const whole = await fleet(up.url);
  const hosts = await Promise.all(["a", "b", "c"].map((name) => worker(whole, name)));
  const pages = await Promise.all(
    hosts.map((one) => one.ask(`${one.endpoint.indexPath}spam/`, { accept: JSON_TYPE })),
  );
  for (const { status } of pages) expect(status).toBe(200);
  const files = await Promise.all(
    hosts.flatMap((one) => [
      one.ask(pathOf(one, SDIST)),
      one.ask(pathOf(one, WHEEL)),
      one.ask(`${pathOf(one, WHEEL)}.metadata`),
      one.ask(pathOf(one, SDIST)),
    ]),
  );
  expect(files.filter(({ status, whole: isWhole }) => status === 200 && isWhole)).toHaveLength(12);
  for (const { body } of files.filter((_, index) => index % 4 === 0))
    expect(body.equals(sdist)).toBe(true);
  const other = up.requests.filter((line) => !line.includes(".whl"));
  expect(other).toEqual(["GET /simple/spam/", "GET /packages/spam-1.0.tar.gz"]);
  // Its metadata, by one range, while the wheel came by one whole download.
  const wheels = up.requests.filter((line) => line.includes(".whl"));
  expect(wheels.filter((line) => !line.includes("bytes="))).toHaveLength(1);
  expect(wheels.length).toBeLessThanOrEqual(2);
  // What a worker has, it asks its farm for no more.
  const before = whole.farm.requests.length;
  for (const one of hosts)
    expect((await one.ask(pathOf(one, SDIST))).body.equals(sdist)).toBe(true);
  expect(whole.farm.requests.slice(before)).toEqual([]);
});

test("a worker's attempt of the past has what its farm saw deleted and still keeps, and of the project that is gone altogether", async () => {
  const eggs: DistFile = {
    project: "eggs",
    filename: "eggs-1.0.tar.gz",
    content: Buffer.from("eggs"),
  };
  const up = await upstream({
    files: [...FILES, eggs].map((file) => ({ ...file, uploadTime: "2020-01-01T00:00:00Z" })),
    maxAgeSeconds: 0,
  });
  const whole = await fleet(up.url);
  const here = await host(whole.coordinator, temporaryDirectory("fleet"));
  for (const file of [WHEEL, SDIST, eggs]) {
    await here.ask(`${here.endpoint.indexPath}${file.project}/`);
    if (file !== WHEEL) await here.ask(pathOf(here, file));
  }
  const date = new Date();
  up.files.splice(0, 3, { ...WHEEL, filename: "spam-2.0-py3-none-any.whl" });
  await sleep(5);

  const directory = temporaryDirectory("fleet");
  const client = await whole.farm.worker("a");
  const index = owned(await openFarmIndex({ farm: client, directory, signal }));
  const then = await host(index, directory, date);
  const listed = async (name: string): Promise<string> =>
    (await then.ask(`${then.endpoint.indexPath}${name}/`, { accept: JSON_TYPE })).body.toString();
  // The farm looks again before it tells: by then these are gone.
  for (const name of ["spam", "eggs"]) await here.ask(`${here.endpoint.indexPath}${name}/`);
  expect(await listed("spam")).toContain('"filename":"spam-1.0.tar.gz"');
  expect(await listed("spam")).toContain(
    '"lost":{"count":1,"files":["spam-1.0-py3-none-any.whl"]}',
  );
  expect(await listed("eggs")).toContain('"filename":"eggs-1.0.tar.gz"');
  for (const file of [SDIST, eggs])
    expect((await then.ask(pathOf(then, file))).body.equals(file.content)).toBe(true);
  expect(then.endpoint.record().files.map(({ filename, upstream: of }) => [filename, of])).toEqual([
    ["spam-1.0.tar.gz", up.url],
    ["eggs-1.0.tar.gz", up.url],
  ]);
  // Now they are not there, for a worker's attempt of now as for the farm's own.
  const now = await worker(whole, "b");
  for (const file of [SDIST, eggs]) expect((await now.ask(pathOf(now, file))).status).toBe(404);
  expect((await now.ask(`${now.endpoint.indexPath}eggs/`)).status).toBe(404);
});

test.each(["json", "html"] as const)(
  "a worker serves and records what the farm itself does, of an upstream that speaks %s",
  async (format) => {
    const up = await upstream({ files: FILES, format });
    const whole = await fleet(`${up.url}?key=s3cret`);
    const here = await host(whole.coordinator, temporaryDirectory("fleet"));
    const there = await worker(whole, "a");
    const records = [];
    const answers = [];
    for (const one of [here, there]) {
      const { indexPath } = one.endpoint;
      const asked = [];
      for (const [path, headers] of [
        [`${indexPath}spam/`, { accept: JSON_TYPE }],
        [`${indexPath}spam/`, { accept: "text/html" }],
        [`${indexPath}nothing/`, {}],
        [`${pathOf(one, WHEEL)}.metadata`, {}],
        [pathOf(one, WHEEL), {}],
        [pathOf(one, SDIST), { range: "bytes=10-19" }],
        [pathOf(one, SDIST).replace(/\/[0-9a-f]{64}\//u, `/${"0".repeat(64)}/`), {}],
      ] as const)
        asked.push(await one.ask(path, headers));
      answers.push(asked.map(({ status, body }) => [status, body.toString("latin1")]));
      // One is recorded when it has ended, which may be after its client has all of it.
      await expect.poll(() => one.endpoint.record().requests.length).toBe(asked.length);
      const { openedAt: _, requests, ...record } = one.endpoint.record();
      records.push({
        ...record,
        // In the order in which they ended.
        requests: requests
          .map(({ path, status, method }) => `${method} ${path} ${status}`)
          .toSorted(),
        locks: locksFrom({
          record: { ...record, openedAt: "", requests },
          installed: [{ name: "spam", version: "1.0" }],
        }),
      });
    }
    expect(answers[0]?.map(([status]) => status)).toEqual([200, 200, 404, 200, 200, 206, 404]);
    expect(answers[1]).toEqual(answers[0]);
    expect(records[1]).toEqual(records[0]);
    expect(records[1]).toMatchObject({
      upstreams: [up.url],
      missing: ["nothing"],
      files: [{ url: `${up.origin}/packages/${WHEEL.filename}` }, { upstream: up.url }],
    });
  },
);

test("a worker's token lies in no record, no lock and no file that its index keeps", async () => {
  const up = await upstream({ files: FILES });
  const whole = await fleet(up.url);
  const one = await worker(whole, "a");
  await one.ask(`${one.endpoint.indexPath}spam/`, { accept: JSON_TYPE });
  await one.ask(pathOf(one, WHEEL));
  await one.ask(`${one.endpoint.cratesPath}sp/am/spam`);
  const kept = readdirSync(one.directory, { recursive: true, encoding: "utf8" })
    .map((name) => join(one.directory, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path, "latin1"));
  expect(kept.length).toBeGreaterThan(2);
  const record = one.endpoint.record();
  const lock = locksFrom({ record, installed: [{ name: "spam", version: "1.0" }] }).runTime;
  expect(lock).toContain(`${up.origin}/packages/`);
  for (const text of [...kept, JSON.stringify(record), lock])
    expect(text.includes(workerToken("a"))).toBe(false);
  for (const text of [JSON.stringify(record), lock])
    expect(text.includes(whole.farm.url)).toBe(false);
});

test("signed addresses and logins of the farm's upstreams never reach a worker", async () => {
  const signed = {
    ...WHEEL,
    extra: { url: "../../packages/spam-1.0-py3-none-any.whl?sig=s3cret" },
  };
  const login = { user: "farm", password: "pa55word" };
  const up = await upstream({ files: [signed], login });
  const whole = await fleet(up.url.replace("://", "://farm:pa55word@"));
  const client = await whole.farm.worker("a");
  using page = await client.request({ path: "index/pages/spam", signal });
  const chunks = [];
  for await (const chunk of page.body) chunks.push(String(chunk));
  expect(chunks.join("")).toContain("/packages/spam-1.0-py3-none-any.whl");
  expect(chunks.join("")).not.toMatch(/s3cret|pa55word/u);
});

test("a fault of an upstream is recorded by a worker as by the farm, and asked for no more often", async () => {
  const records = [];
  for (const where of ["farm", "worker"]) {
    const up = await upstream({
      files: FILES,
      faults: [
        { on: "/simple/gone/", kind: "status", status: 403 },
        { on: ".whl", kind: "wrong-bytes" },
      ],
    });
    const whole = await fleet(up.url);
    const one =
      where === "farm"
        ? await host(whole.coordinator, temporaryDirectory("fleet"))
        : await worker(whole, "a");
    expect((await one.ask(`${one.endpoint.indexPath}gone/`)).status).toBe(502);
    const wrong = await one.ask(pathOf(one, WHEEL));
    expect([wrong.status, wrong.body.length < wheel.length]).toEqual([502, true]);
    const { faults } = one.endpoint.record();
    const port = new URL(up.url).port;
    records.push(
      faults.map(({ code, line }) => ({ code, line: line.replaceAll(`:${port}/`, ":PORT/") })),
    );
    expect(up.requests.filter((line) => line.includes("/gone/"))).toHaveLength(1);
  }
  expect(records[0]).toMatchObject([{ code: "upstream" }, { code: "upstream-hash" }]);
  expect(records[1]).toEqual(records[0]);
});

test("an old page that the farm serves because its upstream is away is recorded as old", async () => {
  const up = await upstream({ files: FILES, maxAgeSeconds: 0 });
  const whole = await fleet(up.url);
  const one = await worker(whole, "a");
  await one.ask(`${one.endpoint.indexPath}spam/`);
  up.faults.push({ on: "/simple/", kind: "status", status: 500 });
  const other = await worker(whole, "b");
  expect((await other.ask(`${other.endpoint.indexPath}spam/`)).status).toBe(200);
  expect(other.endpoint.record().pages).toMatchObject([{ project: "spam", stale: true }]);
});

test("a worker that the farm refuses is told so, and shown no old page", async () => {
  const up = await upstream({ files: FILES });
  const whole = await fleet(up.url);
  await expect(
    openFarmIndex({
      farm: await whole.farm.worker("-not-a-name-"),
      directory: temporaryDirectory("fleet"),
      signal,
    }),
  ).rejects.toMatchObject({ code: "farm-refused" });
});

test("crates come through the farm, each document and each crate once", async () => {
  const crate = Buffer.alloc(5000, "crate");
  const line = JSON.stringify({ name: "spam", vers: "1.0.0", cksum: sha(crate), deps: [] });
  const asked: string[] = [];
  const server = createServer((incoming, response) => {
    asked.push(incoming.url ?? "");
    if (incoming.url === "/config.json")
      response.end(JSON.stringify({ dl: `http://${incoming.headers.host ?? ""}/dl` }));
    else if (incoming.url === "/sp/am/spam") response.end(line);
    else if (incoming.url?.startsWith("/dl/spam/") === true) response.end(crate);
    else response.writeHead(404).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const up = await upstream({ files: [] });
  const whole = await fleet(up.url, `http://127.0.0.1:${address.port}/`);
  const hosts = await Promise.all(["a", "b", "c"].map((name) => worker(whole, name)));
  const got = await Promise.all(
    hosts.map(async (one) => {
      const { cratesPath } = one.endpoint;
      return [
        (await one.ask(`${cratesPath}sp/am/spam`)).body.toString(),
        (await one.ask(`${cratesPath}dl/spam/1.0.0/${sha(crate)}`)).body.equals(crate),
        (await one.ask(`${cratesPath}eg/gs/eggs`)).status,
      ];
    }),
  );
  for (const one of got) expect(one).toEqual([`${line}\n`, true, 404]);
  expect(asked.toSorted()).toEqual([
    "/config.json",
    "/dl/spam/1.0.0/download",
    "/eg/gs/eggs",
    "/sp/am/spam",
  ]);
  for (const { endpoint } of hosts)
    expect(endpoint.record()).toMatchObject({
      crates: [{ name: "spam", sha256: sha(crate) }],
      missing: ["crate:eggs"],
    });
});

test("the farm's index serves pip's own forms too, and nothing but reading", async () => {
  const up = await upstream({ files: FILES });
  const { farm } = await fleet(up.url);
  const headers = { authorization: `Bearer ${workerToken("a")}` };
  const at = (path: string, init: RequestInit = {}) =>
    fetch(`${farm.url}/api/v1/index/${path}`, { headers, redirect: "manual", ...init });
  const page = await at("simple/spam/", { headers: { ...headers, accept: JSON_TYPE } });
  expect(page.headers.get("content-type")).toBe(JSON_TYPE);
  expect(await page.json()).toMatchObject({ name: "spam" });
  const moved = await at("simple/Spam");
  expect([moved.status, moved.headers.get("location")]).toEqual([
    301,
    "/api/v1/index/simple/spam/",
  ]);
  for (const method of ["HEAD", "POST"])
    expect((await at("simple/spam/", { method })).status).toBe(405);
  expect((await at("../../etc/passwd")).status).toBe(404);
  expect((await at("pages/Spam")).status).toBe(404);
  expect((await fetch(`${farm.url}/api/v1/index/simple/spam/`)).status).toBe(401);
});
