import { createHash } from "node:crypto";
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { join } from "node:path";
import { inspect, promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";

import { freePort } from "../../test/free-port.ts";
import { owned, temporaryDirectory } from "../../test/owned.ts";
import { startRelay } from "../../test/upstream/relay.ts";
import { makeWheel } from "../../test/upstream/make-wheel.ts";
import {
  startUpstream,
  type DistFile,
  type RunningUpstream,
  type UpstreamOptions,
} from "../../test/upstream/upstream.ts";
import { askSocket } from "./serve/ask-socket.sample.ts";
import {
  AttemptRecord,
  openIndexService,
  type Endpoint,
  type IndexService,
  type OpenEndpointOptions,
} from "./index-service.ts";
import type { MirrorOptions } from "./mirror.ts";
import { parseProjectPage } from "./page/project-page.ts";
import { sampleUpstreams } from "./upstream/upstreams.sample.ts";
import type { UpstreamSettings } from "./upstream/upstreams.ts";

const Page = z.looseObject({ files: z.array(z.record(z.string(), z.unknown())) });
const signal = new AbortController().signal;
async function upstream(options: UpstreamOptions): Promise<RunningUpstream> {
  const started = owned(await startUpstream(options));
  return started;
}

async function service(
  settings: UpstreamSettings,
  options: Partial<MirrorOptions> = {},
): Promise<IndexService> {
  const opened = owned(
    await openIndexService({
      directory: temporaryDirectory("index"),
      upstreams: await sampleUpstreams(settings),
      ...options,
    }),
  );
  return opened;
}

async function endpoint(
  of: IndexService,
  options: Partial<OpenEndpointOptions> = {},
): Promise<{ endpoint: Endpoint; socketPath: string }> {
  const socketPath = join(temporaryDirectory("index"), "index.sock");
  return {
    endpoint: await of.openEndpoint({ socketPath, attemptId: "a1", ...options }),
    socketPath,
  };
}

const JSON_TYPE = "application/vnd.pypi.simple.v1+json";
const big = Buffer.alloc(300_000, "spam and eggs ");
const sha = (content: Buffer): string => createHash("sha256").update(content).digest("hex");
const sdist: DistFile = {
  project: "spam",
  filename: "spam-1.0.tar.gz",
  content: big,
  requiresPython: ">=3.8",
  extra: { provenance: "https://index.example/p" },
};
const fileUrl = (on: Endpoint, file: DistFile): string =>
  `${on.indexPath.replace("simple/", "files/")}${file.project}/${sha(file.content)}/${file.filename}`;

test("a page in JSON keeps what upstream said, unknown keys too, with addresses of ours", async () => {
  const { url } = await upstream({ files: [sdist] });
  const { endpoint: on, socketPath } = await endpoint(await service({ index: url }));
  const answer = await askSocket(socketPath, `${on.indexPath}spam/`, { accept: JSON_TYPE });
  expect(answer.headers).toMatchObject({
    "content-type": JSON_TYPE,
    "x-pypi-last-serial": "7",
    vary: "Accept, Accept-Encoding",
  });
  const page = Page.parse(JSON.parse(answer.body.toString()));
  expect(page).toMatchObject({
    name: "spam",
    versions: ["1.0"],
    "x-unknown": { kept: true },
    meta: { "api-version": "1.1", "_last-serial": 7 },
  });
  expect(page.files).toEqual([
    {
      filename: "spam-1.0.tar.gz",
      url: `../../files/spam/${sha(big)}/spam-1.0.tar.gz`,
      hashes: { sha256: sha(big) },
      size: big.length,
      "upload-time": "2026-01-02T03:04:05.000000Z",
      "requires-python": ">=3.8",
      yanked: false,
      provenance: `../../files/spam/${sha(big)}/spam-1.0.tar.gz.provenance`,
    },
  ]);
  const again = await askSocket(socketPath, `${on.indexPath}spam/`, {
    accept: JSON_TYPE,
    "if-none-match": String(answer.headers["etag"]),
  });
  expect(again.status).toBe(304);
  expect(
    (await askSocket(socketPath, `${on.indexPath}spam/`, { accept: "text/html" })).body.toString(),
  ).toContain('data-requires-python="&gt;=3.8"');
  expect(
    (await askSocket(socketPath, `${on.indexPath}spam/`, { accept: "image/png" })).status,
  ).toBe(406);
  expect((await askSocket(socketPath, `${on.indexPath}Spam/`)).headers["location"]).toBe(
    `${on.indexPath}spam/`,
  );
  expect((await askSocket(socketPath, `${on.indexPath}eggs/`)).status).toBe(404);
  expect((await askSocket(socketPath, `${on.indexPath}spam/`, {}, "HEAD")).body.length).toBe(0);
});

test("an index that speaks only HTML serves JSON through us", async () => {
  const { url } = await upstream({ files: [{ ...sdist, yanked: "bad & worse" }], format: "html" });
  const { endpoint: on, socketPath } = await endpoint(await service({ index: url }));
  const page = Page.parse(
    JSON.parse(
      (await askSocket(socketPath, `${on.indexPath}spam/`, { accept: JSON_TYPE })).body.toString(),
    ),
  );
  expect(page.files[0]).toMatchObject({
    filename: "spam-1.0.tar.gz",
    hashes: { sha256: sha(big) },
    "requires-python": ">=3.8",
    yanked: "bad & worse",
  });
  expect((await askSocket(socketPath, fileUrl(on, sdist))).body.equals(big)).toBe(true);
});

test("two who ask for one file at once cause one download, and a third none", async () => {
  const up = await upstream({ files: [sdist], faults: [{ on: "/packages/", kind: "slow" }] });
  const farm = await service({ index: up.url });
  const first = await endpoint(farm);
  const second = await endpoint(farm);
  const answers = await Promise.all([
    askSocket(first.socketPath, fileUrl(first.endpoint, sdist)),
    askSocket(second.socketPath, fileUrl(second.endpoint, sdist)),
  ]);
  for (const answer of answers) expect(answer.body.equals(big)).toBe(true);
  expect(
    (
      await askSocket(second.socketPath, fileUrl(second.endpoint, sdist), { range: "bytes=5-9" })
    ).body.toString(),
  ).toBe(big.toString("utf8", 5, 10));
  expect(up.requests.filter((line) => line.includes("/packages/"))).toHaveLength(1);
  expect(second.endpoint.record().files).toMatchObject([
    {
      filename: "spam-1.0.tar.gz",
      sha256: sha(big),
      sizeBytes: big.length,
      uploadTime: "2026-01-02T03:04:05.000000Z",
    },
  ]);
});

test("a file with a wrong hash is whole for nobody, and not kept", async () => {
  const up = await upstream({
    files: [sdist],
    faults: [{ on: "/packages/", kind: "wrong-bytes", times: 1 }],
  });
  const { endpoint: on, socketPath } = await endpoint(await service({ index: up.url }));
  const answer = await askSocket(socketPath, fileUrl(on, sdist));
  expect(answer.whole).toBe(false);
  expect(answer.body.length).toBeLessThan(big.length);
  expect(on.record()).toMatchObject({ files: [], faults: [{ code: "upstream-hash" }] });
  expect((await askSocket(socketPath, fileUrl(on, sdist))).body.equals(big)).toBe(true);
});

test("a download that breaks off goes on where it was, with ranges and without", async () => {
  for (const ranges of [true, false]) {
    const up = await upstream({
      files: [sdist],
      ranges,
      faults: [{ on: "/packages/", kind: "truncate", times: 2 }],
    });
    const { endpoint: on, socketPath } = await endpoint(await service({ index: up.url }));
    expect((await askSocket(socketPath, fileUrl(on, sdist))).body.equals(big)).toBe(true);
    expect(up.requests.filter((line) => line.includes("/packages/"))).toHaveLength(3);
  }
});

test.each([
  [{ on: "/simple/", kind: "status", status: 500 }, "upstream", /answers 500/u],
  [{ on: "/simple/", kind: "garbage" }, "upstream", /no project's page/u],
  [{ on: "/simple/", kind: "hang" }, "upstream", /sent nothing/u],
  [
    { on: "/simple/", kind: "redirect", location: "http://169.254.169.254/latest" },
    "address-refused",
    /no https address/u,
  ],
  [
    { on: "/simple/", kind: "redirect", location: "https://10.0.0.1/latest" },
    "address-refused",
    /no address of the public internet/u,
  ],
  [
    { on: "/simple/", kind: "redirect", location: "/simple/spam/" },
    "upstream",
    /redirects without end/u,
  ],
] as const)("upstream's fault %o is one line of code %s", async (fault, code, reason) => {
  const up = await upstream({ files: [sdist], faults: [{ ...fault }] });
  const client = await service({ index: up.url });
  // The hang: given up after the idle time, which the pages' own client has from its default.
  const asked = fault.kind === "hang" ? hangs(up) : client.project("spam", signal);
  const failure: unknown = await asked.catch((thrown: unknown) => thrown);
  expect(failure).toMatchObject({ code });
  expect(String(failure)).toMatch(reason);
});

async function hangs(up: RunningUpstream): Promise<unknown> {
  const { UpstreamClient } = await import("./upstream/upstream-client.ts");
  const client = new UpstreamClient(
    { url: up.url, authorization: null, insecure: false },
    { ca: undefined, clientCert: undefined, proxy: null },
  );
  return client.request({ url: `${up.url}spam/`, signal, idleMs: 100 });
}

test("an index that is away: an old page is served and says so; without one, the reason", async () => {
  let now = Date.now();
  const up = await upstream({ files: [sdist], maxAgeSeconds: 10, port: await freePort() });
  const farm = await service({ index: up.url }, { now: () => now });
  expect((await farm.project("spam", signal))?.stale).toBe(false);
  await up[Symbol.asyncDispose]();
  now += 20_000;
  const { endpoint: on, socketPath } = await endpoint(farm);
  expect((await askSocket(socketPath, `${on.indexPath}spam/`)).headers["warning"]).toContain(
    "Stale",
  );
  expect(on.record().pages).toMatchObject([{ project: "spam", stale: true }]);
  await expect(farm.project("eggs", signal)).rejects.toMatchObject({ code: "no-network" });
});

test("a page that is fresh is asked for anew by who knows of more than is on it, once a second at most", async () => {
  let now = Date.now();
  const up = await upstream({ files: [sdist], maxAgeSeconds: 600, etag: true });
  const farm = await service({ index: up.url }, { now: () => now });
  const asked = () => up.requests.length;
  expect((await farm.project("spam", signal))?.files).toHaveLength(1);
  up.files.push({ ...sdist, filename: "spam-9.0.tar.gz" });
  now += 2000;
  expect((await farm.project("spam", signal))?.files).toHaveLength(1);
  expect(asked()).toBe(1);
  const both = await Promise.all([1, 2].map(() => farm.project("spam", signal, { anew: true })));
  expect(both.map((page) => page?.files.length)).toEqual([2, 2]);
  expect(asked()).toBe(2);
  now += 999;
  await farm.project("spam", signal, { anew: true });
  expect(asked()).toBe(2);
  // Whoever takes what is kept has it from then on.
  expect((await farm.project("spam", signal))?.files).toHaveLength(2);
  now += 2;
  await farm.project("spam", signal, { anew: true });
  expect(asked()).toBe(3);
});

test("an answer of 304 that says nothing of freshness leaves it as it was", async () => {
  let now = Date.now();
  const up = await upstream({ files: [sdist], maxAgeSeconds: 10, etag: true });
  const farm = await service({ index: up.url }, { now: () => now });
  for (const expected of [1, 2, 3]) {
    await farm.project("spam", signal);
    expect(up.requests).toHaveLength(expected);
    now += 11_000;
  }
});

test("an index that fails for the moment is asked again, a page and all", async () => {
  const faults = [
    { on: "/simple/", kind: "status", status: 503, times: 1 } as const,
    { on: "/simple/", kind: "status", status: 429, times: 1 } as const,
  ];
  const up = await upstream({ files: [sdist], faults });
  const farm = await service({ index: up.url });
  expect((await farm.project("spam", signal))?.files).toHaveLength(1);
  expect(up.requests).toHaveLength(3);
});

test.each([401, 403])("who may see an index no more (%i) is shown no old page", async (status) => {
  let now = Date.now();
  const up = await upstream({ files: [sdist], maxAgeSeconds: 10 });
  const farm = await service({ index: up.url }, { now: () => now });
  expect((await farm.project("spam", signal))?.stale).toBe(false);
  up.faults.push({ on: "/simple/", kind: "status", status });
  now += 20_000;
  await expect(farm.project("spam", signal)).rejects.toMatchObject({
    code: "upstream",
    message: `refuses with ${status}`,
  });
});

test("an upstream that can't be reached is named as it is configured, with the reason, each time and when", async () => {
  const port = await freePort();
  for (const host of ["127.0.0.1", "localhost"]) {
    const index = `http://user:planted-s3cret@${host}:${port}/simple/`;
    const { endpoint: on, socketPath } = await endpoint(await service({ index }));
    await sleep(30);
    for (const _ of [1, 2])
      expect((await askSocket(socketPath, `${on.indexPath}spam/`)).status).toBe(502);
    const { faults, requests, openedAt } = on.record();
    expect(faults.map(({ code }) => code)).toEqual(["no-network", "no-network"]);
    for (const { line } of faults) {
      expect(line).toContain("can't be reached: connection refused");
      expect(line).toContain(`configured is http://${host}:${port}/simple/`);
      expect(line).not.toContain("planted");
    }
    const times = [...faults, ...requests].map(({ atMs }) => atMs);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(25);
    expect(Math.max(...times)).toBeLessThanOrEqual(Date.now() - Date.parse(openedAt) + 5);
  }
});

test("a record from before faults said when can be read", () => {
  const older = { code: "upstream", line: "answers 500" };
  expect(AttemptRecord.shape.faults.parse([older])).toEqual([{ ...older, atMs: 0 }]);
});

test("pages are revalidated by ETag, and not asked for while fresh", async () => {
  let now = Date.now();
  const up = await upstream({ files: [sdist], maxAgeSeconds: 10, etag: true });
  const farm = await service({ index: up.url }, { now: () => now });
  for (const step of [0, 5_000, 20_000]) {
    now += step;
    expect((await farm.project("spam", signal))?.files).toHaveLength(1);
  }
  expect(up.requests).toHaveLength(2);
});

test("the first index that has a name serves it whole; one that can't be asked is not passed over", async () => {
  const mine = await upstream({ files: [sdist] });
  const open = await upstream({
    files: [
      { ...sdist, filename: "spam-99.tar.gz" },
      { ...sdist, project: "eggs" },
    ],
  });
  const farm = await service({ index: open.url, extra: [mine.url] });
  expect((await farm.project("spam", signal))?.files.map(({ filename }) => filename)).toEqual([
    "spam-1.0.tar.gz",
  ]);
  expect(await farm.project("eggs", signal)).not.toBeNull();
  mine.faults.push({ on: "/simple/", kind: "status", status: 503 });
  await expect(farm.project("ham", signal)).rejects.toMatchObject({ code: "upstream" });
});

test("credentials of an index reach nothing but that index", async () => {
  const login = { user: "planted-user", password: "planted-s3cret" };
  const up = await upstream({ files: [sdist], login });
  const url = up.url.replace("http://", `http://${login.user}:${login.password}@`);
  const directory = temporaryDirectory("index");
  const farm = await service({ index: url }, { directory });
  const { endpoint: on, socketPath } = await endpoint(farm);
  const seen: string[] = [];
  for (const path of [`${on.indexPath}spam/`, fileUrl(on, sdist), `${on.indexPath}eggs/`]) {
    const { headers, body, status } = await askSocket(socketPath, path);
    seen.push(inspect(headers), body.toString());
    expect(status).toBe(path.includes("eggs") ? 404 : 200);
  }
  up.faults.push(
    { on: "/simple/ham", kind: "status", status: 500 },
    { on: "/simple/bad", kind: "redirect", location: "http://10.0.0.1/" },
  );
  for (const path of ["ham", "bad"])
    seen.push((await askSocket(socketPath, `${on.indexPath}${path}/`)).body.toString());
  await up[Symbol.asyncDispose]();
  seen.push((await askSocket(socketPath, `${on.indexPath}gone/`)).body.toString());
  const failure = await farm.project("lost", signal).catch((thrown: unknown) => thrown);
  seen.push(
    inspect(failure, { depth: 20 }),
    JSON.stringify(on.record()),
    inspect(farm, { depth: 20 }),
    on.cargoConfig("http://127.0.0.1:1"),
  );
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile())
      seen.push(entry.name, readFileSync(join(entry.parentPath, entry.name)).toString("latin1"));
  }
  const encoded = Buffer.from(`${login.user}:${login.password}`).toString("base64");
  for (const text of seen)
    for (const secret of [login.user, login.password, encoded]) expect(text).not.toContain(secret);
});

