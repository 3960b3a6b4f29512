import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";

import { expect, test } from "vitest";

import { owned, temporaryDirectory } from "../../test/owned.ts";
import { CreameryError } from "../base/errors.ts";
import type { AttemptBucket } from "../bucket/bucket.ts";
import { DirectoryBucket } from "../bucket/directory-bucket.ts";
import { COMPRESSION_HEADER, DIGEST_HEADER, digestOf } from "../worker/farm-assets.ts";
import { RemoteBucket } from "../worker/remote-bucket.ts";
import { assetRoutes } from "./asset-routes.ts";
import { startLocalFarm, workerToken, type FarmEnv, type LocalFarm } from "./local-farm.sample.ts";

const signal = new AbortController().signal;
const sha = (content: Buffer | string): string =>
  createHash("sha256").update(content).digest("hex");
const SOURCE = Buffer.alloc(100_000, "a person's own archive ");
const LEASES: Readonly<Record<string, readonly string[]>> = { a: ["a1", "a2"], b: ["b1"] };

interface Place {
  readonly farm: LocalFarm;
  readonly root: string;
  readonly kept: DirectoryBucket;
  readonly spool: string;
  readonly bucketOf: (worker: string) => Promise<RemoteBucket>;
}

/** @param change stands between the routes and the farm's bucket. */
async function place(
  change: (kept: AttemptBucket) => AttemptBucket = (kept) => kept,
): Promise<Place> {
  const root = temporaryDirectory("assets");
  const spool = temporaryDirectory("assets");
  const kept = await DirectoryBucket.open(root);
  const routes = assetRoutes<string, FarmEnv>({
    bucket: change(kept),
    principalOf: (context) => context.get("worker"),
    mayWrite: async (worker, attemptId) => LEASES[worker]?.includes(attemptId) ?? false,
    mayUseSource: async (worker, sha256) => worker === "a" && sha256 === sha(SOURCE),
  });
  const farm = owned(await startLocalFarm((api) => api.route("/worker", routes)));
  const bucketOf = async (worker: string) =>
    await RemoteBucket.open({ farm: await farm.worker(worker), directory: spool });
  return { farm, root, kept, spool, bucketOf };
}

async function* chunks(...texts: string[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text);
}

async function contentOf(bucket: AttemptBucket, key: string): Promise<string | null> {
  const blob = await bucket.open(key);
  return blob === null ? null : (await buffer(blob.content(signal))).toString();
}

test("what a worker makes is in the farm's bucket as the farm's own would be", async () => {
  const { bucketOf, kept, root, spool } = await place();
  const bucket = await bucketOf("a");
  const log = "a line of a log\n".repeat(5000);
  const here = await DirectoryBucket.open(temporaryDirectory("assets"));
  for (const compression of ["none", "gzip", "zstd"] as const) {
    const key = `attempts/a1/${compression === "none" ? "log.txt" : `${compression}-1.whl`}`;
    const stored = await bucket.create(key, chunks(log, "end"), { signal, compression });
    const same = await here.create(key, chunks(log, "end"), { signal, compression });
    expect(stored).toEqual(same);
    expect(await contentOf(kept, key)).toBe(`${log}end`);
    expect(await contentOf(bucket, key)).toBe(`${log}end`);
    expect(await bucket.locate(key)).toBe(await kept.locate(key));
    expect((await bucket.locate(key))?.startsWith(root)).toBe(true);
  }
  const json = await bucket.create("attempts/a1/report.json", Buffer.from("{}"), {
    signal,
    compression: "gzip",
  });
  expect(json).toMatchObject({ sha256: sha("{}"), sizeBytes: 2 });
  const names = ["gzip-1.whl", "log.txt", "report.json", "zstd-1.whl"];
  expect(await bucket.list("attempts/a1/")).toEqual(names.map((name) => `attempts/a1/${name}`));
  await bucket.remove("attempts/a1/report.json");
  expect(await bucket.locate("attempts/a1/report.json")).toBeNull();
  expect(await bucket.open("attempts/a1/report.json")).toBeNull();
  expect(readdirSync(spool)).toEqual([]);
});

