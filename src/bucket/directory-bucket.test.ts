import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  mkdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { createHash } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";

import { bucketContract } from "./bucket-contract.ts";
import { DirectoryBucket } from "./directory-bucket.ts";

const signal = new AbortController().signal;
const roots: string[] = [];
afterEach(async () => {
  for (const root of roots.splice(0)) await rm(root, { recursive: true, force: true });
});

async function bucket(): Promise<{ root: string; blobs: DirectoryBucket }> {
  const root = mkdtempSync(join(tmpdir(), "creamery-bucket-"));
  roots.push(root);
  return { root, blobs: await DirectoryBucket.open(root) };
}

async function contentOf(blobs: DirectoryBucket, key: string): Promise<Buffer> {
  const blob = await blobs.open(key);
  if (blob === null) throw new Error(`${key} is not there`);
  return buffer(blob.content(signal));
}

describe("a bucket in a directory", () => {
  bucketContract(async () => {
    const { root, blobs } = await bucket();
    return {
      bucket: blobs,
      setAge: async (key, madeMs) => {
        await utimes(join(root, `${key}.blob.json`), new Date(madeMs), new Date(madeMs));
      },
      spoil: async (key) => {
        const path = (await blobs.locate(key)) ?? "";
        const bytes = readFileSync(path);
        bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
        writeFileSync(path, bytes);
      },
    };
  });
});

const log = Buffer.from("one line of a log\n".repeat(5000));

test("of a key that was made twice one file and its note stay", async () => {
  const { root, blobs } = await bucket();
  const first = await blobs.create("k", log, { signal, compression: "gzip" });
  expect(await blobs.create("k", log, { signal, compression: "gzip" })).toEqual(first);
  for (const compression of ["gzip", "none"] as const) {
    await expect(
      blobs.create("k", Buffer.from("else"), { signal, compression }),
    ).rejects.toMatchObject({ code: "bucket" });
  }
  expect((await contentOf(blobs, "k")).equals(log)).toBe(true);
  expect(readdirSync(root).toSorted()).toEqual([".new", "k.blob.json", "k.gz"]);
  expect(readdirSync(join(root, ".new"))).toEqual([]);
});

test("what a process that was ended left is replaced", async () => {
  const { root, blobs } = await bucket();
  writeFileSync(join(root, "k"), "half");
  expect(await blobs.open("k")).toBeNull();
  await blobs.create("k", log, { signal, compression: "none" });
  expect((await contentOf(blobs, "k")).equals(log)).toBe(true);
});

/** Makes keys `0`, `1`, ... at the same instants as others do. Prints the codes of those that failed. */
const CREATE_MANY = `
  const [module, root, text, startMs, count] = process.argv.slice(1);
  const { DirectoryBucket } = await import(module);
  const blobs = await DirectoryBucket.open(root);
  const failed = [];
  for (let key = 0; key < Number(count); key++) {
    while (Date.now() < Number(startMs) + key * 8) await new Promise(setImmediate);
    const options = { signal: new AbortController().signal, compression: "gzip" };
    await blobs.create(String(key), Buffer.from(text), options).catch((e) => failed.push(e.code + ": " + e.message));
  }
  console.log(JSON.stringify(failed));
`;

async function createMany(root: string, texts: readonly string[]): Promise<string[][]> {
  const startMs = String(Date.now() + 1500);
  const module = new URL("directory-bucket.ts", import.meta.url).href;
  return Promise.all(
    texts.map(async (text) => {
      const argv = [module, root, text, startMs, "100"];
      const flags = ["--input-type=module", "--eval", CREATE_MANY, "--"];
      const { stdout } = await promisify(execFile)(process.execPath, [...flags, ...argv]);
      return z.array(z.string()).parse(JSON.parse(stdout));
    }),
  );
}

test("processes that make a key at once: equal content is no fault", async () => {
  const { root, blobs } = await bucket();
  expect(await createMany(root, ["same", "same", "same"])).toEqual([[], [], []]);
  expect(await blobs.list("")).toHaveLength(100);
  for (const key of await blobs.list(""))
    expect((await contentOf(blobs, key)).toString()).toBe("same");
  expect(readdirSync(join(root, ".new"))).toEqual([]);
});

