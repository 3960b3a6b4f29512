import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";

import { afterEach, beforeEach, expect, test } from "vitest";

import {
  checksumOf,
  startCrates,
  type CratesOptions,
  type RunningCrates,
} from "../../../test/upstream/crates-index.ts";
import type { Endpoint, EndpointLimits } from "../serve/endpoint.ts";
import { openIndexService, type IndexService } from "../index-service.ts";

/** The sparse index of crates, through the same mirror as all else. */

let directory = "";
let opened = new AsyncDisposableStack();
let nowMs = Date.now();
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "creamery-crate-index-"));
  opened = new AsyncDisposableStack();
  nowMs = Date.now();
});
afterEach(async () => {
  await opened.disposeAsync();
  rmSync(directory, { recursive: true, force: true });
});

interface Asked {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

interface Farm {
  readonly upstream: RunningCrates;
  readonly endpoint: Endpoint;
  readonly service: IndexService;
  /** Below the endpoint's crates. */
  readonly ask: (path: string, headers?: Readonly<Record<string, string>>) => Promise<Asked>;
}

async function mirror(url: string): Promise<IndexService> {
  const upstream = { url, authorization: null, insecure: false };
  return opened.use(
    await openIndexService({
      directory: join(directory, "index"),
      now: () => nowMs,
      upstreams: {
        indexes: [upstream],
        crates: upstream,
        transport: { ca: undefined, clientCert: undefined, proxy: null },
      },
    }),
  );
}

let sockets = 0;
async function endpointOf(service: IndexService, limits: Partial<EndpointLimits> = {}) {
  const socketPath = join(directory, `${++sockets}.sock`);
  const endpoint = opened.use(await service.openEndpoint({ socketPath, attemptId: "a1", limits }));
  const ask: Farm["ask"] = (path, headers = {}) =>
    asked(socketPath, `${endpoint.cratesPath}${path}`, headers);
  return { endpoint, ask };
}

async function farm(options: CratesOptions, limits: Partial<EndpointLimits> = {}): Promise<Farm> {
  const upstream = opened.use(await startCrates(options));
  const service = await mirror(upstream.url);
  return { upstream, service, ...(await endpointOf(service, limits)) };
}

function asked(
  socketPath: string,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<Asked> {
  return new Promise((resolve, reject) => {
    const sent = { host: "localhost", ...headers };
    get({ socketPath, path, agent: false, headers: sent }, (incoming) => {
      buffer(incoming).then(
        (body) =>
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            text: (incoming.headers["content-encoding"] === "gzip"
              ? gunzipSync(body)
              : body
            ).toString(),
          }),
        reject,
      );
    }).on("error", reject);
  });
}

const SPAM = { name: "spam", version: "1.0.0" };
const versionsOf = (text: string): unknown[] =>
  text
    .trim()
    .split("\n")
    .map((line): unknown => JSON.parse(line));

test.each([
  ["a", "1/a"],
  ["ab", "2/ab"],
  ["abc", "3/a/abc"],
  ["spam", "sp/am/spam"],
  ["Serde_JSON", "se/rd/serde_json"],
])("crate %s is had where cargo looks for it, and nowhere else", async (name, path) => {
  const { ask, upstream } = await farm({ crates: [{ name, version: "1.0.0" }] });
  expect(versionsOf((await ask(path)).text)).toMatchObject([{ name, vers: "1.0.0" }]);
  expect(upstream.requests).toEqual([`GET /index/${path} 200`]);
  for (const other of [path.toUpperCase(), `x/${path}`, path.split("/").at(-1) ?? ""].filter(
    (one) => one !== path,
  ))
    expect((await ask(other)).status).toBe(404);
});

test.each(["..", "a b", "-spam", "sp%2Fam", "x".repeat(65), "späm"])(
  "%s can be no crate's name: upstream is not asked",
  async (name) => {
    const { ask, upstream, endpoint } = await farm({ crates: [SPAM] });
    expect((await ask(`sp/am/${encodeURI(name)}`)).status).toBe(404);
    expect(upstream.requests).toEqual([]);
    expect(endpoint.record().missing).toHaveLength(1);
  },
);

test("what is known already is asked for by its ETag when its time is over, by a later process too", async () => {
  const { ask, upstream } = await farm({ crates: [SPAM] });
  const first = await ask("sp/am/spam");
  await ask("sp/am/spam");
  expect(upstream.requests).toEqual(["GET /index/sp/am/spam 200"]);
  nowMs += 61_000;
  expect((await ask("sp/am/spam")).text).toBe(first.text);
  const later = await endpointOf(await mirror(upstream.url));
  expect((await later.ask("sp/am/spam")).text).toBe(first.text);
  expect(upstream.requests.slice(1)).toEqual(["GET /index/sp/am/spam if-none-match 304"]);
  nowMs += 61_000;
  expect((await later.ask("sp/am/spam")).text).toBe(first.text);
  expect(upstream.requests.slice(2)).toEqual(["GET /index/sp/am/spam if-none-match 304"]);
  upstream.add({ name: "spam", version: "2.0.0" });
  nowMs += 61_000;
  expect(versionsOf((await later.ask("sp/am/spam")).text)).toMatchObject([
    { vers: "1.0.0" },
    { vers: "2.0.0" },
  ]);
});

