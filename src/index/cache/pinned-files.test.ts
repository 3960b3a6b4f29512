import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

import { MemoryBucket } from "../../bucket/memory-bucket.sample.ts";
import { DEFAULT_RETENTION, type RetainedAttempt } from "../../bucket/retention/retention-facts.ts";
import type { RecordedFile } from "../record/attempt-record.ts";
import { RecordBuilder } from "../record/record-builder.ts";
import { saidMetadataName } from "../metadata/metadata-store.ts";
import { mirrorName } from "../git/repository-address.ts";
import { SampleIndex, sha256Of } from "./index-directory.sample.ts";
import { pinnedFiles } from "./pinned-files.ts";

const signal = new AbortController().signal;
const DAY_MS = 86_400_000;
const NOW = Date.parse("2026-11-29T00:00:00Z");

class Farm {
  readonly bucket = new MemoryBucket();
  readonly index = new SampleIndex();
  readonly known: RetainedAttempt[] = [];
  readonly opened: string[] = [];

  async attempt(id: string, daysAgo: number, files: readonly string[], sdist?: string) {
    this.known.unshift({
      id,
      project: "spam",
      configuration: "cpython-3.13",
      startedMs: NOW - daysAgo * DAY_MS,
      isCanary: false,
      isComparable: true,
      isNamedBaseline: false,
      sourceSha256: null,
    });
    const repositories = [{ url: `https://git.example/${id}`, head: null, references: [] }];
    const record = {
      repositories,
      files: files.map((name) => ({ filename: name, sha256: sha256Of(name) })),
    };
    const again = { source: { sourceFile: { sha256: sha256Of(sdist ?? "none") } } };
    await this.put(id, "record.json", record);
    await this.put(id, "again.json", again);
  }

  async put(id: string, name: string, value: unknown) {
    const key = `attempts/${id}/${name}`;
    this.bucket.kept.delete(key);
    const content = Buffer.from(JSON.stringify(value));
    await this.bucket.create(key, content, { signal, compression: "gzip" });
  }

  pinned() {
    this.bucket.onOperation = (name, key) => {
      if (name === "open") this.opened.push(key);
    };
    const { known } = this;
    return pinnedFiles({
      facts: {
        attempts: async function* () {
          yield* known;
        },
      },
      policy: { ...DEFAULT_RETENTION, newest: 1 },
      bucket: this.bucket,
      directory: this.index.directory,
      nowMs: NOW,
      signal,
    });
  }
}

test("what attempts name that are kept whole is pinned, their sdists too; what others name is not", async () => {
  const farm = new Farm();
  await using _ = farm.index;
  await farm.attempt("a1", 200, ["long-ago"]);
  await farm.attempt("a2", 100, ["baseline"]);
  await farm.attempt("a3", 1, ["one", "two"], "spam-1.tar.gz");
  const { names: sha256s, attempts, unreadable } = await farm.pinned();
  const has = (name: string) => sha256s.has(sha256Of(name));
  expect(["one", "two", "spam-1.tar.gz", "baseline", "long-ago"].map(has)).toEqual([
    true,
    true,
    true,
    true,
    false,
  ]);
  expect(["a3", "a1"].map((id) => sha256s.has(mirrorName(`https://git.example/${id}`)))).toEqual([
    true,
    false,
  ]);
  expect({ attempts, unreadable }).toEqual({ attempts: 2, unreadable: [] });
});

test("what a record is made of names its files, crates, repositories, and wheels that were only looked at", async () => {
  const farm = new Farm();
  await using _ = farm.index;
  const row = (name: string): RecordedFile => ({
    project: "spam",
    filename: `${name}-1.0-py3-none-any.whl`,
    sha256: sha256Of(name),
    sizeBytes: 1,
    uploadTime: null,
    requiresPython: ">=3",
    // Longer than what is read at once.
    url: `https://index.example/${"x".repeat(7000)}`,
    upstream: "https://index.example/simple/",
  });
  const builder = new RecordBuilder({
    attemptId: "a1",
    openedAt: "2026-11-28T00:00:00Z",
    upstreams: [],
    before: null,
    replayed: false,
  });
  for (let at = 0; at < 60; at++) builder.file(row(`file ${at}`));
  for (let at = 0; at < 60; at++)
    builder.look({ ...row(`look ${at}`), metadataSha256: sha256Of("m") });
  const crate = { name: "serde", version: "1.0.0", sizeBytes: 1, line: "{}" };
  builder.crate({ ...crate, sha256: sha256Of("crate") });
  const url = "https://git.example/spam";
  builder.repository({ url, head: "refs/heads/main", references: [], stale: false });
  await farm.attempt("a1", 1, []);
  await farm.put("a1", "record.json", builder.build());
  const { names } = await farm.pinned();
  const wanted = Array.from({ length: 60 }, (_at, at) => [
    sha256Of(`file ${at}`),
    sha256Of(`look ${at}`),
    saidMetadataName("https://index.example/simple/", sha256Of(`look ${at}`)),
  ]).flat();
  expect(wanted.filter((name) => !names.has(name))).toEqual([]);
  expect(names.has(sha256Of("crate"))).toBe(true);
  expect(names.has(mirrorName(url))).toBe(true);
  expect(names.size).toBe(60 * 3 + 3);
});

test("an attempt is read once, and forgotten when it is pinned no more; what can't be read of that is read anew", async () => {
  const farm = new Farm();
  await using _ = farm.index;
  await farm.attempt("a1", 1, ["one"]);
  await farm.attempt("a2", 0, ["two"]);
  await farm.pinned();
  expect(farm.opened).toHaveLength(4);
  farm.opened.length = 0;
  await farm.attempt("a3", 0, ["three"]);
  farm.known.splice(1, 1);
  const { names: sha256s } = await farm.pinned();
  expect(farm.opened).toEqual(["attempts/a3/record.json", "attempts/a3/again.json"]);
  expect(sha256s.has(sha256Of("one"))).toBe(true);
  expect(sha256s.has(sha256Of("two"))).toBe(false);
  const kept = join(farm.index.directory, "pinned-files");
  expect(readFileSync(kept, "utf8")).not.toContain("a2 ");
  farm.opened.length = 0;
  writeFileSync(kept, `a1 1 no-hash\na3 2 ${sha256Of("three")}`);
  expect((await farm.pinned()).names).toEqual(
    new Set([
      ...["one", "three", "none"].map((name) => sha256Of(name)),
      ...["a1", "a3"].map((id) => mirrorName(`https://git.example/${id}`)),
    ]),
  );
  expect(farm.opened).toHaveLength(4);
});

test("what can't be read is named, and pins nothing", async () => {
  const farm = new Farm();
  await using _ = farm.index;
  await farm.attempt("a1", 1, ["one"]);
  const key = "attempts/a1/record.json";
  const blob = farm.bucket.kept.get(key);
  if (blob === undefined) throw new Error("not there");
  farm.bucket.kept.set(key, { ...blob, sha256: sha256Of("another") });
  expect(await farm.pinned()).toMatchObject({ unreadable: ["a1"], attempts: 1 });
});
