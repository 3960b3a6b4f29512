import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";

import { BuildProgress } from "../build-event.ts";
import { fetchFile } from "./fetch-file.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fetch-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function serving(answer: RequestListener): Promise<AsyncDisposable & { url: string }> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

const TARGET = () => join(directory, "file");

function fetchIt(
  url: string,
  limits: Parameters<typeof fetchFile>[3] = {},
  env: NodeJS.ProcessEnv = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  return fetchFile(url, TARGET(), { env, signal, progress: new BuildProgress(() => {}) }, limits);
}

test("a file is fetched through redirects", async () => {
  await using server = await serving((request, response) => {
    if (request.url === "/a.tar.gz") response.writeHead(302, { location: "/b" }).end();
    else response.end("content");
  });
  await fetchIt(`${server.url}/a.tar.gz`);
  expect(readFileSync(TARGET(), "utf8")).toBe("content");
});

test("the host's own proxy is asked", async () => {
  await using proxy = await serving((request, response) => response.end(`for ${request.url}`));
  await fetchIt("http://archive.example/a.tar.gz", {}, { http_proxy: proxy.url });
  expect(readFileSync(TARGET(), "utf8")).toBe("for http://archive.example/a.tar.gz");
});

const cases: readonly [
  string,
  string,
  RegExp,
  RequestListener,
  Parameters<typeof fetchFile>[3]?,
][] = [
  ["what is not there", "upstream", /answers 404/u, (_, response) => response.writeHead(404).end()],
  [
    "a way without end",
    "upstream",
    /redirects without end/u,
    (_, response) => response.writeHead(302, { location: "/again" }).end(),
  ],
  [
    "a way to another scheme",
    "upstream",
    /leads to ftp:/u,
    (_, response) => response.writeHead(302, { location: "ftp://other.example/" }).end(),
  ],
  [
    "an answer that breaks off",
    "no-network",
    /can't be fetched/u,
    (_, response) => {
      response.writeHead(200, { "content-length": "100" }).write("half");
      setTimeout(() => response.destroy(), 20);
    },
  ],
  [
    "more than there is room for",
    "too-large",
    /larger than 10 bytes/u,
    (_, response) => response.end("0".repeat(11)),
    { maxBytes: 10 },
  ],
  [
    "an answer that never ends",
    "deadline",
    /did not come in 0\.1 s/u,
    (_, response) => response.write("a"),
    { deadlineMs: 100 },
  ],
];

test.each(cases)("%s is told as %s", async (_, code, why, answer, limits) => {
  await using server = await serving(answer);
  const fetching = fetchIt(`${server.url}/a`, limits);
  await expect(fetching).rejects.toMatchObject({ code, input: `${server.url}/a` });
  await expect(fetching).rejects.toThrow(why);
});

test.each(["http://me:s3cret@proxy.example:notaport", "http://me:s3cret@127.0.0.1:9"])(
  "the password of a proxy (%s) is in nothing that is told",
  async (https_proxy) => {
    const fetching = fetchIt("https://index.example/a", {}, { https_proxy });
    const fault: unknown = await fetching.catch((thrown: unknown) => thrown);
    expect(fault).toMatchObject({ code: "no-network" });
    expect(fault).not.toHaveProperty("cause");
    expect(inspect(fault, { depth: 9 })).not.toMatch(/s3cret|proxy\.example/u);
  },
);

test("nobody there is no network, and an interruption stays one", async () => {
  await expect(fetchIt("http://127.0.0.1:9/a")).rejects.toMatchObject({ code: "no-network" });
  await using server = await serving((_, response) => response.write("a"));
  const abort = new AbortController();
  setTimeout(() => abort.abort(new Error("enough")), 50);
  await expect(fetchIt(`${server.url}/a`, {}, {}, abort.signal)).rejects.toThrow("enough");
});
