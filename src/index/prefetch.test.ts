import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

import { freePort } from "../../test/free-port.ts";
import { owned, temporaryDirectory } from "../../test/owned.ts";
import { makeWheel } from "../../test/upstream/make-wheel.ts";
import { startRelay } from "../../test/upstream/relay.ts";
import { startUpstream, type DistFile } from "../../test/upstream/upstream.ts";
import { takeInventory } from "./cache/inventory.ts";
import { parseSpecifierSet } from "../python/specifiers.ts";
import { openIndexService, type IndexService } from "./index-service.ts";
import { prefetch, type PrefetchOptions, type PrefetchWish } from "./prefetch.ts";
import { sampleUpstreams } from "./upstream/upstreams.sample.ts";

const signal = new AbortController().signal;
async function open(index: string, directory: string, now?: () => number): Promise<IndexService> {
  const upstreams = await sampleUpstreams({ index });
  const opened = owned(
    await openIndexService({
      directory,
      upstreams,
      ...(now === undefined ? {} : { now }),
    }),
  );
  return opened;
}

const file = (filename: string, more: Partial<DistFile> = {}): DistFile => ({
  project: "spam",
  filename,
  content: Buffer.from(`content of ${filename} `.repeat(40)),
  ...more,
});
const releases = [
  file("spam-1.0.tar.gz"),
  file("spam-2.0.tar.gz"),
  file("spam-2.0-py3-none-any.whl"),
  file("spam-2.0-cp313-cp313-win_amd64.whl"),
  file("spam-3.0.tar.gz", { yanked: "broken" }),
  file("spam-4.0rc1.tar.gz"),
  file("spam-extras-5.0.tar.gz"),
];
const sha = (content: Buffer): string => createHash("sha256").update(content).digest("hex");
const wish = (specifiers = "", sha256s: readonly string[] | null = null): PrefetchWish => ({
  project: "spam",
  specifiers: parseSpecifierSet(specifiers) ?? [],
  sha256s,
});

async function bring(wishes: readonly PrefetchWish[], options: Partial<PrefetchOptions> = {}) {
  const up = owned(await startUpstream({ files: releases }));
  const index = await open(up.url, temporaryDirectory("prefetch"));
  const brought = await prefetch({
    index,
    wishes,
    onlyWheels: false,
    allReleases: false,
    maxBytes: 1 << 30,
    signal,
    ...options,
  });
  const asked = up.requests.flatMap((line) => /\/packages\/(\S+)/u.exec(line)?.[1] ?? []);
  return { brought, asked: asked.toSorted() };
}

test("the newest release that fits is brought, and nothing else of the project", async () => {
  expect((await bring([wish()])).asked).toEqual([
    "spam-2.0-cp313-cp313-win_amd64.whl",
    "spam-2.0-py3-none-any.whl",
    "spam-2.0.tar.gz",
  ]);
  expect((await bring([wish("<2")])).asked).toEqual(["spam-1.0.tar.gz"]);
  expect((await bring([wish("==3.0")])).asked).toEqual(["spam-3.0.tar.gz"]);
  const wheels = await bring([wish()], { onlyWheels: true });
  expect(wheels.asked).toHaveLength(2);
  expect(wheels.brought).toMatchObject([
    { versions: ["2.0"], files: 2, fetchedFiles: 2, faults: [] },
  ]);
  expect((await bring([wish("<3")], { allReleases: true })).asked).toHaveLength(4);
});

test("of what is named by hash exactly these files, and what is gone is said", async () => {
  const [first] = releases;
  const { asked, brought } = await bring([
    wish("", [sha(first?.content ?? Buffer.alloc(0)), "0".repeat(64)]),
  ]);
  expect(asked).toEqual(["spam-1.0.tar.gz"]);
  expect(brought).toMatchObject([
    { files: 1, faults: [`no file with sha256 ${"0".repeat(64)} is on its page any more`] },
  ]);
});

test("no more than its bound, and what can't be had of one project keeps none of the others", async () => {
  const few = await bring([wish()], { maxBytes: 3000 });
  expect(few.asked).toHaveLength(2);
  expect(few.brought[0]?.faults).toHaveLength(1);
  const { brought } = await bring([
    { ...wish(), project: "eggs" },
    wish("<0"),
    { ...wish("<2"), project: "spam" },
  ]);
  expect(brought.map(({ faults }) => faults)).toEqual([
    ["is on no index"],
    ["has no release <0"],
    [],
  ]);
});

test(
  "what was brought is installed by pip when the index is away, by another process and days later",
  { timeout: 60_000 },
  async () => {
    const up = await startUpstream({
      port: await freePort(),
      files: [
        file("spam-1.0-py3-none-any.whl", {
          content: makeWheel("spam", "1.0", { "spam.py": "" }, ["eggs>=1"]),
        }),
        file("eggs-1.5-py3-none-any.whl", {
          project: "eggs",
          content: makeWheel("eggs", "1.5", { "eggs.py": "" }),
        }),
      ],
    });
    const directory = temporaryDirectory("prefetch");
    const first = await open(up.url, directory);
    await prefetch({
      index: first,
      wishes: [wish(), { ...wish(), project: "eggs" }],
      onlyWheels: false,
      allReleases: false,
      maxBytes: 1 << 30,
      signal,
    });
    await first[Symbol.asyncDispose]();
    await up[Symbol.asyncDispose]();

    const longAgo = Date.now() / 1000 - 30 * 86_400;
    for (const { paths } of (await takeInventory(directory, signal)).units)
      for (const path of paths) utimesSync(path, longAgo, longAgo);
    const later = await open(up.url, directory, () => Date.now() + 5 * 86_400_000);
    const socketPath = join(temporaryDirectory("prefetch"), "index.sock");
    await using endpoint = await later.openEndpoint({ socketPath, attemptId: "a1" });
    await using relay = await startRelay(socketPath);
    const origin = `http://127.0.0.1:${relay.port}`;
    const page = await fetch(`${origin}${endpoint.indexPath}spam/`);
    expect(page.headers.get("warning")).toContain("Stale");
    const target = temporaryDirectory("prefetch");
    const argv = ["-I", "-m", "pip", "--isolated", "install", "-q", "--no-cache-dir", "--no-input"];
    const where = ["--index-url", `${origin}${endpoint.indexPath}`, "--target", target];
    await promisify(execFile)("python3", [...argv, ...where, "spam"], {
      env: { PATH: process.env["PATH"] ?? "" },
    });
    expect(readdirSync(target)).toEqual(expect.arrayContaining(["spam.py", "eggs.py"]));
    // Metadata too: it comes out of the wheel that is here.
    const metadata = `${origin}${endpoint.indexPath.replace("simple/", "files/")}`;
    const [wheel] = (await later.project("spam", signal))?.files ?? [];
    const said = await fetch(`${metadata}spam/${wheel?.key}/${wheel?.filename}.metadata`);
    expect(await said.text()).toContain("Requires-Dist: eggs>=1");
    // All that was served is in use, though upstream did not say it anew: it is not the next to be collected.
    const { units } = await takeInventory(directory, signal);
    expect(units.map(({ area }) => area).toSorted()).toEqual([
      "files",
      "files",
      "metadata",
      "metadata",
      "pages",
      "pages",
    ]);
    for (const { usedMs } of units) expect(Date.now() - usedMs).toBeLessThan(60_000);
    // What is not here is a fault that says so, and never an empty answer.
    expect((await fetch(`${origin}${endpoint.indexPath}ham/`)).status).toBe(502);
  },
);
