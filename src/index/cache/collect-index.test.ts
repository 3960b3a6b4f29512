import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, statSync, utimesSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

import { FileStore } from "../files/file-store.ts";
import { GitMirrors } from "../git/git-mirrors.ts";
import { lockMirror } from "../git/mirror-lock.ts";
import { mirrorName } from "../git/repository-address.ts";
import { collectIndex, inventoryBytes, type CollectIndexOptions } from "./collect-index.ts";
import { SampleIndex } from "./index-directory.sample.ts";
import { takeInventory } from "./inventory.ts";
import { verifyIndex } from "./verify-index.ts";

const signal = new AbortController().signal;
const HOUR_MS = 3_600_000;

function collect({ directory }: SampleIndex, options: Partial<CollectIndexOptions> = {}) {
  return collectIndex({
    directory,
    maxBytes: 0,
    graceMs: 24 * HOUR_MS,
    pinned: async () => new Set<string>(),
    nowMs: Date.now(),
    dryRun: false,
    signal,
    ...options,
  });
}

const kilobyte = (letter: string): string => letter.repeat(1000);

test("the least recently used goes first, and nothing more than the bound asks for", async () => {
  await using index = new SampleIndex();
  const [old, middle, young] = [
    index.file(kilobyte("a"), 100),
    index.file(kilobyte("b"), 80),
    index.file(kilobyte("c"), 50),
  ];
  expect((await collect(index, { maxBytes: 3000 })).removed).toEqual([]);
  const plan = await collect(index, { maxBytes: 2500, dryRun: true });
  expect(plan.removed.map(({ name }) => name)).toEqual([old]);
  expect(existsSync(index.pathOf(old))).toBe(true);
  const done = await collect(index, { maxBytes: 2500 });
  expect(done).toMatchObject({ removedBytes: 1000, keptBytes: 2000, overBytes: 0 });
  expect([old, middle, young].map((one) => existsSync(index.pathOf(one)))).toEqual([
    false,
    true,
    true,
  ]);
  expect((await collect(index, { maxBytes: 2500 })).removed).toEqual([]);
});

test("what is pinned or was used just now stays, and it is said by how much that is too much", async () => {
  await using index = new SampleIndex();
  const pinned = index.file(kilobyte("p"), 1000);
  const young = index.file(kilobyte("y"), 2);
  const old = index.file(kilobyte("o"), 100);
  const done = await collect(index, { pinned: async () => new Set([pinned]) });
  expect(done).toMatchObject({ overBytes: 2000, pinnedBytes: 1000, youngBytes: 1000 });
  expect([pinned, young, old].map((one) => existsSync(index.pathOf(one)))).toEqual([
    true,
    true,
    false,
  ]);
});

test("nobody is asked what is pinned while all of it has room", async () => {
  await using index = new SampleIndex();
  index.file(kilobyte("a"), 100);
  const pinned = () => Promise.reject(new Error("asked"));
  await expect(collect(index, { maxBytes: 1000, pinned })).resolves.toMatchObject({ removed: [] });
  await expect(collect(index, { maxBytes: 999, pinned })).rejects.toThrow("asked");
});

test("a file that somebody finds between the look and the removal is put back where it was", async () => {
  await using index = new SampleIndex();
  const sha256 = index.file(kilobyte("a"), 100);
  const files = await FileStore.open({ directory: join(index.directory, "files") });
  const done = await collect(index, {
    pinned: async () => {
      // Another process, after all was listed.
      expect(await files.kept({ key: sha256, sha256 })).not.toBeNull();
      return new Set();
    },
  });
  expect(done.removed).toEqual([]);
  expect(done.youngBytes).toBe(1000);
  expect((await files.kept({ key: sha256, sha256 }))?.sizeBytes).toBe(1000);
});

test("a file is used when it is found, and that is noted once an hour at most", async () => {
  await using index = new SampleIndex();
  const sha256 = index.file("x", 100);
  const files = await FileStore.open({ directory: join(index.directory, "files") });
  const usedMs = () => statSync(index.pathOf(sha256)).mtimeMs;
  await files.kept({ key: sha256, sha256 });
  expect(Date.now() - usedMs()).toBeLessThan(60_000);
  const halfAnHourAgo = Date.now() / 1000 - 1800;
  utimesSync(index.pathOf(sha256), halfAnHourAgo, halfAnHourAgo);
  await files.kept({ key: sha256, sha256 });
  expect(usedMs() / 1000).toBeCloseTo(halfAnHourAgo, 0);
});

test("a page goes with both its halves, and a name of a file that is no more goes with it", async () => {
  await using index = new SampleIndex();
  index.page("spam", "{}", 100);
  const sha256 = index.file("content", 99);
  const name = index.put(`files/unhashed/u-${"0".repeat(64)}`, sha256, 1);
  const kept = index.put(`files/unhashed/u-${"1".repeat(64)}`, index.file("young", 1), 1);
  index.put("metadata/" + "a".repeat(64), "Name: spam\n", 98);
  index.put("crates/0123456789abcdef/se_rd_serde", "{}", 97);
  const done = await collect(index);
  expect(done.removed.map((one) => `${one.area} ${one.name}`)).toEqual([
    "pages 0123456789abcdef/spam",
    `files ${sha256}`,
    `metadata ${"a".repeat(64)}`,
    "crates se_rd_serde",
  ]);
  expect(readdirSync(join(index.directory, "pages"), { recursive: true })).toEqual([
    "0123456789abcdef",
    join("0123456789abcdef", "sp"),
  ]);
  expect([existsSync(name), existsSync(kept)]).toEqual([false, true]);
});

