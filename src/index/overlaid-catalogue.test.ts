import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { expect, test } from "vitest";
import { z } from "zod";

import { owned, temporaryDirectory } from "../../test/owned.ts";
import { makeWheel } from "../../test/upstream/make-wheel.ts";
import { startUpstream, type RunningUpstream } from "../../test/upstream/upstream.ts";
import {
  openIndexService,
  type Endpoint,
  type IndexService,
  type OpenEndpointOptions,
} from "./index-service.ts";
import { sampleUpstreams } from "./upstream/upstreams.sample.ts";

const Page = z.looseObject({
  versions: z.array(z.string()).optional(),
  files: z.array(
    z.looseObject({ filename: z.string(), url: z.string(), yanked: z.unknown().optional() }),
  ),
});
const wheelOf = (version: string) => makeWheel("lib", version, { "lib.py": `V = "${version}"\n` });
const nameOf = (version: string) => `lib-${version}-py3-none-any.whl`;

async function opened(
  options: Partial<OpenEndpointOptions>,
): Promise<{ upstream: RunningUpstream; index: IndexService; endpoint: Endpoint; ask: Ask }> {
  const upstream = owned(
    await startUpstream({
      files: [
        ...["1.0", "1.0.1", "2.0"].map((version) => ({
          project: "lib",
          filename: nameOf(version),
          content: wheelOf(version),
        })),
        {
          project: "lib",
          filename: "lib-2.0.tar.gz",
          content: Buffer.from("sdist"),
          yanked: "bad",
        },
        { project: "lib", filename: "lib-2.0.1.tar.gz", content: Buffer.from("later") },
        { project: "other", filename: "other-2.0.tar.gz", content: Buffer.from("other") },
        { project: "other", filename: "other-3.0.tar.gz", content: Buffer.from("other 3") },
      ],
    }),
  );
  const index = owned(
    await openIndexService({
      directory: temporaryDirectory("overlay"),
      upstreams: await sampleUpstreams({ index: upstream.url }),
    }),
  );
  const socketPath = join(temporaryDirectory("overlay"), "index.sock");
  const endpoint = await index.openEndpoint({ socketPath, attemptId: "a1", ...options });
  return { upstream, index, endpoint, ask: (path) => ask(socketPath, path) };
}

type Ask = (path: string) => Promise<{ readonly status: number; readonly body: Buffer }>;

async function ask(socketPath: string, path: string): ReturnType<Ask> {
  const asked = Promise.withResolvers<Awaited<ReturnType<Ask>>>();
  const accept = "application/vnd.pypi.simple.v1+json";
  request({ socketPath, path, headers: { accept } }, (response) => {
    buffer(response).then(
      (body) => asked.resolve({ status: response.statusCode ?? 0, body }),
      asked.reject,
    );
  })
    .on("error", asked.reject)
    .end();
  return asked.promise;
}

async function pageOf(endpoint: Endpoint, asking: Ask, project: string) {
  const { body } = await asking(`${endpoint.indexPath}${project}/`);
  return Page.parse(JSON.parse(body.toString("utf8")));
}

test("of a pinned project there is one release alone, yanked or not; of others all", async () => {
  const only = [{ project: "lib", version: "2", wheel: null }];
  const { endpoint, ask: asking } = await opened({ only });
  const page = await pageOf(endpoint, asking, "lib");
  expect(page.files.map(({ filename, yanked }) => [filename, yanked])).toEqual([
    [nameOf("2.0"), false],
    ["lib-2.0.tar.gz", false],
  ]);
  expect(page.versions).toEqual(["2.0"]);
  expect((await pageOf(endpoint, asking, "other")).files).toHaveLength(2);
});

test("a file of another release is not to be had by its address either", async () => {
  const { endpoint: whole, ask: askingWhole } = await opened({});
  const [first] = (await pageOf(whole, askingWhole, "lib")).files;
  const path = first?.url.replace("../../", "") ?? "";
  const base = (endpoint: Endpoint) => endpoint.indexPath.replace("simple/", "");
  expect((await askingWhole(`${base(whole)}${path}`)).status).toBe(200);
  const only = [{ project: "lib", version: "2.0", wheel: null }];
  const { endpoint, ask: asking } = await opened({ only });
  expect((await asking(`${base(endpoint)}${path}`)).status).toBe(404);
  expect(endpoint.record().files).toEqual([]);
});

test("a wheel of a person's own is all there is of its project, metadata and record with it", async () => {
  const content = wheelOf("9.9");
  const sha256 = createHash("sha256").update(content).digest("hex");
  const filename = nameOf("9.9");
  const only = [{ project: "lib", version: "9.9", wheel: { filename, sha256 } }];
  const { upstream, index, endpoint, ask: asking } = await opened({ only });
  const path = join(temporaryDirectory("overlay"), "given.whl");
  writeFileSync(path, content);
  await index.keepFile(path, sha256);
  const page = await pageOf(endpoint, asking, "lib");
  expect(page.files.map((file) => file.filename)).toEqual([filename]);
  const url = `${endpoint.indexPath.replace("simple/", "")}${page.files[0]?.url.replace("../../", "")}`;
  expect((await asking(`${url}.metadata`)).body.toString("utf8")).toContain("Version: 9.9");
  expect((await asking(url)).body.equals(content)).toBe(true);
  expect(endpoint.record().files).toMatchObject([{ project: "lib", filename, sha256 }]);
  expect(upstream.requests).toEqual([]);
});

test("a wheel that is kept no more is the index's fault, and no upstream's release takes its place", async () => {
  const sha256 = "a".repeat(64);
  const wheel = { filename: nameOf("9.9"), sha256 };
  const { endpoint, ask: asking } = await opened({
    only: [{ project: "lib", version: "9.9", wheel }],
  });
  const [file] = (await pageOf(endpoint, asking, "lib")).files;
  const url = `${endpoint.indexPath.replace("simple/", "")}${file?.url.replace("../../", "")}`;
  expect((await asking(url)).status).toBe(502);
  expect(endpoint.record().faults).toMatchObject([{ code: "upstream" }]);
});

test("what is kept is what was said, or nothing", async () => {
  const { index } = await opened({});
  const path = join(temporaryDirectory("overlay"), "given.whl");
  writeFileSync(path, "one");
  const other = createHash("sha256").update("other").digest("hex");
  await expect(index.keepFile(path, other)).rejects.toMatchObject({ code: "internal" });
  expect(await index.keptFile(other)).toBeNull();
});
