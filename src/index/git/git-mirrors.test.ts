import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeEach, expect, test } from "vitest";

import { owned } from "../../../test/owned.ts";
import { startForge, type Forge } from "../../../test/upstream/forge.ts";
import { GitMirrors, type GitMirrorsOptions } from "./git-mirrors.ts";

const root = mkdtempSync(join(tmpdir(), "creamery-git-mirrors-"));
const signal = new AbortController().signal;
let forge: Forge;
beforeEach(async () => {
  const files = { "a.py": "a = 1\n" };
  forge = owned(await startForge({ repository: "repo.git", files, tag: "v1.2" }));
});

afterAll(() => rm(root, { recursive: true, force: true }));

function directory(): string {
  return mkdtempSync(join(root, "mirrors-"));
}

async function open(more: Partial<GitMirrorsOptions> = {}): Promise<GitMirrors> {
  const mirrors = owned(
    await GitMirrors.open({
      directory: directory(),
      allow: ["127.0.0.1"],
      authorities: async () => forge.ca,
      ...more,
    }),
  );
  return mirrors;
}

function url(path = "/repo.git"): string {
  return `${forge.origin}${path}`;
}

/** How often upstream was asked for all: each time for its references, and for its default branch. */
function fetches(): number {
  return forge.requests.filter((line) => line.endsWith(" ls-refs")).length / 2;
}

function inMirror(path: string, ...argv: string[]): string {
  return execFileSync("git", ["--git-dir", path, ...argv], { encoding: "utf8" }).trim();
}

/** How many packs upstream was asked for. */
function packs(): number {
  return forge.requests.filter((line) => line.endsWith(" fetch")).length;
}

/** Of what no pack makes smaller. @returns the new commit, pushed. */
function addBytes(bytes: number, to = "main"): string {
  const clone = forge.git("rev-parse", "--show-toplevel").trim();
  writeFileSync(join(clone, "large.bin"), randomBytes(bytes));
  forge.git("add", ".");
  forge.git("commit", "-q", "-m", "large");
  forge.git("push", "-q", "origin", `HEAD:${to}`);
  return forge.git("rev-parse", "HEAD").trim();
}

/** @returns the new commit on `main`, pushed. */
function commit(text: string): string {
  forge.git("commit", "-q", "--allow-empty", "-m", text);
  forge.git("push", "-q", "--force", "origin", "main");
  return forge.git("rev-parse", "HEAD").trim();
}

test("a repository is fetched once within its interval, whoever asks, in whichever process", async () => {
  let nowMs = Date.now();
  const shared = { directory: directory(), now: () => nowMs, intervalMs: 60_000 };
  const [one, other] = [await open(shared), await open(shared)];
  const asked = [one, other, one].map((mirrors) => mirrors.repository(url(), signal));
  const [first] = await Promise.all(asked);
  expect(inMirror(first?.path ?? "", "rev-parse", "v1.2")).toBe(forge.commit);
  expect(inMirror(first?.path ?? "", "symbolic-ref", "HEAD")).toBe("refs/heads/main");
  expect(fetches()).toBe(1);
  const next = commit("two");
  nowMs += 59_000;
  await one.repository(`${url()}/`, signal);
  expect(fetches()).toBe(1);
  nowMs += 2000;
  const again = await other.repository(url(), signal);
  expect(inMirror(again.path, "rev-parse", "main")).toBe(next);
  expect(again.stale).toBeNull();
  expect(fetches()).toBe(2);
});

test("a commit that is not there is fetched at once, one that is there asks nobody", async () => {
  const mirrors = await open();
  await mirrors.repository(url(), signal);
  const next = commit("two");
  await mirrors.commit(url(), next, signal);
  const asked = forge.requests.length;
  await mirrors.commit(url(), next, signal);
  await mirrors.commit(url(), forge.commit, signal);
  expect(forge.requests).toHaveLength(asked);
});

test("a name is what upstream has under it now, whatever the interval", async () => {
  const mirrors = await open();
  expect((await mirrors.resolve(url(), null, signal)).commit).toBe(forge.commit);
  const next = commit("two");
  expect((await mirrors.resolve(url(), "main", signal)).commit).toBe(next);
  forge.git("tag", "-a", "-m", "annotated", "v2");
  forge.git("push", "-q", "origin", "v2");
  expect((await mirrors.resolve(url(), "v2", signal)).commit).toBe(next);
});

