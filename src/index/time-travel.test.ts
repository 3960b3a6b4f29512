import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { z } from "zod";

import { owned, temporaryDirectory } from "../../test/owned.ts";
import { makeWheel } from "../../test/upstream/make-wheel.ts";
import { startRelay } from "../../test/upstream/relay.ts";
import { startUpstream, type DistFile } from "../../test/upstream/upstream.ts";
import { openIndexService, type AttemptRecord, type IndexService } from "./index-service.ts";
import { sampleUpstreams } from "./upstream/upstreams.sample.ts";

const { signal } = new AbortController();
const JSON_TYPE = "application/vnd.pypi.simple.v1+json";
const Page = z.object({
  meta: z.record(z.string(), z.unknown()),
  versions: z.array(z.string()),
  files: z.array(z.looseObject({ filename: z.string(), url: z.string(), yanked: z.unknown() })),
  "project-status": z.object({ status: z.string() }).optional(),
});

const DAY_MS = 86_400_000;
const START = Date.parse("2025-06-01T12:00:00Z");
const at = (days: number): string => new Date(START + days * DAY_MS).toISOString();

/** An upstream whose content and a mirror whose clock are moved on by hand. */
async function world(files: readonly DistFile[], directory = temporaryDirectory("travel")) {
  const statuses = new Map<string, string>();
  const upstream = owned(await startUpstream({ files, statuses, maxAgeSeconds: 600 }));
  const clock = { ms: START };
  const open = async () => {
    const upstreams = await sampleUpstreams({ index: upstream.url });
    const service = owned(await openIndexService({ directory, upstreams, now: () => clock.ms }));
    return service;
  };
  const service = await open();
  const { url } = await service.serve({
    place: { host: "127.0.0.1", port: 0 },
    onFault: () => undefined,
  });
  const pageAt = async (instant: string, project = "spam") => {
    const headers = { accept: JSON_TYPE };
    const answer = await fetch(`${url}/at/${instant}/simple/${project}/`, { headers });
    expect([instant, answer.status]).toEqual([instant, 200]);
    return { page: Page.parse(await answer.json()), answer };
  };
  const namesAt = async (instant: string): Promise<string[]> =>
    (await pageAt(instant)).page.files.map(({ filename, yanked }) =>
      yanked === false ? filename : `${filename} yanked: ${String(yanked)}`,
    );
  return { upstream, statuses, clock, service, url, pageAt, namesAt, open, directory };
}

const file = (version: string, days: number, more: Partial<DistFile> = {}): DistFile => ({
  project: "spam",
  filename: `spam-${version}.tar.gz`,
  content: Buffer.alloc(3000, `${version} `),
  uploadTime: at(days),
  ...more,
});
const sha = (content: Buffer): string => createHash("sha256").update(content).digest("hex");

test("below /at/INSTANT/ is the index as it was then, and its files by the links of its pages", async () => {
  const { pageAt, upstream } = await world([file("1.0", -9), file("2.0", -2)]);
  const { page, answer } = await pageAt(at(-5));
  expect(page.versions).toEqual(["1.0"]);
  expect(answer.headers.get("x-creamery-at")).toBe(at(-5));
  expect(answer.headers.get("x-pypi-last-serial")).toBeNull();
  const [listed] = page.files;
  const got = await fetch(new URL(listed?.url ?? "", answer.url));
  expect(Buffer.from(await got.arrayBuffer()).equals(file("1.0", -9).content)).toBe(true);
  // Of what was not there yet there is no file either.
  const later = file("2.0", -2);
  const link = new URL(`../../files/spam/${sha(later.content)}/${later.filename}`, answer.url);
  expect((await fetch(link)).status).toBe(404);
  expect(upstream.requests).not.toContain(`GET /packages/${later.filename}`);
});

test("an instant is RFC 3339 or a date; anything else, and what is to come, is refused with how to write it", async () => {
  const { url, namesAt } = await world([file("1.0", -9)]);
  for (const good of ["2025-05-31", "2025-05-31T12:00:00%2B02:00", "2025-06-01T12:00:00Z"])
    expect(await namesAt(good)).toEqual(["spam-1.0.tar.gz"]);
  for (const bad of [
    "2025-02-30",
    "yesterday",
    "2025-05-31T12:00:00",
    "%00",
    "x".repeat(3000),
    "",
  ]) {
    const answer = await fetch(`${url}/at/${bad}/simple/spam/`);
    expect([bad, answer.status]).toEqual([bad, 400]);
    expect(await answer.text()).toContain("write one as 2025-06-01T00:00:00Z");
  }
  const future = await fetch(`${url}/at/2025-06-01T12:00:01Z/simple/spam/`);
  expect([future.status, await future.text()]).toEqual([
    400,
    "2025-06-01T12:00:01Z is yet to come; name an instant of the past\n",
  ]);
  for (const path of ["/at", "/at/2025-05-31", "/at/2025-05-31/", "/at/2025-05-31/crates/x"])
    expect([path, (await fetch(`${url}${path}`)).ok]).toEqual([path, false]);
});