test("a key is made once: the same again is no fault, something else is", async () => {
  const { bucketOf, kept } = await place();
  const bucket = await bucketOf("a");
  const options = { signal, compression: "none" } as const;
  const first = await bucket.create("attempts/a1/log.txt", Buffer.from("one"), options);
  expect(await bucket.create("attempts/a1/log.txt", chunks("o", "ne"), options)).toEqual(first);
  await expect(
    bucket.create("attempts/a1/log.txt", Buffer.from("other"), options),
  ).rejects.toMatchObject({ code: "bucket" });
  expect(await contentOf(kept, "attempts/a1/log.txt")).toBe("one");
  // At once: one of the two wins, and the other hears of it.
  const raced = await Promise.allSettled(
    ["left", "right"].map((text) =>
      bucket.create("attempts/a2/log.txt", chunks(text.repeat(50_000)), options),
    ),
  );
  expect(raced.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
});

test("an answer that was lost is asked for again, and what it was about is there once", async () => {
  let lost = 0;
  const { bucketOf, kept } = await place((inner) => ({
    create: async (...args) => {
      await inner.create(...args);
      lost++;
      throw new CreameryError("interrupted", "the farm is being stopped");
    },
    open: (key) => inner.open(key),
    list: (prefix) => inner.list(prefix),
    remove: (key) => inner.remove(key),
    renew: (key) => inner.renew(key),
    locate: (key) => inner.locate(key),
  }));
  const bucket = await bucketOf("a");
  const stored = await bucket.create("attempts/a1/log.txt", chunks("once"), {
    signal,
    compression: "none",
  });
  expect(stored.sha256).toBe(sha("once"));
  expect(lost).toBe(1);
  expect(await contentOf(kept, "attempts/a1/log.txt")).toBe("once");
});

test("a worker has to do with the attempts that it holds leases of, and with no other", async () => {
  const { bucketOf, kept, farm } = await place();
  const [a, b] = [await bucketOf("a"), await bucketOf("b")];
  const options = { signal, compression: "none" } as const;
  await a.create("attempts/a1/log.txt", Buffer.from("mine"), options);
  const refused = { code: "farm-refused" };
  await expect(b.create("attempts/a1/report.json", SOURCE, options)).rejects.toMatchObject(refused);
  await expect(b.create("attempts/a1/log.txt", Buffer.from("mine"), options)).rejects.toMatchObject(
    refused,
  );
  await expect(b.open("attempts/a1/log.txt")).rejects.toMatchObject(refused);
  await expect(b.locate("attempts/a1/log.txt")).rejects.toMatchObject(refused);
  await expect(b.list("attempts/a1/")).rejects.toMatchObject(refused);
  await expect(b.remove("attempts/a1/log.txt")).rejects.toMatchObject(refused);
  await expect(a.create("attempts/zz/log.txt", SOURCE, options)).rejects.toMatchObject(refused);
  expect(await kept.list("")).toEqual(["attempts/a1/log.txt"]);
  expect(farm.requests.length).toBeGreaterThan(6);
});

test("a large one that is refused before it was read is told why, from memory and from disk", async () => {
  const { bucketOf, farm, kept } = await place();
  const bucket = await bucketOf("a");
  const large = Buffer.alloc(40 * 1024 ** 2, "log");
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let at = 0; at < large.length; at += 1024 ** 2) yield large.subarray(at, at + 1024 ** 2);
  }
  for (const content of [large, pieces()])
    await expect(
      bucket.create("attempts/zz/log.txt", content, { signal, compression: "none" }),
    ).rejects.toMatchObject({ code: "farm-refused" });
  expect(farm.requests).toHaveLength(2);
  expect(await kept.list("")).toEqual([]);
});

test("a source is for workers whose job it is of, and is what its name says", async () => {
  const { bucketOf, kept } = await place();
  const [a, b] = [await bucketOf("a"), await bucketOf("b")];
  const key = `sources/${sha(SOURCE)}`;
  const options = { signal, compression: "none", expectedSha256: sha(SOURCE) } as const;
  await expect(a.create(key, chunks("else"), options)).rejects.toMatchObject({ code: "bucket" });
  await a.create(key, SOURCE, options);
  expect(await contentOf(a, key)).toBe(SOURCE.toString());
  expect(await kept.list("")).toEqual([key]);
  await expect(b.open(key)).rejects.toMatchObject({ code: "farm-refused" });
});

