import { createHash, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { buffer } from "node:stream/consumers";
import { describe, expect, test } from "vitest";

import type { BlobEntry, Bucket, Compression } from "./bucket.ts";

/** What is kept of a key, and in what: for a suite that makes it older, or spoils it. */
export interface OpenedForContract {
  readonly bucket: Bucket;
  /** Makes a key as old as this. */
  readonly setAge: (key: string, madeMs: number) => Promise<void>;
  /** Changes one bit of what is kept of a key. */
  readonly spoil: (key: string) => Promise<void>;
}

const signal = new AbortController().signal;
const HOUR_MS = 3_600_000;

/**
 * What every kind of bucket does alike.
 * @param open a new, empty one.
 * @param decides whether of two who make a key at the same instant with other contents exactly one is told of a fault.
 */
export function bucketContract(
  open: () => Promise<OpenedForContract>,
  { decides }: { readonly decides: boolean } = { decides: true },
): void {
  const log = Buffer.from("one line of a log\n".repeat(5000));
  const plain = { signal, compression: "none" } as const;

  const contentOf = async (bucket: Bucket, key: string): Promise<Buffer> => {
    const blob = await bucket.open(key);
    if (blob === null) throw new Error(`${key} is not there`);
    return await buffer(blob.content(signal));
  };
  const entriesOf = async (bucket: Bucket, prefix: string): Promise<BlobEntry[]> => {
    const found: BlobEntry[] = [];
    for await (const entry of bucket.entries(prefix, signal)) found.push(entry);
    return found.toSorted((left, right) => (left.key < right.key ? -1 : 1));
  };

  test.each(["none", "gzip", "zstd"] as const)(
    "what is stored with compression %s is read as it was given",
    async (compression) => {
      const { bucket } = await open();
      const stored = await bucket.create("attempts/a1/log.txt", log, { signal, compression });
      expect(stored).toMatchObject({
        key: "attempts/a1/log.txt",
        sizeBytes: log.length,
        sha256: createHash("sha256").update(log).digest("hex"),
      });
      expect(stored.storedBytes).toBeLessThan(
        compression === "none" ? log.length + 1 : log.length / 10,
      );
      expect(await bucket.open("attempts/a1/log.txt")).toMatchObject({ ...stored, compression });
      expect((await contentOf(bucket, "attempts/a1/log.txt")).equals(log)).toBe(true);
    },
  );

  test.each([
    ["of no byte", 0, "none"],
    ["of no byte, packed", 0, "gzip"],
    ["of one part and a little", 8 * 1024 * 1024 + 1, "none"],
    ["of three parts, packed", 17 * 1024 * 1024, "gzip"],
  ] satisfies [string, number, Compression][])(
    "content %s is streamed in and out",
    async (_, bytes, compression) => {
      const { bucket } = await open();
      const content = randomBytes(bytes);
      async function* chunks(): AsyncGenerator<Buffer> {
        for (let at = 0; at < bytes; at += 777_777) yield content.subarray(at, at + 777_777);
      }
      const sha256 = createHash("sha256").update(content).digest("hex");
      const stored = await bucket.create("k", chunks(), { signal, compression });
      expect(stored).toMatchObject({ sha256, sizeBytes: bytes });
      expect(await bucket.open("k")).toMatchObject({ ...stored, compression });
      expect((await contentOf(bucket, "k")).equals(content)).toBe(true);
      // With the hash known beforehand, and by another way in.
      const again = { signal, compression, expectedSha256: sha256 };
      expect(await bucket.create("k2", chunks(), again)).toMatchObject({ sha256 });
      expect((await contentOf(bucket, "k2")).equals(content)).toBe(true);
      expect(await bucket.create("k2", chunks(), again)).toMatchObject({ sha256 });
    },
  );

  test("a key is made once: the same again is no fault, something else is", async () => {
    const { bucket } = await open();
    const first = await bucket.create("k", log, { signal, compression: "gzip" });
    expect(await bucket.create("k", log, { signal, compression: "gzip" })).toEqual(first);
    expect(await bucket.create("k", log, { signal, compression: "none" })).toEqual(first);
    for (const compression of ["gzip", "none"] as const) {
      await expect(
        bucket.create("k", Buffer.from("else"), { signal, compression }),
      ).rejects.toMatchObject({ code: "bucket" });
    }
    await expect(bucket.create("k", randomBytes(9_000_000), plain)).rejects.toMatchObject({
      code: "bucket",
    });
    expect((await contentOf(bucket, "k")).equals(log)).toBe(true);
    expect(await bucket.open("k")).toMatchObject({ compression: "gzip" });
  });

  test("many who make a key at once with one content are all told that it is there", async () => {
    const { bucket } = await open();
    const made = await Promise.all(
      Array.from({ length: 12 }, () => bucket.create("k", log, { signal, compression: "gzip" })),
    );
    for (const stored of made) expect(stored).toEqual(made[0]);
    expect((await contentOf(bucket, "k")).equals(log)).toBe(true);
  });

  test.runIf(decides)(
    "of those who make a key at once with other contents one is told that it is there",
    async () => {
      const { bucket } = await open();
      for (const large of [false, true]) {
        const contents = Array.from({ length: 3 }, () => randomBytes(large ? 9_000_000 : 10));
        const ended = await Promise.allSettled(
          contents.map(async (content) => await bucket.create(`k-${large}`, content, plain)),
        );
        const made = ended.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
        expect(made).toHaveLength(1);
        expect(ended.filter(({ status }) => status === "rejected")).toMatchObject([
          { reason: { code: "bucket" } },
          { reason: { code: "bucket" } },
        ]);
        const kept = createHash("sha256").update(await contentOf(bucket, `k-${large}`));
        expect(kept.digest("hex")).toBe(made[0]?.sha256);
      }
    },
  );

  test.each([10, 17 * 1024 * 1024])(
    "a stream of %d bytes that fails, has another hash or is interrupted leaves nothing",
    async (bytes) => {
      const { bucket } = await open();
      const content = randomBytes(bytes);
      async function* broken(): AsyncGenerator<Buffer> {
        yield content;
        throw new Error("the guest is gone");
      }
      for (const compression of ["none", "gzip"] as const) {
        await expect(bucket.create("k", broken(), { signal, compression })).rejects.toThrow(
          /the guest is gone/u,
        );
        const expectedSha256 = "0".repeat(64);
        await expect(
          bucket.create("k", content, { signal, compression, expectedSha256 }),
        ).rejects.toMatchObject({ code: "bucket" });
        const stop = new AbortController();
        async function* endless(): AsyncGenerator<Buffer> {
          yield content;
          setTimeout(() => stop.abort(), 5);
          for (;;) {
            await sleep(1);
            yield Buffer.from("more");
          }
        }
        await expect(
          bucket.create("k", endless(), { signal: stop.signal, compression }),
        ).rejects.toMatchObject({ code: "interrupted" });
        expect(await bucket.open("k")).toBeNull();
        expect(await entriesOf(bucket, "")).toEqual([]);
      }
      const later = { begunBeforeMs: Date.now() + HOUR_MS, dryRun: false, signal };
      expect(await bucket.collectLeftovers(later)).toEqual({ count: 0, bytes: 0 });
    },
  );

  test("damage is seen while reading", async () => {
    const { bucket, spoil } = await open();
    for (const compression of ["none", "gzip", "zstd"] as const) {
      await bucket.create(compression, log, { signal, compression });
      await spoil(compression);
      await expect(contentOf(bucket, compression)).rejects.toThrow();
    }
  });

  test("lists what is below a prefix, sorted, and what is not there is empty", async () => {
    const { bucket } = await open();
    const keys = ["attempts/a1/log.txt", "attempts/a10/log.txt", "attempts/a1/x", "sources/s1"];
    for (const key of keys) await bucket.create(key, log, { signal, compression: "gzip" });
    expect(await bucket.list("")).toEqual(keys.toSorted());
    expect(await bucket.list("attempts/a1/")).toEqual(["attempts/a1/log.txt", "attempts/a1/x"]);
    expect(await bucket.list("none/")).toEqual([]);
    await expect(bucket.list("attempts/a1")).rejects.toMatchObject({ code: "bucket" });
    expect((await entriesOf(bucket, "attempts/")).map(({ key }) => key)).toEqual(
      keys.slice(0, 3).toSorted(),
    );
  });

  test("an entry knows what it takes and how old it is", async () => {
    const { bucket, setAge } = await open();
    const { storedBytes } = await bucket.create("s/k", log, { signal, compression: "gzip" });
    const [young] = await entriesOf(bucket, "s/");
    expect(young).toMatchObject({ key: "s/k", storedBytes });
    // The clock of a server has whole seconds.
    expect(Math.abs((young?.madeMs ?? 0) - Date.now())).toBeLessThan(60_000);
    await setAge("s/k", Date.UTC(2026, 1, 3));
    expect(await entriesOf(bucket, "s/")).toEqual([
      { key: "s/k", storedBytes, madeMs: Date.UTC(2026, 1, 3) },
    ]);
  });

  test("what is removed is gone, and once more is no fault", async () => {
    const { bucket } = await open();
    await bucket.create("a/b/k", log, plain);
    await bucket.create("a/b/other", log, plain);
    expect(await bucket.remove("a/b/k")).toBe(true);
    expect(await bucket.remove("a/b/k")).toBe(true);
    expect(await bucket.open("a/b/k")).toBeNull();
    expect(await bucket.locate("a/b/k")).toBeNull();
    expect(await bucket.list("")).toEqual(["a/b/other"]);
    await bucket.create("a/b/k", Buffer.from("new"), plain);
    expect((await contentOf(bucket, "a/b/k")).toString()).toBe("new");
  });

  describe("a removal on a condition", () => {
    const old = Date.now() - 48 * HOUR_MS;
    const madeBeforeMs = Date.now() - 24 * HOUR_MS;

    test("takes what is old, and leaves what is young", async () => {
      const { bucket, setAge } = await open();
      await bucket.create("old", log, plain);
      await setAge("old", old);
      await bucket.create("young", log, plain);
      expect(await bucket.remove("old", { madeBeforeMs })).toBe(true);
      expect(await bucket.remove("young", { madeBeforeMs })).toBe(false);
      expect(await bucket.remove("none", { madeBeforeMs })).toBe(true);
      expect(await bucket.list("")).toEqual(["young"]);
    });

    test.each(["renewed", "made again", "made again in parts"])(
      "leaves what was %s",
      async (how) => {
        const { bucket, setAge } = await open();
        const content = how === "made again in parts" ? randomBytes(9_000_000) : log;
        const stored = await bucket.create("k", content, { signal, compression: "gzip" });
        await setAge("k", old);
        const there =
          how === "renewed"
            ? await bucket.renew("k")
            : await bucket.create("k", content, { signal, compression: "gzip" });
        expect(there).toBeTruthy();
        expect(await bucket.remove("k", { madeBeforeMs })).toBe(false);
        // And it is what it was.
        expect(await bucket.open("k")).toMatchObject({ ...stored, compression: "gzip" });
        expect((await contentOf(bucket, "k")).equals(content)).toBe(true);
      },
    );
  });

  test("nothing can be renewed that is not there", async () => {
    const { bucket } = await open();
    expect(await bucket.renew("none")).toBe(false);
    expect(await bucket.list("")).toEqual([]);
  });

  test("keys whose names differ by what a compression adds don't meet", async () => {
    const { bucket } = await open();
    await bucket.create("k", log, { signal, compression: "gzip" });
    const another: unknown = await bucket
      .create("k.gz", Buffer.from("another"), plain)
      .catch((thrown: unknown) => thrown);
    // Either is right: both are kept, or the second is refused.
    expect((await bucket.open("k.gz")) === null).toBe(another instanceof Error);
    expect((await contentOf(bucket, "k")).equals(log)).toBe(true);
    await bucket.remove("k.gz");
    expect((await contentOf(bucket, "k")).equals(log)).toBe(true);
  });

  test("where it is found is told of what is there", async () => {
    const { bucket } = await open();
    await bucket.create("attempts/a1/log.txt", log, { signal, compression: "gzip" });
    expect(await bucket.locate("attempts/a1/log.txt")).toMatch(/attempts\/a1\/log\.txt(?:\.gz)?$/u);
    expect(await bucket.locate("attempts/a1/none")).toBeNull();
  });

  test.each([
    "",
    "/etc/passwd",
    "../up",
    "a/../b",
    "a//b",
    ".hidden",
    "a\u0000",
    "x.blob.json",
    "a/x.blob.json/b",
    "ü",
    "x".repeat(513),
  ])("%j is no key", async (key) => {
    const { bucket } = await open();
    for (const work of [
      () => bucket.create(key, log, plain),
      () => bucket.open(key),
      () => bucket.remove(key),
      () => bucket.renew(key),
      () => bucket.locate(key),
    ])
      await expect(work()).rejects.toMatchObject({ code: "bucket" });
  });
}
