import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { z } from "zod";

import { owned, temporaryDirectory } from "../../../test/owned.ts";
import { makeWheel } from "../../../test/upstream/make-wheel.ts";
import {
  startUpstream,
  type DistFile,
  type RunningUpstream,
  type UpstreamOptions,
} from "../../../test/upstream/upstream.ts";
import type { CreameryError } from "../../base/errors.ts";
import { openIndexService, type IndexService, type ServeOptions } from "../index-service.ts";
import { sampleUpstreams } from "../upstream/upstreams.sample.ts";

const JSON_TYPE = "application/vnd.pypi.simple.v1+json";
interface Serving {
  readonly url: string;
  readonly upstream: RunningUpstream;
  readonly faults: CreameryError[];
  readonly service: IndexService;
  readonly stop: () => PromiseLike<void>;
}

async function serving(
  options: UpstreamOptions,
  how: Pick<ServeOptions, "xAccel"> = {},
): Promise<Serving> {
  const upstream = owned(await startUpstream(options));
  const directory = temporaryDirectory("served");
  const upstreams = await sampleUpstreams({ index: upstream.url });
  const service = owned(await openIndexService({ directory, upstreams }));
  const faults: CreameryError[] = [];
  const place = { host: "127.0.0.1", port: 0 };
  const served = await service.serve({ place, onFault: (fault) => faults.push(fault), ...how });
  const stop = () => served[Symbol.asyncDispose]();
  return { url: served.url, upstream, faults, service, stop };
}

const sha = (content: Buffer): string => createHash("sha256").update(content).digest("hex");
const content = Buffer.alloc(200_000, "spam and eggs ");
const spam: DistFile = { project: "spam", filename: "spam-1.0.tar.gz", content };
const filePath = `/files/spam/${sha(content)}/spam-1.0.tar.gz`;

test("pages and files are served to whoever asks, without token", async () => {
  const { url } = await serving({ files: [spam] });
  const page = await fetch(`${url}/simple/spam/`, { headers: { accept: JSON_TYPE } });
  expect(page.headers.get("x-pypi-last-serial")).toBe("7");
  expect(await page.json()).toMatchObject({
    name: "spam",
    files: [{ filename: "spam-1.0.tar.gz", url: `../..${filePath}` }],
  });
  const file = await fetch(new URL(`../..${filePath}`, page.url));
  expect(Buffer.from(await file.arrayBuffer()).equals(content)).toBe(true);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  for (const [path, status] of [
    ["/nothing", 404],
    ["/simple/eggs/", 404],
    ["/simple/-/", 404],
    ["/files/spam/x/spam-1.0.tar.gz", 404],
    ["/crates/config.json", 200],
    ["/healthz/x", 404],
  ] as const)
    expect([path, (await fetch(`${url}${path}`)).status]).toEqual([path, status]);
  const posted = await fetch(`${url}/simple/spam/`, { method: "POST" });
  expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
});

