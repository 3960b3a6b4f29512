import { existsSync, utimesSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";

import { startUpstream } from "../../../test/upstream/upstream.ts";
import { openIndexService } from "../index-service.ts";
import { sampleUpstreams } from "../upstream/upstreams.sample.ts";
import { collectIndex } from "./collect-index.ts";
import { SampleIndex, sha256Of } from "./index-directory.sample.ts";

const signal = new AbortController().signal;
/** More than all buffers of a connection hold. */
const content = Buffer.alloc(24 << 20, "spam and eggs ");
const spam = { project: "spam", filename: "spam-1.0.tar.gz", content };

function asking(socketPath: string, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path }).once("response", resolve).once("error", reject);
  });
}

function collect(directory: string) {
  return collectIndex({
    directory,
    maxBytes: 0,
    graceMs: 2 * 3_600_000,
    pinned: async () => new Set<string>(),
    nowMs: Date.now(),
    dryRun: false,
    signal,
  });
}

test("a file that is being sent when it is removed comes whole, and is fetched anew by the next who asks", async () => {
  await using index = new SampleIndex();
  await using upstream = await startUpstream({ files: [spam] });
  const { directory } = index;
  const upstreams = await sampleUpstreams({ index: upstream.url });
  await using service = await openIndexService({ directory, upstreams });
  const sha256 = index.file(content, 1);
  const socketPath = join(directory, "index.sock");
  await using endpoint = await service.openEndpoint({ socketPath, attemptId: "a1" });
  const path = `${endpoint.indexPath.replace("simple/", "files/")}spam/${sha256}/${spam.filename}`;
  const incoming = await asking(socketPath, path);
  // Begun, and stopped by a client that reads nothing.
  await sleep(50);
  const longAgo = Date.now() / 1000 - 100 * 3600;
  utimesSync(index.pathOf(sha256), longAgo, longAgo);
  expect((await collect(directory)).removed.map(({ area }) => area)).toContain("files");
  expect(existsSync(index.pathOf(sha256))).toBe(false);
  expect(sha256Of(await buffer(incoming))).toBe(sha256);
  expect(endpoint.record().faults).toEqual([]);
  expect(sha256Of(await buffer(await asking(socketPath, path)))).toBe(sha256);
  expect(upstream.requests.filter((line) => line.includes("/packages/"))).toHaveLength(1);
});

test("a file that is on its way is let come", async () => {
  await using index = new SampleIndex();
  const faults = [{ on: "/packages/", kind: "slow" } as const];
  await using upstream = await startUpstream({ files: [spam], faults });
  const { directory } = index;
  const upstreams = await sampleUpstreams({ index: upstream.url });
  await using service = await openIndexService({ directory, upstreams });
  const page = await service.project("spam", signal);
  const [file] = page?.files ?? [];
  if (page === null || file === undefined) throw new Error("no file");
  const fetching = service.fetchFile(page, file, signal);
  await expect.poll(() => upstream.requests.some((line) => line.includes("/packages/"))).toBe(true);
  await collect(directory);
  expect((await fetching).sizeBytes).toBe(content.length);
  // Young: it stays though nothing has room.
  expect((await collect(directory)).overBytes).toBeGreaterThan(content.length);
  expect(existsSync(index.pathOf(sha256Of(content)))).toBe(true);
});