test("a mirror of a repository goes whole, by when it was last used; one that is pinned or fetched now stays", async () => {
  await using index = new SampleIndex();
  const repository = (name: string, hoursAgo: number): string => {
    index.put(`git/.locks/${name}`, "", 500);
    index.put(`git/.new/.keep`, "", 1);
    index.put(`git/${name}/objects/pack/one.pack`, kilobyte("p"), 500);
    index.put(`git/${name}/creamery.json`, "{}", hoursAgo);
    return join(index.directory, "git", name);
  };
  const hash = (digit: string): string => `spam-${digit.repeat(32)}.git`;
  const [old, pinned, young, fetched] = [
    repository(hash("1"), 100),
    repository(hash("2"), 100),
    repository(hash("3"), 1),
    repository(hash("4"), 100),
  ];
  const there = () => [old, pinned, young, fetched].map((path) => existsSync(path));
  const lock = await lockMirror(join(index.directory, "git", ".locks", hash("4")), signal);
  const done = await collect(index, { pinned: async () => new Set([hash("2")]) });
  await lock[Symbol.asyncDispose]();
  expect(done.removed).toMatchObject([{ area: "git", name: hash("1"), bytes: 1002 }]);
  expect(there()).toEqual([false, true, true, true]);
  expect(readdirSync(join(index.directory, "git", ".new"))).toEqual([".keep"]);
  await collect(index, { pinned: async () => new Set([hash("2")]) });
  expect(there()).toEqual([false, true, true, false]);
});

test("a mirror of a repository is used when it is found, also between the look and the removal", async () => {
  await using index = new SampleIndex();
  const url = "https://git.example/spam";
  const state = index.put(`git/${mirrorName(url)}/creamery.json`, "{}", 100);
  index.put(`git/.locks/${mirrorName(url)}`, "", 100);
  await using mirrors = await GitMirrors.open({ directory: join(index.directory, "git") });
  const done = await collect(index, {
    pinned: async () => {
      expect(await mirrors.kept(url)).not.toBeNull();
      return new Set();
    },
  });
  expect(done.removed).toEqual([]);
  expect(Date.now() - statSync(state).mtimeMs).toBeLessThan(60_000);
});

test("halves that an ended process left go after a day, what others keep there is counted and left alone", async () => {
  await using index = new SampleIndex();
  const half = index.put("metadata/abc.123.k3x9", "half", 30);
  const fresh = index.put("pages/0123456789abcdef/sp/spam.json.123.k3x9", "half", 1);
  const other = index.put("warm/cpython-3.13/x", "1234", 1000);
  index.put("git/.locks/spam.git", "", 1000);
  const done = await collect(index);
  expect(done.leftovers).toEqual({ count: 1, bytes: 4 });
  expect([half, fresh, other].map((path) => existsSync(path))).toEqual([false, true, true]);
  const inventory = await takeInventory(index.directory, signal);
  expect(inventory.others).toEqual(
    new Map([
      ["git/.locks", { files: 1, bytes: 0 }],
      ["warm", { files: 1, bytes: 4 }],
    ]),
  );
  expect(inventoryBytes(inventory)).toBe(8);
});

test("an index's directory that is not there is an empty one", async () => {
  await using index = new SampleIndex();
  const directory = join(index.directory, "none");
  expect(await takeInventory(directory, signal)).toMatchObject({ units: [], leftovers: [] });
  expect(existsSync(directory)).toBe(false);
});

/** Collects, and ends itself by a signal as soon as a file is gone: whoever looks on from outside may look too late. */
const CHILD = `
import { existsSync } from "node:fs";
import { collectIndex } from ${JSON.stringify(resolve(import.meta.dirname, "collect-index.ts"))};
const [directory, file] = process.argv.slice(1);
const look = () => {
  if (!existsSync(file)) process.kill(process.pid, "SIGKILL");
  setImmediate(look);
};
await collectIndex({
  directory,
  maxBytes: 0,
  graceMs: 24 * 3_600_000,
  pinned: async () => { look(); return new Set(); },
  nowMs: Date.now(),
  dryRun: false,
  signal: new AbortController().signal,
});
`;

test(
  "a collection that is killed leaves what is right, and the next one ends it",
  { timeout: 60_000 },
  async () => {
    await using index = new SampleIndex();
    const hashes = Array.from({ length: 900 }, (_, at) => index.file(`content ${at}`, 100));
    for (let at = 0; at < 60; at++) index.page(`spam-${at}`, `{"files": [${at}]}`, 100);
    const left = () => hashes.filter((one) => existsSync(index.pathOf(one))).length;
    for (const one of [hashes[20] ?? "", hashes[600] ?? ""]) {
      const argv = ["--input-type=module", "-e", CHILD, index.directory, index.pathOf(one)];
      const child = spawn(process.execPath, argv, { stdio: ["ignore", "ignore", "inherit"] });
      expect(await once(child, "exit")).toEqual([null, "SIGKILL"]);
      expect(await verifyIndex({ directory: index.directory, signal })).toMatchObject({
        faults: [],
      });
    }
    const before = left();
    // What the killed ones had moved away is no file any more, and goes when the files are opened.
    await FileStore.open({ directory: join(index.directory, "files") });
    expect(readdirSync(join(index.directory, "files", "partial"))).toEqual([]);
    expect(before).toBeGreaterThan(0);
    const done = await collect(index);
    expect(done.keptBytes).toBe(0);
    expect(left()).toBe(0);
  },
);