test("a commit that no branch leads to is had by its hash, and stays", async () => {
  const mirrors = await open();
  const { repository } = await mirrors.resolve(url(), null, signal);
  forge.git("checkout", "-q", "-b", "side");
  forge.git("commit", "-q", "--allow-empty", "-m", "of a pull request");
  forge.git("push", "-q", "origin", "HEAD:refs/pull/1/head");
  const aside = forge.git("rev-parse", "HEAD").trim();
  expect((await mirrors.resolve(url(), "refs/pull/1/head", signal)).commit).toBe(aside);
  forge.git("push", "-q", "origin", ":refs/pull/1/head");
  commit("more");
  await mirrors.resolve(url(), "main", signal);
  forge.fault = 503;
  expect((await mirrors.commit(url(), aside, signal)).path).toBe(repository.path);
});

test("what is held stays when upstream has forgotten it", async () => {
  const mirrors = await open();
  const next = commit("two");
  const { repository } = await mirrors.resolve(url(), "main", signal);
  await mirrors.hold(repository, [next], signal);
  forge.git("reset", "-q", "--hard", forge.commit);
  const other = commit("another two");
  await mirrors.resolve(url(), "main", signal);
  expect(inMirror(repository.path, "rev-parse", "main")).toBe(other);
  forge.fault = 503;
  await mirrors.commit(url(), next, signal);
});

test("a branch that gave way to others below its name is no obstacle", async () => {
  const mirrors = await open();
  forge.git("push", "-q", "origin", "main:refs/heads/next");
  await mirrors.repository(url(), signal);
  forge.git("push", "-q", "origin", ":refs/heads/next");
  forge.git("push", "-q", "origin", "main:refs/heads/next/one");
  const { path } = await mirrors.repository(url(), signal, Infinity);
  expect(inMirror(path, "rev-parse", "refs/heads/next/one")).toBe(forge.commit);
});

test("when upstream is away, what is kept stands in and says so; where it says no, nothing does", async () => {
  const shared = { directory: directory(), intervalMs: 0 };
  const mirrors = await open(shared);
  await mirrors.repository(url(), signal);
  forge.fault = 503;
  expect((await mirrors.repository(url(), signal)).stale).toMatchObject({ code: "upstream" });
  const { repository, commit: found } = await mirrors.resolve(url(), "main", signal);
  expect([found, repository.stale?.code]).toEqual([forge.commit, "upstream"]);
  forge.fault = 404;
  await expect((await open(shared)).repository(url(), signal)).rejects.toMatchObject({
    code: "upstream",
  });
  await expect(mirrors.resolve(url(), "main", signal)).rejects.toMatchObject({ code: "upstream" });
  // The commit itself can't have become another.
  await mirrors.commit(url(), forge.commit, signal);
});

test("where upstream's certificate is not believed any more, nothing stands in", async () => {
  const shared = { directory: directory(), intervalMs: 0 };
  await (await open(shared)).repository(url(), signal);
  const doubting = await open({ ...shared, authorities: async () => undefined });
  await expect(doubting.repository(url(), signal)).rejects.toThrow(/certificate/u);
  await expect(doubting.resolve(url(), "main", signal)).rejects.toThrow(/certificate/u);
});

test("what a killed git left is no obstacle, and a half mirror is never a mirror", async () => {
  const shared = { directory: directory(), intervalMs: 0 };
  const mirrors = await open(shared);
  const { path } = await mirrors.repository(url(), signal);
  for (const left of ["packed-refs.lock", "HEAD.lock", "objects/pack/tmp_pack_x"])
    writeFileSync(join(path, left), "");
  const next = commit("two");
  await mirrors.repository(url(), signal);
  expect(inMirror(path, "rev-parse", "main")).toBe(next);
  expect(readdirSync(join(path, "objects", "pack")).join(" ")).not.toContain("tmp_");
});

test("a process killed in the middle of a fetch leaves nothing that is served, and holds nobody up for longer than its git runs", async () => {
  const at = directory();
  forge.delayMs = 3000;
  const options = JSON.stringify({ directory: at, allow: ["127.0.0.1"] });
  const program = `
    import { GitMirrors } from ${JSON.stringify(resolve(import.meta.dirname, "git-mirrors.ts"))};
    const authorities = async () => ${JSON.stringify(forge.ca)};
    const mirrors = await GitMirrors.open({ ...${options}, authorities });
    await mirrors.repository(${JSON.stringify(url())}, new AbortController().signal);`;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", program]);
  const ended = new Promise((settle) => child.once("close", settle));
  // Its git waits for the pack from now on, and writes nothing.
  while (!forge.requests.some((line) => line.endsWith(" fetch"))) await sleep(20);
  child.kill("SIGKILL");
  await ended;
  // The half, and the authorities that its git trusts.
  expect(readdirSync(join(at, ".new"))).toHaveLength(2);
  expect(readdirSync(at).filter((name) => name.endsWith(".git"))).toEqual([]);
  const mirrors = await open({ directory: at });
  expect(readdirSync(join(at, ".new"))).toEqual([]);
  const { path } = await mirrors.repository(url(), signal);
  expect(inMirror(path, "rev-parse", "main")).toBe(forge.commit);
});

