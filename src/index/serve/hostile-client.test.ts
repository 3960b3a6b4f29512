import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { buffer } from "node:stream/consumers";
import { beforeEach, expect, onTestFinished, test } from "vitest";

import { owned, temporaryDirectory } from "../../../test/owned.ts";
import { within } from "../../base/within.ts";
import { startRelay } from "../../../test/upstream/relay.ts";
import { startUpstream } from "../../../test/upstream/upstream.ts";
import { DEFAULT_LIMITS, openEndpoint } from "./endpoint.ts";
import { openIndexService, type Endpoint } from "../index-service.ts";
import { RenderedPages } from "../page/rendered-pages.ts";
import { sampleUpstreams } from "../upstream/upstreams.sample.ts";

const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
beforeEach(() => {
  unhandled.length = 0;
  process.on("unhandledRejection", onUnhandled);
  onTestFinished(() => void process.off("unhandledRejection", onUnhandled));
});

const content = Buffer.alloc(1_200_000, "spam and eggs ");
const sha256 = createHash("sha256").update(content).digest("hex");

interface Served {
  readonly endpoint: Endpoint;
  readonly socketPath: string;
  readonly path: string;
}

async function serve(): Promise<Served> {
  const directory = temporaryDirectory("hostile");
  const file = { project: "spam", filename: "spam-1.0.tar.gz", content };
  const up = owned(await startUpstream({ files: [file] }));
  const upstreams = await sampleUpstreams({ index: up.url });
  const service = owned(await openIndexService({ directory, upstreams }));
  const socketPath = join(directory, "index.sock");
  const endpoint = await service.openEndpoint({ socketPath, attemptId: "a1" });
  const path = `${endpoint.indexPath.replace("simple/", "files/")}spam/${sha256}/spam-1.0.tar.gz`;
  const served = { endpoint, socketPath, path };
  // Kept from here on.
  expect(await servesWhole(served)).toBe(true);
  return served;
}

async function servesWhole({ socketPath, path }: Served): Promise<boolean> {
  const body = await new Promise<Buffer>((resolve, reject) =>
    request({ socketPath, path, agent: false }, (incoming) => resolve(buffer(incoming)))
      .on("error", reject)
      .end(),
  );
  return body.equals(content);
}

async function relay(socketPath: string): Promise<number> {
  const { port, [Symbol.asyncDispose]: dispose } = await startRelay(socketPath);
  onTestFinished(dispose);
  return port;
}

const get = (path: string, method = "GET"): string =>
  `${method} ${path} HTTP/1.1\r\nhost: a\r\n\r\n`;

test("clients that go away in the middle of an answer do the process no harm", async () => {
  const served = await serve();
  const port = await relay(served.socketPath);
  for (let round = 0; round < 20; round++) {
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const direct = index % 2 === 0;
        const socket = direct ? connect(served.socketPath) : connect(port, "127.0.0.1");
        socket.on("error", () => undefined);
        await once(socket, "connect");
        socket.write(get(served.path));
        await sleep((index + round) % 11);
        if (direct) socket.destroy();
        else socket.resetAndDestroy();
      }),
    );
  }
  expect(await servesWhole(served)).toBe(true);
  await sleep(100);
  expect(unhandled).toEqual([]);
  expect(served.endpoint.record().faults).toEqual([]);
});

test("what is no HTTP, and a catalogue that fails in any way, end one connection at most", async () => {
  const directory = temporaryDirectory("hostile");
  const socketPath = join(directory, "index.sock");
  const fail = (): never => {
    throw new TypeError("planted");
  };
  await using endpoint = await openEndpoint({
    socketPath,
    attemptId: "a1",
    limits: DEFAULT_LIMITS,
    before: null,
    git: null,
    catalogue: {
      replayed: false,
      addresses: [],
      page: fail,
      metadata: fail,
      provenance: fail,
      kept: fail,
      follow: fail,
      confirmMetadata: fail,
      crateVersions: fail,
      keptCrate: fail,
      followCrate: fail,
    },
  });
  const page = `${endpoint.indexPath}spam/`;
  const sent = [
    "no http at all\r\n\r\n",
    `GET ${page} HTTP/1.1\r\nhost: a\r\nx: ${"x".repeat(20_000)}\r\n\r\n`,
    "CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n",
    `GET ${page} HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n`,
    `POST ${page} HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf`,
    get("/%ff%00/../.."),
    get(`${endpoint.cratesPath}sp/am/spam`),
    get(page),
  ];
  for (const text of sent) {
    const socket = connect(socketPath);
    socket.on("error", () => undefined);
    // An answer, or the connection's end.
    const heard = new Promise((resolve) => socket.once("data", resolve).once("close", resolve));
    socket.write(text);
    await heard;
    socket.destroy();
  }
  await sleep(20);
  expect(unhandled).toEqual([]);
  const { faults } = endpoint.record();
  expect(faults.filter(({ line }) => line !== "planted")).toEqual([]);
  expect(faults.length).toBeGreaterThanOrEqual(2);
});