test("HEAD, what a client has already, ranges and compression are as HTTP has them", async () => {
  const { url } = await serving({ files: [spam] });
  const page = await fetch(`${url}/simple/spam/`, { headers: { accept: JSON_TYPE } });
  const etag = page.headers.get("etag") ?? "";
  const again = await fetch(`${url}/simple/spam/`, {
    headers: { accept: JSON_TYPE, "if-none-match": etag },
  });
  expect(again.status).toBe(304);
  const head = await fetch(`${url}/simple/spam/`, { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
  const range = await fetch(`${url}${filePath}`, { headers: { range: "bytes=-5" } });
  expect([range.status, await range.text()]).toEqual([206, content.subarray(-5).toString()]);
  expect(range.headers.get("content-range")).toBe(`bytes 199995-199999/200000`);
  const many = Array.from({ length: 30 }, (_, n) => ({ ...spam, filename: `spam-${n}.tar.gz` }));
  const wide = await serving({ files: many });
  const zipped = await fetch(`${wide.url}/simple/spam/`, {
    headers: { accept: JSON_TYPE, "accept-encoding": "gzip" },
  });
  expect(zipped.headers.get("content-encoding")).toBe("gzip");
  expect(await zipped.json()).toMatchObject({ name: "spam" });
});

test("a file is not sent to who has it, and no part of it to who has begun another", async () => {
  const { url } = await serving({ files: [spam] });
  await (await fetch(`${url}${filePath}`)).arrayBuffer();
  const ask = async (headers: Record<string, string>): Promise<[number, number]> => {
    const answer = await fetch(`${url}${filePath}`, { headers });
    return [answer.status, (await answer.arrayBuffer()).byteLength];
  };
  const etag = `"${sha(content)}"`;
  expect(await ask({ "if-none-match": etag })).toEqual([304, 0]);
  expect(await ask({ "if-none-match": '"other"' })).toEqual([200, content.length]);
  expect(await ask({ range: "bytes=0-9", "if-range": etag })).toEqual([206, 10]);
  expect(await ask({ range: "bytes=0-9", "if-range": '"other"' })).toEqual([200, content.length]);
  expect(await ask({ range: "bytes=200000-" })).toEqual([416, 0]);
});

test("a project's status, and why, are told in both forms", async () => {
  const { url } = await serving({ files: [spam], statuses: new Map([["spam", "archived"]]) });
  const page = await fetch(`${url}/simple/spam/`, { headers: { accept: JSON_TYPE } });
  expect(await page.json()).toMatchObject({ "project-status": { status: "archived" } });
  const html = await (await fetch(`${url}/simple/spam/`)).text();
  expect(html).toContain('<meta name="pypi:project-status" content="archived">');
});

test("metadata is named where it can be had alone", async () => {
  const wheel = {
    ...spam,
    filename: "spam-1.0-py3-none-any.whl",
    content: makeWheel("spam", "1.0", {}),
  };
  const { url } = await serving({
    files: [spam, wheel, { ...spam, filename: "spam-1.0-py2.7.egg" }],
  });
  const page = await fetch(`${url}/simple/spam/`, { headers: { accept: JSON_TYPE } });
  const Listed = z.object({ files: z.array(z.looseObject({ url: z.string() })) });
  const { files } = Listed.parse(await page.json());
  expect(files.map((file) => file["core-metadata"])).toEqual([undefined, true, undefined]);
  const metadata = await fetch(new URL(`${files[1]?.url ?? ""}.metadata`, page.url));
  expect(await metadata.text()).toContain("Name: spam\nVersion: 1.0");
});

test("a name that is not normalised leads to the one that is, wherever the mirror stands", async () => {
  const { url } = await serving({ files: [{ ...spam, project: "spam-eggs" }] });
  for (const [path, location] of [
    ["/simple/Spam_Eggs/", "../spam-eggs/"],
    ["/simple/Spam_Eggs", "./spam-eggs/"],
    ["/simple/spam-eggs", "./spam-eggs/"],
    ["/simple", "simple/"],
  ] as const) {
    const answer = await fetch(`${url}${path}`, { redirect: "manual" });
    expect([path, answer.status, answer.headers.get("location")]).toEqual([path, 301, location]);
    expect((await fetch(`${url}${path}`)).status).toBe(200);
  }
});

test("the list is of the projects whose pages are kept, and upstream's own is never asked for", async () => {
  const { url, upstream } = await serving({
    files: [spam, { ...spam, project: "a" }, { ...spam, project: "never-asked" }],
  });
  for (const name of ["spam", "a", "nowhere"]) await fetch(`${url}/simple/${name}/`);
  const list = await fetch(`${url}/simple/`, { headers: { accept: JSON_TYPE } });
  expect(list.headers.get("content-type")).toBe(JSON_TYPE);
  expect(await list.json()).toEqual({
    meta: { "api-version": "1.0" },
    projects: [{ name: "a" }, { name: "spam" }],
  });
  expect(await (await fetch(`${url}/simple/`)).text()).toContain('<a href="spam/">spam</a>');
  expect((await fetch(`${url}/simple/`, { headers: { accept: "image/png" } })).status).toBe(406);
  expect(upstream.requests).not.toContain("GET /simple/");
});

test("cargo is told where crates are by the address that it came by", async () => {
  const { url } = await serving({ files: [spam] });
  const told = async (headers: Record<string, string>): Promise<unknown> =>
    (await fetch(`${url}/crates/config.json`, { headers })).json();
  const path = "/crates/dl/{crate}/{version}/{sha256-checksum}";
  expect(await told({})).toEqual({ dl: `${url}${path}` });
  expect(await told({ "x-forwarded-proto": "https" })).toEqual({
    dl: `${url.replace("http:", "https:")}${path}`,
  });
  expect(await told({ "x-forwarded-proto": "javascript" })).toEqual({ dl: `${url}${path}` });
});

test("where upstream fails, the client gets one line and the operator is told", async () => {
  const { url, faults } = await serving({
    files: [spam],
    faults: [{ on: "/simple/spam/", kind: "garbage" }],
  });
  const answer = await fetch(`${url}/simple/spam/`);
  expect(answer.status).toBe(502);
  expect(await answer.text()).toContain("what is no project's page");
  expect(faults.map(({ code }) => code)).toEqual(["upstream"]);
});

test("it stops when what it was sending is sent, and takes nothing new", async () => {
  const { url, stop } = await serving({
    files: [spam],
    faults: [{ on: "/packages/", kind: "slow" }],
  });
  const coming = await fetch(`${url}${filePath}`);
  const stopped = stop();
  await sleep(10);
  await expect(fetch(`${url}/healthz`)).rejects.toThrow("fetch failed");
  expect(Buffer.from(await coming.arrayBuffer()).equals(content)).toBe(true);
  await stopped;
});

test("a place that is taken is told in one line", async () => {
  const { url, service } = await serving({ files: [spam] });
  const port = Number(new URL(url).port);
  const place = { host: "127.0.0.1", port };
  await expect(service.serve({ place, onFault: () => undefined })).rejects.toMatchObject({
    code: "host-lacks",
    nextStep: "end what listens there, or name another place with --listen",
  });
});

test("where nginx is said to stand before it, it gets the address of a kept file, and none of one that is not", async () => {
  const { url, service } = await serving({ files: [spam] }, { xAccel: "/protected/" });
  const first = await fetch(`${url}${filePath}`);
  expect(first.headers.get("x-accel-redirect")).toBeNull();
  expect(Buffer.from(await first.arrayBuffer()).equals(content)).toBe(true);
  const sha256 = sha(content);
  const kept = { "x-accel-redirect": `/protected/sha256/${sha256.slice(0, 2)}/${sha256}` };
  for (const headers of [{}, { range: "bytes=0-5" }]) {
    const answer = await fetch(`${url}${filePath}`, { headers });
    expect([answer.status, await answer.text()]).toEqual([200, ""]);
    expect(Object.fromEntries(answer.headers)).toMatchObject(kept);
  }
  const page = await fetch(`${url}/simple/spam/`);
  expect(page.headers.get("x-accel-redirect")).toBeNull();
  // Nothing else of this mirror has it: no attempt's endpoint, no other place that is served.
  const plain = await service.serve({
    place: { host: "127.0.0.1", port: 0 },
    onFault: () => undefined,
  });
  const whole = await fetch(`${plain.url}${filePath}`);
  expect(whole.headers.get("x-accel-redirect")).toBeNull();
  expect(Buffer.from(await whole.arrayBuffer()).equals(content)).toBe(true);
});