test("a client is told that nothing is new, and is sent the lines packed", async () => {
  const crates = Array.from({ length: 20 }, (_, index) => ({
    name: "spam",
    version: `1.${index}.0`,
  }));
  const { ask } = await farm({ crates });
  const plain = await ask("sp/am/spam");
  const packed = await ask("sp/am/spam", { "accept-encoding": "gzip" });
  expect(packed.headers["content-encoding"]).toBe("gzip");
  expect(packed.text).toBe(plain.text);
  const etag = String(plain.headers["etag"]);
  expect((await ask("sp/am/spam", { "if-none-match": etag })).status).toBe(304);
});

test.each([404, 410, 451])("upstream's %d is that there is no such crate", async (status) => {
  const { ask, upstream, endpoint } = await farm({ crates: [SPAM] });
  upstream.fail = status;
  expect((await ask("sp/am/spam")).status).toBe(404);
  expect(endpoint.record()).toMatchObject({ missing: ["crate:spam"], faults: [] });
});

test("while upstream is away old lines are served and said to be old; to whom it is refused they are not", async () => {
  const { ask, upstream, service } = await farm({ crates: [SPAM] });
  const { text } = await ask("sp/am/spam");
  nowMs += 61_000;
  upstream.fail = 503;
  const second = await endpointOf(service);
  const old = await second.ask("sp/am/spam");
  expect([old.status, old.text]).toEqual([200, text]);
  expect(old.headers["warning"]).toMatch(/^110 /u);
  expect(second.endpoint.record().crateIndex).toMatchObject([{ name: "spam", stale: true }]);
  nowMs += 31_000;
  upstream.fail = 403;
  const refused = await second.ask("sp/am/spam");
  expect([refused.status, refused.text]).toEqual([
    502,
    expect.stringContaining("tokens of registries are not used"),
  ]);
});

test("yanked ones stay in the index, since a lock may name them, and are served", async () => {
  const { ask, upstream } = await farm({ crates: [{ ...SPAM, yanked: true }] });
  expect(versionsOf((await ask("sp/am/spam")).text)).toMatchObject([{ yanked: true }]);
  const cksum = checksumOf(upstream.packed.get("spam/1.0.0") ?? Buffer.alloc(0));
  expect((await ask(`dl/spam/1.0.0/${cksum}`)).status).toBe(200);
});

test.each([
  ["/dl", "/dl/spam/1.0.0/download"],
  ["/dl/{crate}/{version}/{prefix}/{lowerprefix}", "/dl/spam/1.0.0/sp/am/sp/am"],
])("crates are fetched as %s says", async (dl, path) => {
  const { ask, upstream } = await farm({ crates: [SPAM], dl });
  const cksum = checksumOf(upstream.packed.get("spam/1.0.0") ?? Buffer.alloc(0));
  expect((await ask(`dl/spam/1.0.0/${cksum}`)).status).toBe(200);
  expect(upstream.requests.at(-1)).toBe(`GET ${path} 200`);
});

test("an index that wants a login for its crates is told as such before it is asked for one", async () => {
  const { ask, upstream } = await farm({ crates: [SPAM], authRequired: true });
  const cksum = checksumOf(upstream.packed.get("spam/1.0.0") ?? Buffer.alloc(0));
  const answer = await ask(`dl/spam/1.0.0/${cksum}`);
  expect([answer.status, answer.text]).toEqual([
    502,
    expect.stringContaining("wants to know who fetches crates"),
  ]);
  expect(upstream.requests.filter((line) => line.includes("/dl/"))).toEqual([]);
  // What a guest's cargo is told of ours wants none.
  expect((await ask("config.json")).text).toMatch(/^\{"dl":"[^"]+"\}$/u);
});

test("lines of another name, of no version or without a hash are none of the crate's", async () => {
  const { ask, upstream } = await farm({ crates: [SPAM, { name: "spam", version: "../../x" }] });
  upstream.add({ name: "SPAM", version: "3.0.0" });
  expect(versionsOf((await ask("sp/am/spam")).text)).toMatchObject([
    { vers: "1.0.0" },
    { name: "SPAM", vers: "3.0.0" },
  ]);
});

test.each<[string, Partial<EndpointLimits>, string]>([
  ["names", { names: 1 }, "too many projects"],
  ["requests", { requests: 1 }, "asked too often"],
  ["bytes", { bytes: 10 }, "too many bytes"],
])("crates count for an attempt's limit of %s", async (limit, limits, why) => {
  const { ask, endpoint } = await farm(
    { crates: [SPAM, { name: "eggs", version: "1.0.0" }] },
    limits,
  );
  await ask("sp/am/spam").catch(() => undefined);
  const second = await ask("eg/gs/eggs");
  expect([second.status, second.text]).toEqual([429, expect.stringContaining(why)]);
  expect(endpoint.record().limits).toEqual([limit]);
});

test("what is kept of an index lies in one file for each crate", async () => {
  const { ask } = await farm({ crates: [SPAM] });
  await ask("sp/am/spam");
  const [index = ""] = readdirSync(join(directory, "index/crates"));
  expect(readdirSync(join(directory, "index/crates", index))).toEqual(["sp_am_spam"]);
});