test("an attempt's bytes, requests and names are bounded, and other addresses refused", async () => {
  const up = await upstream({ files: [sdist, { ...sdist, project: "eggs" }] });
  const farm = await service({ index: up.url });
  const few = await endpoint(farm, { limits: { bytes: 100_000, requests: 5, names: 1 } });
  expect((await askSocket(few.socketPath, fileUrl(few.endpoint, sdist))).whole).toBe(false);
  expect((await askSocket(few.socketPath, `${few.endpoint.indexPath}spam/`)).status).toBe(429);
  const named = await endpoint(farm, { limits: { requests: 5, names: 1 } });
  expect((await askSocket(named.socketPath, `${named.endpoint.indexPath}spam/`)).status).toBe(200);
  expect((await askSocket(named.socketPath, `${named.endpoint.indexPath}eggs/`)).status).toBe(429);
  for (const path of [
    "/simple/spam/",
    "/wrong-token/simple/spam/",
    `${named.endpoint.indexPath}../../x`,
  ])
    expect((await askSocket(named.socketPath, path)).status).toBe(404);
  expect((await askSocket(named.socketPath, `${named.endpoint.indexPath}spam/`)).status).toBe(429);
  expect(few.endpoint.record().limits).toEqual(["bytes"]);
  expect(named.endpoint.record()).toMatchObject({
    limits: ["names", "requests"],
    refused: [{}, {}, {}, {}, {}],
  });
});