test("one writer at a time, even when the process that began is gone and its git goes on", async () => {
  const { lockMirror } = await import("./mirror-lock.ts");
  const path = join(directory(), "lock");
  const first = await lockMirror(path, signal);
  const orphan = spawn("cat", [], { stdio: ["pipe", "ignore", "ignore", first.fd] });
  await first[Symbol.asyncDispose]();
  let isTaken = false;
  const taking = lockMirror(path, signal).finally(() => (isTaken = true));
  await sleep(300);
  expect(isTaken).toBe(false);
  orphan.stdin?.end();
  await using second = await taking;
  expect(second.fd).toBeGreaterThan(0);
});

test("no other mirror is made while those that were used just now are too much", async () => {
  await using other = await startForge({ repository: "other.git", files: { a: "a" }, tag: "v1" });
  let nowMs = Date.now();
  const authorities = async (): Promise<string> => `${forge.ca}\n${other.ca}`;
  const shared = { directory: directory(), authorities, now: () => nowMs };
  const mirrors = await open({ ...shared, maxRecentBytes: 1 });
  await mirrors.repository(url(), signal);
  const second = `${other.origin}/other.git`;
  await expect(mirrors.repository(second, signal)).rejects.toMatchObject({ code: "disk-full" });
  nowMs += 3 * 3_600_000;
  expect((await mirrors.repository(second, signal)).stale).toBeNull();
});

test("what is larger than a mirror may be is fetched once in an interval, and says how large it may be", async () => {
  let nowMs = Date.now();
  const maxBytes = 200_000;
  const mirrors = await open({ now: () => nowMs, intervalMs: 60_000, maxBytes });
  await mirrors.repository(url(), signal);
  addBytes(300_000);
  nowMs += 61_000;
  const { stale } = await mirrors.repository(url(), signal);
  expect(stale?.message).toBe(`is larger than ${maxBytes} bytes`);
  const asked = packs();
  nowMs += 59_000;
  expect((await mirrors.repository(url(), signal)).stale).not.toBeNull();
  expect(packs()).toBe(asked);
  nowMs += 2000;
  expect((await mirrors.repository(url(), signal)).stale).not.toBeNull();
  expect(packs()).toBe(2 * asked - 1);
});

test("so is a commit beside all branches that is larger", async () => {
  let nowMs = Date.now();
  const mirrors = await open({ now: () => nowMs, intervalMs: 60_000, maxBytes: 200_000 });
  await mirrors.repository(url(), signal);
  forge.git("checkout", "-q", "--detach");
  const aside = addBytes(300_000, "refs/pull/1/head");
  const wanted = async (): Promise<void> =>
    await expect(mirrors.commit(url(), aside, signal)).rejects.toThrow(/larger than 200000/u);
  await wanted();
  const asked = packs();
  nowMs += 30_000;
  await wanted();
  expect(packs()).toBe(asked);
});

test("a farm whose cache was removed while it runs fetches anew", async () => {
  const at = directory();
  const mirrors = await open({ directory: at });
  await mirrors.repository(url(), signal);
  await rm(at, { recursive: true });
  expect((await mirrors.resolve(url(), "main", signal)).commit).toBe(forge.commit);
  await rm(at, { recursive: true });
  const { repository } = await mirrors.resolve(url(), "v1.2", signal);
  await mirrors.hold(repository, [forge.commit], signal);
  expect(repository.stale).toBeNull();
});

test("objects that git finds wrong are refused, and no mirror is made of them", async () => {
  const blob = forge.git("rev-parse", "HEAD:a.py").trim();
  writeFileSync(join(root, "tree"), `100644 blob ${blob}\t.git\n`);
  const tree = execFileSync("sh", ["-c", `git mktree < ${join(root, "tree")}`], {
    cwd: forge.git("rev-parse", "--show-toplevel").trim(),
    encoding: "utf8",
  }).trim();
  const wrong = forge.git("commit-tree", tree, "-m", "wrong").trim();
  forge.git("push", "-q", "origin", `${wrong}:refs/heads/wrong`);
  const at = directory();
  const mirrors = await open({ directory: at });
  await expect(mirrors.repository(url(), signal)).rejects.toMatchObject({ code: "upstream" });
  expect(readdirSync(at).filter((name) => name.endsWith(".git"))).toEqual([]);
});

test.each([
  ["http://git.example/x", "address-refused"],
  ["https://user:word@git.example/x", "address-refused"],
  ["https://git.example/", "usage"],
  ["https://git.example/x?y=1", "usage"],
  ["https://10.0.0.1/x", "address-refused"],
])("%s is refused as %s", async (address, code) => {
  const mirrors = await open();
  await expect(mirrors.repository(address, signal)).rejects.toMatchObject({ code });
});