test.each([
  "attempts/a1/other.txt",
  "attempts/a1/../a1/log.txt",
  "attempts/a1/wheels/x.whl",
  "attempts/A1/log.txt",
  "image-files/0",
  "sources/zz",
  "log.txt",
])("%s is no key of a worker's", async (key) => {
  const { bucketOf, farm, kept } = await place();
  const bucket = await bucketOf("a");
  await expect(bucket.create(key, SOURCE, { signal, compression: "none" })).rejects.toMatchObject({
    code: "bucket",
  });
  expect(farm.requests).toEqual([]);
  // Nor where nobody asks the client.
  const path = key.replace(/^attempts\/([^/]+)\//u, "attempts/$1/assets/");
  expect((await put(farm, path, SOURCE)).status).toBeGreaterThanOrEqual(400);
  expect(await kept.list("")).toEqual([]);
});

interface PutOptions {
  readonly sha256?: string;
  readonly length?: number | null;
  readonly compression?: string;
  /** Of one that says that more comes: until it goes away. Without it waits to be answered. */
  readonly leaves?: () => Promise<void>;
}

/** A PUT as no client of ours makes it. */
async function put(
  { url }: LocalFarm,
  path: string,
  content: Buffer,
  { sha256 = sha(content), length = content.length, compression = "none", leaves }: PutOptions = {},
): Promise<{ status: number; text: string }> {
  const outgoing = request(`${url}/api/v1/${path}`, {
    method: "PUT",
    headers: {
      authorization: `Bearer ${workerToken("a")}`,
      ...(sha256 === "" ? {} : { [DIGEST_HEADER]: digestOf(sha256) }),
      [COMPRESSION_HEADER]: compression,
      ...(length === null ? { "transfer-encoding": "chunked" } : { "content-length": length }),
    },
  });
  const answered = Promise.withResolvers<{ status: number; text: string }>();
  outgoing.on("response", (response) => {
    buffer(response).then(
      (body) => answered.resolve({ status: response.statusCode ?? 0, text: body.toString() }),
      () => answered.resolve({ status: response.statusCode ?? 0, text: "" }),
    );
  });
  outgoing.on("error", () => answered.resolve({ status: 0, text: "" }));
  if (length !== null && length > content.length) {
    outgoing.write(content);
    void leaves?.().then(() => outgoing.destroy());
  } else outgoing.end(content);
  const answer = await answered.promise;
  outgoing.destroy();
  return answer;
}

test("what is too large, cut short, of another hash or says too little is refused with nothing left", async () => {
  const { farm, kept, root } = await place();
  const log = "worker/attempts/a1/assets/log.txt";
  const lock = "worker/attempts/a1/assets/pylock.toml";
  expect((await put(farm, lock, Buffer.alloc(10), { length: 17 * 1024 ** 2 })).status).toBe(413);
  expect((await put(farm, log, SOURCE, { sha256: sha("else") })).status).toBe(500);
  expect((await put(farm, log, SOURCE, { sha256: "" })).status).toBe(400);
  expect((await put(farm, log, SOURCE, { compression: "xz" })).status).toBe(400);
  expect((await put(farm, log, SOURCE, { length: null })).status).toBe(400);
  const halves = () => readdirSync(join(root, ".new"));
  const leaves = async () => await expect.poll(halves).not.toEqual([]);
  expect((await put(farm, log, SOURCE, { length: SOURCE.length + 5, leaves })).status).toBe(0);
  await expect.poll(halves).toEqual([]);
  expect(await kept.list("")).toEqual([]);
});

test("a worker that stops in the middle leaves nothing, here or there", async () => {
  const { bucketOf, kept, root, spool } = await place();
  const bucket = await bucketOf("a");
  const abort = new AbortController();
  async function* endless(): AsyncGenerator<Buffer> {
    yield SOURCE;
    abort.abort(new CreameryError("interrupted", "enough"));
    yield SOURCE;
  }
  await expect(
    bucket.create("attempts/a1/log.txt", endless(), { signal: abort.signal, compression: "none" }),
  ).rejects.toMatchObject({ code: "interrupted" });
  expect([readdirSync(spool), readdirSync(join(root, ".new"))]).toEqual([[], []]);
  expect(await kept.list("")).toEqual([]);
});