test("a page that is made for an answer without a body counts as if it were sent, once", async () => {
  const up = await upstream({ files: [sdist] });
  const farm = await service({ index: up.url });
  const { endpoint: on, socketPath } = await endpoint(farm, { limits: { bytes: 1500 } });
  const statuses = [];
  for (const accept of [JSON_TYPE, JSON_TYPE, JSON_TYPE, "text/html", "text/html"])
    statuses.push((await askSocket(socketPath, `${on.indexPath}spam/`, { accept }, "HEAD")).status);
  expect(statuses).toEqual([200, 200, 200, 200, 200]);
  const { endpoint: poor, socketPath: path } = await endpoint(farm, { limits: { bytes: 100 } });
  expect((await askSocket(path, `${poor.indexPath}spam/`, {}, "HEAD")).status).toBe(200);
  expect((await askSocket(path, `${poor.indexPath}spam/`, {}, "HEAD")).status).toBe(429);
  expect(poor.record()).toMatchObject({ bytes: 0, limits: ["bytes"] });
});

test("files from before an instant alone", async () => {
  const files = [
    sdist,
    {
      ...sdist,
      filename: "spam-2.0.tar.gz",
      content: Buffer.from("new"),
      uploadTime: "2026-06-01T00:00:00Z",
    },
  ];
  const { url } = await upstream({ files });
  const { endpoint: on, socketPath } = await endpoint(await service({ index: url }), {
    before: new Date("2026-03-01T00:00:00Z"),
  });
  const page = Page.parse(
    JSON.parse(
      (await askSocket(socketPath, `${on.indexPath}spam/`, { accept: JSON_TYPE })).body.toString(),
    ),
  );
  expect(page).toMatchObject({ versions: ["1.0"], files: [{ filename: "spam-1.0.tar.gz" }] });
});