test("who waits no longer leaves no failure that is nobody's", async () => {
  const gone = AbortSignal.abort(new Error("gone"));
  await expect(within(Promise.reject(new Error("destroyed")), { signal: gone })).rejects.toThrow(
    "gone",
  );
  await sleep(10);
  expect(unhandled).toEqual([]);
});

test("what is asked for at once is answered by turns: files are open for what is answered alone", async () => {
  const served = await serve();
  const sockets = await Promise.all(
    Array.from({ length: 40 }, async () => {
      const socket = connect(served.socketPath);
      socket.on("error", () => undefined);
      await once(socket, "connect");
      socket.pause();
      socket.write(get(served.path).repeat(50));
      return socket;
    }),
  );
  await expect.poll(() => openFiles(sha256)).toBeGreaterThan(0);
  let open = 0;
  for (let look = 0; look < 20; look++) {
    await sleep(20);
    open = Math.max(open, openFiles(sha256));
  }
  expect(open).toBeLessThanOrEqual(16);
  for (const socket of sockets) socket.destroy();
  await expect.poll(() => openFiles(sha256)).toBe(0);
  expect(await servesWhole(served)).toBe(true);
  expect(unhandled).toEqual([]);
});

test("pipelined requests are answered in their order, too many end the connection", async () => {
  const served = await serve();
  const socket = connect(served.socketPath);
  const page = `${served.endpoint.indexPath}spam/`;
  const asked = [get(page, "HEAD"), get("/nowhere"), get(served.path, "HEAD"), get("/last")];
  socket.write(asked.join("").replace(/\r\n\r\n$/u, "\r\nconnection: close\r\n\r\n"));
  const said = (await buffer(socket)).toString();
  expect(said.match(/^HTTP\/1\.1 \d+/gmu)).toEqual([
    "HTTP/1.1 200",
    "HTTP/1.1 404",
    "HTTP/1.1 200",
    "HTTP/1.1 404",
  ]);
  expect(said).toMatch(/200 OK[^]*content-length: 1200000[^]*404/iu);
  const flood = connect(served.socketPath);
  flood.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => flood.once("close", () => resolve()));
  flood.write(get(served.path).repeat(2000));
  await closed;
  expect(served.endpoint.record().refused.map(({ why }) => why)).toContain(
    "too many requests at once",
  );
  expect(await servesWhole(served)).toBe(true);
});

test("an endpoint closes while requests wait for their turn", async () => {
  const served = await serve();
  const socket = connect(served.socketPath);
  socket.on("error", () => undefined);
  await once(socket, "connect");
  socket.pause();
  socket.write(get(served.path).repeat(50));
  await expect.poll(() => openFiles(sha256)).toBe(1);
  await served.endpoint.close();
  expect(openFiles(sha256)).toBe(0);
  expect(unhandled).toEqual([]);
});

test("a page is rendered once for all who ask, until the index says something else of it", async () => {
  const pages = new RenderedPages(1000).at(null);
  const page = {
    name: "spam",
    versions: [],
    status: "active",
    lastSerial: null,
    upstream: "https://index.example/",
    stale: false,
    contentSha256: "1",
    raw: {},
    files: [],
  } as const;
  const first = pages.render(page, "html");
  expect(first.wasKept).toBe(false);
  const again = pages.render({ ...page, stale: true }, "html");
  expect(again.wasKept).toBe(true);
  expect(again.body()).toEqual(first.body());
  expect(again.zipped()).toBe(first.zipped());
  expect(pages.render(page, "json").wasKept).toBe(false);
  expect(pages.render({ ...page, contentSha256: "2" }, "html").wasKept).toBe(false);
  // Bounded: the oldest goes.
  for (const name of ["a", "b", "c", "d", "e"]) pages.render({ ...page, name }, "html");
  expect(pages.render(page, "html").wasKept).toBe(false);
  // Once it is packed it counts as that alone, and is what it was to who takes it unpacked.
  const { length } = await first.zipped();
  const narrow = new RenderedPages(first.length + length).at(null);
  const packed = narrow.render(page, "html");
  await packed.zipped();
  const other = { ...page, name: "eggs" };
  narrow.render(other, "html");
  expect([narrow.isKept(page, "html"), narrow.isKept(other, "html")]).toEqual([true, true]);
  expect(narrow.render(page, "html").body()).toEqual(first.body());
  narrow.render({ ...page, name: "beer" }, "html");
  expect(narrow.isKept(page, "html")).toBe(false);
});

/** How many descriptors of this process are of a file so named. */
function openFiles(name: string): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).endsWith(name);
    } catch {
      return false;
    }
  }).length;
}