test("processes that make a key at once: other content is a fault of one, and what is kept is whole", async () => {
  const { root, blobs } = await bucket();
  const failed = await createMany(root, ["one", "other"]);
  expect(failed.flat()).toHaveLength(100);
  for (const line of failed.flat()) expect(line).toMatch(/bucket: holds something else/u);
  for (const key of await blobs.list(""))
    expect((await contentOf(blobs, key)).toString()).toMatch(/^(?:one|other)$/u);
});

test("one process makes a key many times at once", async () => {
  const { root, blobs } = await bucket();
  const options = { signal, compression: "none" } as const;
  const made = await Promise.all(Array.from({ length: 12 }, () => blobs.create("k", log, options)));
  for (const stored of made) expect(stored).toEqual(made[0]);
  expect(readdirSync(join(root, ".new"))).toEqual([]);
});

test("opening removes what ended processes left, and nothing of those at work", async () => {
  const { root } = await bucket();
  const { stdout } = await promisify(execFile)(process.execPath, ["-p", "process.pid"]);
  const ended = stdout.trim();
  const names = [`${ended}-abc`, `${ended}-abc.json`, `${process.pid}-abc`, "1-abc", "note"];
  for (const name of names) writeFileSync(join(root, ".new", name), "half");
  symlinkSync(`${ended}-x`, join(root, ".new", "a.lock"));
  symlinkSync(`${process.pid}-x`, join(root, ".new", "b.lock"));
  await DirectoryBucket.open(root);
  expect(readdirSync(join(root, ".new")).toSorted()).toEqual(
    ["1-abc", `${process.pid}-abc`, "b.lock", "note"].toSorted(),
  );
});

test("the lock of a process that was ended holds nobody up", async () => {
  const { root, blobs } = await bucket();
  const { stdout } = await promisify(execFile)(process.execPath, ["-p", "process.pid"]);
  const name = createHash("sha256").update("k").digest("hex").slice(0, 32);
  symlinkSync(`${stdout.trim()}-x`, join(root, ".new", `${name}.lock`));
  await blobs.create("k", log, { signal, compression: "none" });
  expect(readdirSync(join(root, ".new"))).toEqual([]);
});

test("content that nobody can read is collected when it is old, with directories that hold nothing", async () => {
  const { root, blobs } = await bucket();
  await blobs.create("attempts/a1/log.txt", log, { signal, compression: "gzip" });
  mkdirSync(join(root, "attempts/a2"));
  for (const name of ["attempts/a1/half.gz", "attempts/a2/half"])
    writeFileSync(join(root, name), "half");
  const collect = (begunBeforeMs: number, dryRun: boolean) =>
    blobs.collectLeftovers({ begunBeforeMs, dryRun, signal });
  expect(await collect(Date.now() - 3_600_000, false)).toEqual({ count: 0, bytes: 0 });
  expect(await collect(Date.now() + 3_600_000, true)).toEqual({ count: 2, bytes: 8 });
  expect(await collect(Date.now() + 3_600_000, false)).toEqual({ count: 2, bytes: 8 });
  expect(readdirSync(join(root, "attempts"))).toEqual(["a1"]);
  expect((await contentOf(blobs, "attempts/a1/log.txt")).equals(log)).toBe(true);
});

test("one who makes keys and one who removes them do not take each other's directory", async () => {
  const { blobs } = await bucket();
  const make = async (name: string): Promise<void> => {
    for (let round = 0; round < 40; round++) {
      await blobs.create(`attempts/a1/${name}`, log, { signal, compression: "none" });
      await blobs.remove(`attempts/a1/${name}`);
    }
  };
  await Promise.all([make("x"), make("y"), make("z")]);
  expect(await blobs.list("")).toEqual([]);
});

test("a place that can't be written to is told by name", async () => {
  const { root } = await bucket();
  writeFileSync(join(root, "file"), "");
  // Below /proc mkdir's own recursion has no end.
  for (const place of [join(root, "file/bucket"), "/proc/nowhere/bucket"])
    await expect(DirectoryBucket.open(place)).rejects.toMatchObject({
      code: "bucket",
      input: place,
    });
});
