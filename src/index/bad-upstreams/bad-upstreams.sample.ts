import { createHash } from "node:crypto";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect } from "vitest";

import { owned, temporaryDirectory } from "../../../test/owned.ts";
import {
  PAGE_TYPE,
  rowOf,
  sends,
  sendsFile,
  sendsPage,
  startBadUpstream,
  type Answer,
  type BadUpstream,
} from "../../../test/upstream/bad-upstream.ts";
import { askSocket, type Got } from "../serve/ask-socket.sample.ts";
import { takeInventory } from "../cache/inventory.ts";
import { verifyIndex } from "../cache/verify-index.ts";
import { openIndexService, type Endpoint, type IndexService } from "../index-service.ts";
import { sampleUpstreams } from "../upstream/upstreams.sample.ts";
import type { MirrorOptions } from "../mirror.ts";
import type { UpstreamSettings } from "../upstream/upstreams.ts";

/**
 * Upstreams that lie, cut off, hang, send elsewhere and change their words. Of each: what a client gets, the fault that is
 * recorded, that nothing wrong is kept, and that an honest upstream is served right afterwards, by the same process.
 */

const signal = new AbortController().signal;

export const FILE = "spam-1.0.tar.gz";
/** As large as what is held back at the end, and more. */
export const content = gzipSync(
  Buffer.from(Array.from({ length: 9000 }, (_, at) => (at * 7919) & 255)),
  {
    level: 0,
  },
);
export const other = Buffer.from(content).fill("other ", 100);
export const sha = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

export function pageOf(
  rows: readonly unknown[],
  more: Readonly<Record<string, unknown>> = {},
): unknown {
  return { meta: { "api-version": "1.1" }, name: "spam", versions: ["1.0"], files: rows, ...more };
}

export const honestPage = sendsPage(pageOf([rowOf(FILE, content)]));
export const HONEST: BadUpstream["answers"] = [
  ["/simple/spam/", honestPage],
  [`/packages/${FILE}`, sendsFile(content)],
];

export interface Tried {
  /** What the mirror told whoever runs it. */
  readonly told: readonly string[];
  readonly up: BadUpstream;
  readonly farm: IndexService;
  readonly directory: string;
  readonly endpoint: Endpoint;
  /** Everything is older than any freshness. */
  later(): void;
  ask(path: string, headers?: Record<string, string>): Promise<Got>;
  page(headers?: Record<string, string>): Promise<Got>;
  file(filename?: string, key?: string): Promise<Got>;
}

/** How long is waited for one who is silent, or never comes to an end. */
export type Patience = Pick<MirrorOptions, "idleMs" | "deadlineMs">;
/** With one who says nothing. The honest one beside it has to answer in that time too, on a busy machine. */
export const SILENT: Patience = { idleMs: 500 };

const SMALL = { maxFileBytes: 1 << 20 };

/** Another process on the same directory. */
export async function openAgain({ directory, up }: Tried): Promise<IndexService> {
  const upstreams = await sampleUpstreams({ index: up.url });
  return await openIndexService({ directory, upstreams, ...SMALL });
}

export async function trying(
  answers: BadUpstream["answers"],
  settings: Pick<UpstreamSettings, "extra"> = {},
  patience: Patience = {},
): Promise<Tried> {
  const up = owned(await startBadUpstream(answers));
  const directory = temporaryDirectory("bad");
  let now = Date.now();
  const told: string[] = [];
  const farm = owned(
    await openIndexService({
      directory,
      upstreams: await sampleUpstreams({ index: up.url, ...settings }),
      ...SMALL,
      ...patience,
      now: () => now,
      onReplaced: (line) => told.push(line),
    }),
  );
  const socketPath = join(directory, "index.sock");
  const endpoint = await farm.openEndpoint({ socketPath, attemptId: "a1" });
  const ask: Tried["ask"] = (path, headers = {}) => askSocket(socketPath, path, headers);
  const files = endpoint.indexPath.replace("simple/", "files/");
  return {
    told,
    up,
    farm,
    directory,
    endpoint,
    later: () => {
      now += 7 * 86_400_000;
    },
    ask,
    page: (headers) => ask(`${endpoint.indexPath}spam/`, headers),
    file: (filename = FILE, key = sha(content)) => ask(`${files}spam/${key}/${filename}`),
  };
}

/** Nothing is kept but what an honest upstream has, and it is all served right once there is one. */
export async function expectUnpoisoned(tried: Tried): Promise<void> {
  const { directory, up } = tried;
  // A half goes after its fault was told.
  await expect.poll(async () => (await takeInventory(directory, signal)).partialBytes).toBe(0);
  const before = await takeInventory(directory, signal);
  const files = before.units.filter(({ area }) => area === "files").map(({ name }) => name);
  expect(files.filter((name) => name !== sha(content))).toEqual([]);
  expect(await verifyIndex({ directory, signal })).toMatchObject({ faults: [] });
  up.answers = HONEST;
  tried.later();
  const page = await tried.page({ accept: PAGE_TYPE });
  expect(page.status).toBe(200);
  expect(JSON.parse(page.body.toString())).toMatchObject({
    name: "spam",
    files: [{ filename: FILE, hashes: { sha256: sha(content) } }],
  });
  const file = await tried.file();
  expect([file.status, file.whole]).toEqual([200, true]);
  expect(file.body.equals(content)).toBe(true);
}

export interface BadAnswer {
  readonly is: string;
  readonly answer: Answer;
  /** Where its end is that it was waited for long enough. */
  readonly patience?: Patience;
  /** Its code, and what its line says. */
  readonly fault: readonly [string, RegExp];
}

export const redirect = (location: string): Answer => sends("", { location }, 302);
export const html = (text: string): Answer =>
  sends(text, { "content-type": "text/html; charset=utf-8" });
export const json = (text: string): Answer => sends(text, { "content-type": PAGE_TYPE });
export const row = rowOf(FILE, content);