test("metadata is made from a wheel's ranges, and a wheel that holds other metadata is evidence", async () => {
  const wheel: DistFile = {
    project: "spam",
    filename: "spam-1.0-py3-none-any.whl",
    content: makeWheel("spam", "1.0", { "spam.bin": "x".repeat(400_000), "spam.py": "" }, ["eggs"]),
  };
  const up = await upstream({ files: [wheel] });
  const { endpoint: on, socketPath } = await endpoint(await service({ index: up.url }));
  const page = Page.parse(
    JSON.parse(
      (await askSocket(socketPath, `${on.indexPath}spam/`, { accept: JSON_TYPE })).body.toString(),
    ),
  );
  expect(page.files[0]?.["core-metadata"]).toBe(true);
  expect((await askSocket(socketPath, `${fileUrl(on, wheel)}.metadata`)).body.toString()).toContain(
    "Requires-Dist: eggs",
  );
  expect(up.requests.filter((line) => line.includes("/packages/"))).toEqual([
    "GET /packages/spam-1.0-py3-none-any.whl bytes=-65536",
  ]);
  expect((await askSocket(socketPath, fileUrl(on, wheel))).whole).toBe(true);
  expect(on.record().faults).toEqual([]);
});

test("metadata that upstream serves is checked against what its page says", async () => {
  const wheel: DistFile = {
    project: "spam",
    filename: "spam-1.0-py3-none-any.whl",
    content: makeWheel("spam", "1.0", { "spam.py": "" }),
  };
  const forged = Buffer.from(
    "Metadata-Version: 2.1\nName: spam\nVersion: 1.0\nRequires-Dist: forged\n",
  );
  const up = await upstream({
    files: [{ ...wheel, extra: { "core-metadata": true } }],
    metadata: { [wheel.filename]: forged },
  });
  const { endpoint: on, socketPath } = await endpoint(await service({ index: up.url }));
  expect((await askSocket(socketPath, `${fileUrl(on, wheel)}.metadata`)).body.toString()).toContain(
    "forged",
  );
  expect((await askSocket(socketPath, fileUrl(on, wheel))).status).toBe(200);
  await expect.poll(() => on.record().faults).toMatchObject([{ code: "upstream-hash" }]);
  expect(
    (await askSocket(socketPath, `${fileUrl(on, wheel)}.metadata`)).body.toString(),
  ).not.toContain("forged");
});