test("files of which the index does not say when are left out, and said to be", async () => {
  const undated = file("1.1", 0, { extra: { "upload-time": null } });
  const { pageAt, url } = await world([file("1.0", -9), undated]);
  const { page, answer } = await pageAt(at(-1));
  expect(page.versions).toEqual(["1.0"]);
  expect(page.meta["_creamery"]).toMatchObject({
    at: at(-1),
    undated: { count: 1, files: ["spam-1.1.tar.gz"] },
  });
  expect(answer.headers.get("x-creamery-undated")).toBe("1");
  const html = await (await fetch(`${url}/at/${at(-1)}/simple/spam/`)).text();
  expect(html).toContain('<meta name="creamery:undated" content="1">');
});

test("a page is asked for again when it was seen before the instant, however fresh it is", async () => {
  const { clock, upstream, namesAt } = await world([file("1.0", -9)]);
  await namesAt(at(-1));
  upstream.files.push(file("2.0", 1 / 2000));
  clock.ms += 60_000;
  expect(await namesAt(new Date(clock.ms).toISOString())).toHaveLength(2);
  expect(upstream.requests).toHaveLength(2);
  // Once is enough.
  expect(await namesAt(new Date(clock.ms).toISOString())).toHaveLength(2);
  expect(upstream.requests).toHaveLength(2);
});

test("what was yanked, deleted or archived since is as it was, as far as this mirror saw it", async () => {
  const kept = file("1.0", -9);
  const files = [kept, file("1.1", -8), file("1.2", -7)];
  const { clock, upstream, statuses, namesAt, pageAt, open, directory, url } = await world(files);
  await fetch(`${url}/files/spam/${sha(kept.content)}/${kept.filename}`);
  const before = at(0);
  expect(await namesAt(before)).toHaveLength(3);

  clock.ms += 7 * DAY_MS;
  upstream.files.splice(0, 3, file("1.2", -7, { yanked: "broken" }));
  statuses.set("spam", "archived");
  expect(await namesAt(at(7))).toEqual(["spam-1.2.tar.gz yanked: broken"]);
  // 1.1 was there too, and of it no bytes are kept.
  expect((await namesAt(before)).toSorted()).toEqual(["spam-1.0.tar.gz", "spam-1.2.tar.gz"]);
  const { page, answer } = await pageAt(before);
  expect(page["project-status"]).toEqual({ status: "active" });
  expect(page.versions.toSorted()).toEqual(["1.0", "1.2"]);
  expect(page.meta["_creamery"]).toMatchObject({
    lost: { count: 1, files: ["spam-1.1.tar.gz"] },
    restored: 1,
    unyanked: 1,
  });
  const link = page.files.find(({ filename }) => filename === kept.filename)?.url ?? "";
  const got = await fetch(new URL(link, answer.url));
  expect(Buffer.from(await got.arrayBuffer()).equals(kept.content)).toBe(true);
  // Of the page as it is now, it is none.
  expect((await fetch(`${url}/files/spam/${sha(kept.content)}/${kept.filename}`)).status).toBe(404);

  // Another process of this host knows as much, a project that is gone altogether too.
  clock.ms += DAY_MS;
  upstream.files.splice(0);
  expect((await fetch(`${url}/simple/spam/`)).status).toBe(404);
  const other = await open();
  const there = await other.project("spam", signal, { at: new Date(before) });
  expect(there?.files.map(({ filename }) => filename).toSorted()).toEqual(["spam-1.0.tar.gz"]);
  expect(await other.project("spam", signal)).toBeNull();
  expect(await readdir(join(directory, "history"))).toHaveLength(1);
});

/** One attempt: what real pip makes of it, and what its index recorded. */
async function attempt(
  service: IndexService,
  before: Date,
  wants: readonly string[],
): Promise<{ frozen: string[]; record: AttemptRecord }> {
  const directory = temporaryDirectory("travel");
  const socketPath = join(directory, "index.sock");
  await using endpoint = await service.openEndpoint({ socketPath, attemptId: "a1", before });
  await using relay = await startRelay(socketPath);
  const target = join(directory, "target");
  await promisify(execFile)("python3", [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--isolated",
    "--no-cache-dir",
    "--disable-pip-version-check",
    `--target=${target}`,
    `--index-url=http://127.0.0.1:${relay.port}${endpoint.indexPath}`,
    ...wants,
  ]);
  const frozen = (await readdir(target)).filter((name) => name.endsWith(".dist-info")).toSorted();
  return { frozen, record: endpoint.record() };
}

