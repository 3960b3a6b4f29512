import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { inspect } from "node:util";
import { afterEach, describe, expect, test } from "vitest";

import {
  S3_BUCKET,
  S3_KEY_ID,
  S3_SECRET,
  startS3Server,
  type S3Server,
  type S3ServerOptions,
  type S3Trouble,
  type SeenRequest,
} from "../../test/upstream/s3-server.ts";
import { bucketContract } from "./bucket-contract.ts";
import { S3Bucket } from "./s3-bucket.ts";
import { S3Credentials, type S3Place } from "./s3/s3-place.ts";

const { signal } = new AbortController();
const opened = new AsyncDisposableStack();
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await opened[Symbol.asyncDispose]();
});

interface Opened {
  readonly root: string;
  readonly server: S3Server;
  readonly bucket: S3Bucket;
  /** How long was waited between tries. */
  readonly pauses: number[];
}

async function open(
  options: Partial<S3ServerOptions> = {},
  change: Partial<S3Place> = {},
  secret = S3_SECRET,
): Promise<Opened> {
  const root = mkdtempSync(join(tmpdir(), "creamery-s3-"));
  const server = await startS3Server({ directory: join(root, "served"), ...options });
  const pauses: number[] = [];
  const bucket = await S3Bucket.open(
    {
      bucket: S3_BUCKET,
      prefix: "farm-1/",
      endpoint: server.endpoint,
      region: server.region,
      addressing: "path",
      ...change,
    },
    {
      credentials: new S3Credentials(S3_KEY_ID, secret),
      spoolDirectory: join(root, "spool"),
      pause: (ms) => {
        pauses.push(ms);
        return Promise.resolve();
      },
    },
  );
  ends.push(async () => {
    bucket[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
    await rm(root, { recursive: true, force: true });
  });
  return { root, server, bucket, pauses };
}

const objectPath = (root: string, key: string) =>
  join(root, "served", S3_BUCKET, "farm-1", `${key}._S3rver_object`);

for (const conditional of [true, false]) {
  describe(`a bucket on a server that ${conditional ? "knows" : "does not know"} conditions`, () => {
    bucketContract(
      async () => {
        const { root, server, bucket } = await open({ conditional, pageKeys: 3 });
        return {
          bucket,
          setAge: (key, madeMs) => server.setAge(`farm-1/${key}`, madeMs),
          spoil: async (key) => {
            const bytes = readFileSync(objectPath(root, key));
            bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
            writeFileSync(objectPath(root, key), bytes);
          },
        };
      },
      { decides: conditional },
    );
  });
}

const log = Buffer.from("one line of a log\n".repeat(50_000));
const large = randomBytes(9_000_000);

async function contentOf(bucket: S3Bucket, key: string): Promise<Buffer> {
  const blob = await bucket.open(key);
  if (blob === null) throw new Error("is not there");
  return await buffer(blob.content(signal));
}

test("a log is text for a browser, and packed; nothing is a page that it would run", async () => {
  const { server, root, bucket } = await open();
  await bucket.create("attempts/a1/log.txt", log, { signal, compression: "gzip" });
  await bucket.create("attempts/a1/report.json", log, { signal, compression: "zstd" });
  await bucket.create("attempts/a1/evil.html", log, { signal, compression: "none" });
  const put = (key: string) =>
    server.seen.find(({ method, url }) => method === "PUT" && url.endsWith(key))?.headers;
  expect(put("log.txt")).toMatchObject({
    "content-type": "text/plain; charset=utf-8",
    "content-encoding": "gzip",
    "if-none-match": "*",
    "x-amz-meta-creamery-size": String(log.length),
    "x-amz-meta-creamery-compression": "gzip",
  });
  expect(put("report.json")).toMatchObject({
    "content-type": "application/json",
    "content-encoding": "zstd",
  });
  expect(put("evil.html")).toMatchObject({ "content-type": "application/octet-stream" });
  expect(put("evil.html")).not.toHaveProperty("content-encoding");
  expect(readFileSync(objectPath(root, "attempts/a1/log.txt")).subarray(0, 2)).toEqual(
    Buffer.from([0x1f, 0x8b]),
  );
  // What any client sees that asks without us.
  const answer = await fetch(`${server.endpoint}/${S3_BUCKET}/farm-1/attempts/a1/log.txt`);
  expect(answer.status).toBe(403);
});

test("no part of an upload is larger than 8 MiB, and the hash that is known beforehand needs no second reading", async () => {
  const { server, bucket, root } = await open();
  await bucket.create("k", large, { signal, compression: "none" });
  const sizes = server.seen.map(({ bodyBytes }) => bodyBytes);
  expect(Math.max(...sizes)).toBe(8 * 1024 * 1024);
  expect(server.seen.filter(({ url }) => url.includes("partNumber="))).toHaveLength(2);
  const completed = server.seen.find(
    ({ method, url }) => method === "POST" && url.includes("uploadId="),
  );
  expect(completed?.headers).toMatchObject({ "if-none-match": "*" });
  expect(readdirSync(join(root, "spool"))).toEqual([]);
});

test("who asks is shown nowhere", async () => {
  const { bucket, server } = await open();
  server.trouble = () => ({ kind: "status", status: 403, code: "AccessDenied" });
  const fault: unknown = await bucket.open("k").catch((thrown: unknown) => thrown);
  for (const text of [
    inspect(fault, { depth: 9 }),
    inspect(bucket, { depth: 9, showHidden: true }),
    JSON.stringify(new S3Credentials("id", S3_SECRET)),
    String(new S3Credentials("id", S3_SECRET)),
  ])
    expect(text).not.toContain(S3_SECRET);
  expect(fault).toMatchObject({ code: "bucket" });
  expect(inspect(fault)).toMatch(/AccessDenied/u);
});

test.each([
  ["another secret", {}, "another", /check the credentials/u],
  ["another region", { region: "elsewhere-1" }, S3_SECRET, /check the credentials/u],
  ["a bucket that is not there", { bucket: "none" }, S3_SECRET, /NoSuchBucket.*make the bucket/u],
])("%s is told with the next step", async (_, change, secret, line) => {
  const { bucket, pauses } = await open({}, change, secret);
  for (const work of [
    () => bucket.create("k", log, { signal, compression: "none" }),
    () => bucket.list(""),
  ]) {
    const fault: unknown = await work().catch((thrown: unknown) => thrown);
    expect(fault).toMatchObject({ code: "bucket" });
    expect(fault).toHaveProperty("line", expect.stringMatching(line));
  }
  expect(pauses).toEqual([]);
});

test("an object that somebody else put there is neither read nor replaced", async () => {
  const { server, bucket, root } = await open();
  await bucket.create("k", log, { signal, compression: "none" });
  writeFileSync(objectPath(root, "k").replace(/object$/u, "metadata.json"), "{}");
  for (const work of [
    () => bucket.open("k"),
    () => bucket.create("k", log, { signal, compression: "none" }),
  ])
    await expect(work()).rejects.toMatchObject({
      code: "bucket",
      message: "was put there by something else: nothing is noted of it",
    });
  expect(server.seen.filter(({ method }) => method === "PUT")).toHaveLength(1);
});

describe("with a server or a network that fails", () => {
  /** Once, for the first request that is meant. */
  const once = (is: (request: SeenRequest) => boolean, trouble: S3Trouble) => {
    let done = false;
    return (request: SeenRequest): S3Trouble | null => {
      if (done || !is(request)) return null;
      done = true;
      return trouble;
    };
  };
  const isPut = ({ method }: SeenRequest) => method === "PUT";
  const isPart = ({ url }: SeenRequest) => url.includes("partNumber=2");
  const isCompletion = ({ method, url }: SeenRequest) =>
    method === "POST" && url.includes("uploadId=");
  const isGet = ({ method }: SeenRequest) => method === "GET";

  const passing: readonly [string, S3Trouble][] = [
    ["a connection that is cut", { kind: "cut-before" }],
    ["an answer that is lost", { kind: "cut-after" }],
    ["500", { kind: "status", status: 500, code: "InternalError" }],
    ["503 SlowDown", { kind: "status", status: 503, code: "SlowDown" }],
    ["429", { kind: "status", status: 429, code: "TooManyRequests" }],
    ["400 RequestTimeout", { kind: "status", status: 400, code: "RequestTimeout" }],
    ["409 of a condition", { kind: "status", status: 409, code: "ConditionalRequestConflict" }],
    ["a late answer", { kind: "late", ms: 50 }],
  ];

  test.each(passing)("%s while one object is made is tried again", async (_, trouble) => {
    const { server, bucket, pauses } = await open();
    server.trouble = once(isPut, trouble);
    const stored = await bucket.create("k", log, { signal, compression: "gzip" });
    expect(stored.sizeBytes).toBe(log.length);
    expect((await contentOf(bucket, "k")).equals(log)).toBe(true);
    expect(pauses).toHaveLength(trouble.kind === "late" ? 0 : 1);
  });

  test.each([
    ...passing,
    ["a fault with status 200", { kind: "fault-in-ok", code: "InternalError" }] as const,
  ])("%s while a part is sent or an upload completed is tried again", async (_, trouble) => {
    const { server, bucket } = await open();
    for (const [key, is] of [
      ["part", isPart],
      ["completion", isCompletion],
    ] as const) {
      server.trouble = once(is, trouble);
      await bucket.create(key, large, { signal, compression: "none" });
      expect((await contentOf(bucket, key)).equals(large)).toBe(true);
    }
    expect(server.openUploads).toEqual([]);
  });

  test("what fails again and again ends, after longer and longer pauses, and leaves nothing", async () => {
    const { server, bucket, pauses } = await open();
    server.trouble = (request) =>
      isPart(request) ? { kind: "status", status: 503, code: "SlowDown" } : null;
    await expect(bucket.create("k", large, { signal, compression: "none" })).rejects.toThrow(
      /failed 7 times: SlowDown/u,
    );
    expect(pauses).toHaveLength(6);
    expect(pauses.at(-1)).toBeGreaterThan(10 * (pauses[0] ?? 0));
    expect(server.openUploads).toEqual([]);
    server.trouble = () => null;
    expect(await bucket.list("")).toEqual([]);
  });

  test("an object is seen whole or not at all while it is made", async () => {
    const { server, bucket } = await open();
    const seen: (number | null)[] = [];
    const reader = async (): Promise<void> => {
      seen.push((await bucket.open("k"))?.storedBytes ?? null);
    };
    const making = bucket.create("k", large, { signal, compression: "none" });
    for (let looks = 0; looks < 10; looks++) await reader();
    await making;
    await reader();
    expect(seen.filter((one) => one !== null && one !== large.length)).toEqual([]);
    expect(seen.at(-1)).toBe(large.length);
    expect(server.openUploads).toEqual([]);
  });

  test("an answer that is cut is read on where it ended", async () => {
    const { server, bucket } = await open();
    await bucket.create("k", large, { signal, compression: "none" });
    let cuts = 0;
    server.trouble = (request) =>
      isGet(request) && cuts++ < 4 ? { kind: "cut-answer", afterBytes: 1_500_000 } : null;
    expect((await contentOf(bucket, "k")).equals(large)).toBe(true);
    const ranges = server.seen.flatMap(({ headers }) => headers.range ?? []);
    expect(ranges).toHaveLength(4);
    expect(server.seen.at(-1)?.headers["if-match"]).toMatch(/"/u);
  });

  test("an answer that never gets on ends with a fault", async () => {
    const { server, bucket } = await open();
    await bucket.create("k", log, { signal, compression: "none" });
    server.trouble = (request) => (isGet(request) ? { kind: "cut-answer", afterBytes: 0 } : null);
    await expect(contentOf(bucket, "k")).rejects.toMatchObject({ code: "bucket" });
  });

  test.each(["none", "gzip", "zstd"] as const)(
    "wrong bytes on the way are seen while reading what is kept with %s",
    async (compression) => {
      const { server, bucket } = await open();
      await bucket.create("k", log, { signal, compression });
      server.trouble = (request) => (isGet(request) ? { kind: "flipped" } : null);
      await expect(contentOf(bucket, "k")).rejects.toThrow();
    },
  );

  test("a listing that is no listing is a fault", async () => {
    const { server, bucket } = await open();
    for (const text of ["", "no XML", "<a><b></a>", "<html></html>"]) {
      server.trouble = () => ({ kind: "text", text });
      await expect(bucket.list("")).rejects.toMatchObject({ code: "bucket" });
    }
    server.trouble = () => ({ kind: "status", status: 302, code: "Moved" });
    await expect(bucket.list("")).rejects.toMatchObject({ code: "bucket" });
  });

  test("who is interrupted stops at once, and what was begun is aborted", async () => {
    const { server, bucket } = await open();
    const stop = new AbortController();
    server.trouble = (request) => {
      if (isPart(request)) stop.abort();
      return null;
    };
    await expect(
      bucket.create("k", large, { signal: stop.signal, compression: "none" }),
    ).rejects.toMatchObject({ code: "interrupted" });
    expect(server.openUploads).toEqual([]);
    expect(await bucket.list("")).toEqual([]);
  });
});

test("uploads that nobody completed are collected when they are old", async () => {
  const { server, bucket } = await open();
  // As if the process had been ended: neither completed nor aborted.
  server.trouble = ({ method, url }) =>
    method === "DELETE" || url.includes("partNumber=2")
      ? { kind: "status", status: 400, code: "Nothing" }
      : null;
  for (const key of ["a", "b", "c"])
    await expect(bucket.create(key, large, { signal, compression: "none" })).rejects.toThrow();
  server.trouble = () => null;
  expect(server.openUploads).toHaveLength(3);
  const dayAgo = Date.now() - 24 * 3_600_000;
  const collect = (dryRun: boolean) =>
    bucket.collectLeftovers({ begunBeforeMs: dayAgo, dryRun, signal });
  expect(await collect(false)).toEqual({ count: 0, bytes: 0 });
  server.setUploadAge(dayAgo - 1000);
  expect(await collect(true)).toEqual({ count: 3, bytes: 0 });
  expect(server.openUploads).toHaveLength(3);
  expect(await collect(false)).toEqual({ count: 3, bytes: 0 });
  expect(server.openUploads).toEqual([]);
});