async function relay(socketPath: string): Promise<string> {
  const { port, [Symbol.asyncDispose]: dispose } = await startRelay(socketPath);
  onTestFinished(dispose);
  return `http://127.0.0.1:${port}`;
}

test(
  "pip installs through it, and again from its record with upstream gone",
  { timeout: 60_000 },
  async () => {
    const files: DistFile[] = [
      {
        project: "spam",
        filename: "spam-1.0-py3-none-any.whl",
        content: makeWheel("spam", "1.0", { "spam.py": "import eggs\n" }, ["eggs>=1"]),
      },
      {
        project: "eggs",
        filename: "eggs-1.5-py3-none-any.whl",
        content: makeWheel("eggs", "1.5", { "eggs.py": "" }),
      },
    ];
    const up = await upstream({ files });
    const farm = await service({ index: up.url });
    const { endpoint: on, socketPath } = await endpoint(farm);
    const target = temporaryDirectory("index");
    const install = async (url: string, into: string): Promise<void> => {
      const argv = [
        "-I",
        "-m",
        "pip",
        "--isolated",
        "install",
        "-q",
        "--no-cache-dir",
        "--no-input",
        "--index-url",
        url,
        "--target",
        into,
        "spam",
      ];
      await promisify(execFile)("python3", argv, { env: { PATH: process.env["PATH"] ?? "" } });
    };
    await install(`${await relay(socketPath)}${on.indexPath}`, join(target, "one"));
    const record = AttemptRecord.parse(JSON.parse(JSON.stringify(on.record())));
    expect(record.files.map(({ filename }) => filename).toSorted()).toEqual([
      "eggs-1.5-py3-none-any.whl",
      "spam-1.0-py3-none-any.whl",
    ]);
    await up[Symbol.asyncDispose]();
    const replayed = await endpoint(farm, { replay: record });
    await install(
      `${await relay(replayed.socketPath)}${replayed.endpoint.indexPath}`,
      join(target, "two"),
    );
    expect(readdirSync(join(target, "two"))).toEqual(readdirSync(join(target, "one")));
    expect(replayed.endpoint.record()).toMatchObject({
      replayed: true,
      faults: [],
    });
  },
);

test("what a proxy writes otherwise than the index does not cost the page: a serial as text, no versions, one file that can't be read", () => {
  const body = {
    meta: { "api-version": "1.1", "_last-serial": "41" },
    name: "Spam",
    files: [
      { filename: "../spam-1.tar.gz", url: "x" },
      { filename: 3 },
      { filename: "spam-1.tar.gz", url: "../p/spam-1.tar.gz", hashes: {} },
    ],
  };
  const page = parseProjectPage(
    Buffer.from(JSON.stringify(body)),
    JSON_TYPE,
    "https://index.example/simple/spam/",
    "spam",
    "https://index.example/simple/",
  );
  expect(page).toMatchObject({
    lastSerial: 41,
    versions: [],
    files: [
      {
        filename: "spam-1.tar.gz",
        url: "https://index.example/simple/p/spam-1.tar.gz",
        sha256: null,
      },
    ],
  });
});