test("two attempts of one date resolve to the same files a week apart, whatever was released, yanked or deleted between", async () => {
  const wheel = (
    project: string,
    version: string,
    days: number,
    requires: readonly string[] = [],
  ) => ({
    project,
    filename: `${project}-${version}-py3-none-any.whl`,
    content: makeWheel(project, version, { [`${project}.py`]: version }, requires),
    uploadTime: at(days),
  });
  const eggs = wheel("eggs", "1.0", -5);
  const ham = wheel("ham", "2.0", -5);
  const spam = wheel("spam", "1.0", -5, ["eggs", "ham>=1"]);
  const { service, upstream, clock, open } = await world([
    spam,
    eggs,
    ham,
    wheel("ham", "1.0", -20),
  ]);
  const date = new Date(START);
  const first = await attempt(service, date, ["spam"]);
  expect(first.frozen).toEqual(["eggs-1.0.dist-info", "ham-2.0.dist-info", "spam-1.0.dist-info"]);

  clock.ms += 7 * DAY_MS;
  upstream.files.splice(
    0,
    4,
    spam,
    wheel("spam", "2.0", 3, ["eggs"]),
    { ...eggs, yanked: "a mistake" },
    wheel("eggs", "0.9", -30),
    wheel("eggs", "1.1", 2),
    wheel("ham", "1.0", -20),
  );
  const now = await attempt(service, new Date(clock.ms), ["spam"]);
  expect(now.frozen).toEqual(["eggs-1.1.dist-info", "spam-2.0.dist-info"]);

  const filesOf = ({ files }: AttemptRecord): string[] =>
    files.map(({ filename, sha256 }) => `${filename} ${sha256}`).toSorted();
  for (const index of [service, await open()]) {
    const second = await attempt(index, date, ["spam"]);
    expect(second.frozen).toEqual(first.frozen);
    expect(filesOf(second.record)).toEqual(filesOf(first.record));
    expect(second.record.before).toBe(date.toISOString());
  }
});

test("pip unchanged installs from an instant by its address alone, with what its metadata said then", async () => {
  const wheel = (version: string, days: number, requires: readonly string[]): DistFile => ({
    project: "spam",
    filename: `spam-${version}-py3-none-any.whl`,
    content: makeWheel("spam", version, { "spam.py": version }, requires),
    uploadTime: at(days),
  });
  const eggs = (version: string, days: number): DistFile => ({
    project: "eggs",
    filename: `eggs-${version}-py3-none-any.whl`,
    content: makeWheel("eggs", version, { "eggs.py": version }),
    uploadTime: at(days),
  });
  const { url } = await world([
    wheel("1.0", -20, ["eggs"]),
    wheel("2.0", -5, ["eggs>=2"]),
    eggs("1.0", -20),
    eggs("1.5", -8),
    eggs("2.0", -6),
  ]);
  const frozenAt = async (instant: string): Promise<string[]> => {
    const target = join(temporaryDirectory("travel"), "target");
    await promisify(execFile)("python3", [
      "-m",
      "pip",
      "install",
      "--quiet",
      "--isolated",
      "--no-cache-dir",
      "--disable-pip-version-check",
      `--target=${target}`,
      `--index-url=${url}/at/${instant}/simple/`,
      "spam",
    ]);
    return (await readdir(target)).filter((name) => name.endsWith(".dist-info")).toSorted();
  };
  expect(await frozenAt(at(-7))).toEqual(["eggs-1.5.dist-info", "spam-1.0.dist-info"]);
  expect(await frozenAt(at(0))).toEqual(["eggs-2.0.dist-info", "spam-2.0.dist-info"]);
  await expect(frozenAt(at(-30))).rejects.toThrow("No matching distribution found for spam");
});

test("an attempt of a date with an index that says no times has a fault to show for it", async () => {
  const { service } = await world([file("1.0", -9, { extra: { "upload-time": null } })]);
  const socketPath = join(temporaryDirectory("travel"), "index.sock");
  await using endpoint = await service.openEndpoint({
    socketPath,
    attemptId: "a1",
    before: new Date(START),
  });
  await using relay = await startRelay(socketPath);
  await fetch(`http://127.0.0.1:${relay.port}${endpoint.indexPath}spam/`);
  expect(endpoint.record()).toMatchObject({
    pages: [{ project: "spam", undated: 1 }],
    faults: [{ code: "upstream", line: "spam: the index does not say when files were uploaded" }],
  });
});
