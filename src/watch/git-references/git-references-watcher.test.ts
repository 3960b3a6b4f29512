import { mkdtempSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

import { startForge } from "../../../test/upstream/forge.ts";
import { listGitReferences } from "../../index/git/git-source.ts";
import type { WatchClock } from "../clock.ts";
import { runTrial, ShakyMemory } from "../trial.sample.ts";
import type { WatchNote } from "../watcher.ts";
import { compareReferences, firstReferences, KnownReferences } from "./compare-references.ts";
import { GitReferencesWatcher, type WatchedRepository } from "./git-references-watcher.ts";

const MINUTE = 60_000;
const root = mkdtempSync(join(tmpdir(), "creamery-references-"));
afterAll(() => rm(root, { recursive: true, force: true }));

async function setUp(more: Partial<WatchedRepository> = {}) {
  const forge = await startForge({
    repository: "repo.git",
    files: { "a.py": "a" },
    tag: "v1.0",
    redirects: { "/moved": "/repo.git", "/inward": "https://10.0.0.1/repo.git" },
  });
  const memory = new ShakyMemory();
  const notes: WatchNote[] = [];
  const repositories = [
    { project: "mine", url: `${forge.origin}/repo.git`, branches: null, tags: true, ...more },
  ];
  const make = (clock: WatchClock, watched: readonly WatchedRepository[] = repositories) =>
    new GitReferencesWatcher({
      repositories: watched,
      directory: root,
      now: () => clock.now(),
      intervalMs: 5 * MINUTE,
      allow: ["127.0.0.1"],
      ca: forge.ca,
    });
  return {
    forge,
    make: (clock: WatchClock) => make(clock),
    makeOf: (watched: readonly WatchedRepository[]) => (clock: WatchClock) => make(clock, watched),
    repositories,
    memory,
    notes,
    events: memory.inner.events,
    onNote: (note: WatchNote) => void notes.push(note),
    commit: (message: string): string => {
      forge.git("commit", "-q", "--allow-empty", "-m", message);
      return forge.git("rev-parse", "HEAD").trim();
    },
    [Symbol.asyncDispose]: () => forge[Symbol.asyncDispose](),
  };
}

test("what is pushed after the beginning is told once: commits of the default branch, tags, what is forced", async () => {
  await using it = await setUp();
  const { git } = it.forge;
  const commits: string[] = [];
  await runTrial({
    ...it,
    steps: [
      {
        at: 7 * MINUTE,
        act: () => {
          commits.push(it.commit("two"));
          git("tag", "-a", "-m", "annotated", "v1.1");
          git("branch", "-f", "other");
          git("push", "-q", "origin", "main", "v1.1", "other");
        },
      },
      {
        at: 17 * MINUTE,
        act: () => {
          git("commit", "-q", "--amend", "--allow-empty", "-m", "two, again");
          commits.push(git("rev-parse", "HEAD").trim());
          git("tag", "-f", "v1.1");
          git("push", "-q", "-f", "origin", "main", "v1.1");
        },
      },
    ],
    restarts: [12 * MINUTE, 22 * MINUTE],
    endsAt: 40 * MINUTE,
  });
  const [two = "", again = ""] = commits;
  const pushed = (ref: string, commit: string, of: string) => ({
    kind: "pushed",
    repository: "mine",
    ref,
    commit,
    of,
  });
  expect(it.events).toEqual([
    pushed("refs/heads/main", two, "branch"),
    pushed("refs/tags/v1.1", two, "tag"),
    pushed("refs/heads/main", again, "branch"),
    pushed("refs/tags/v1.1", again, "tag"),
  ]);
  expect(readdirSync(root)).toEqual([]);
});

test("named branches are watched alone, and tags where they are wanted", async () => {
  await using it = await setUp({ branches: ["next"], tags: false });
  await runTrial({
    ...it,
    steps: [
      {
        at: 7 * MINUTE,
        act: () => {
          it.commit("two");
          it.forge.git("branch", "next");
          it.forge.git("tag", "v2");
          it.forge.git("push", "-q", "origin", "main", "next", "v2");
        },
      },
    ],
    endsAt: 20 * MINUTE,
  });
  expect(it.events).toMatchObject([{ ref: "refs/heads/next" }]);
});

test("a repository that vanishes is told as failing, and goes on where it was when it is back", async () => {
  await using it = await setUp();
  await runTrial({
    ...it,
    steps: [
      { at: 7 * MINUTE, act: () => (it.forge.fault = 404) },
      {
        at: 8 * MINUTE,
        act: () => {
          it.commit("two");
          it.forge.git("push", "-q", "origin", "main");
        },
      },
      { at: 60 * MINUTE, act: () => (it.forge.fault = null) },
    ],
    restarts: [30 * MINUTE],
    endsAt: 200 * MINUTE,
  });
  expect(it.events).toMatchObject([{ ref: "refs/heads/main" }]);
  expect(it.notes.length).toBeGreaterThan(0);
  expect(it.notes.every(({ kind }) => kind === "failing")).toBe(true);
});

test("a repository that can't be asked holds up no other, and one of another address begins anew", async () => {
  await using it = await setUp();
  const [mine] = it.repositories;
  if (mine === undefined) throw new Error("no repository");
  const inward = { ...mine, project: "inward", url: `${it.forge.origin}/inward` };
  const push = (message: string) => () => {
    it.commit(message);
    it.forge.git("push", "-q", "origin", "main");
  };
  await runTrial({
    ...it,
    make: it.makeOf([mine, inward]),
    steps: [{ at: 7 * MINUTE, act: push("two") }],
    endsAt: 20 * MINUTE,
  });
  expect(it.events).toHaveLength(1);
  expect(it.notes).toMatchObject([{ kind: "failing", project: "inward" }]);
  push("three")();
  const moved = { ...mine, url: `${it.forge.origin}/moved` };
  await runTrial({
    ...it,
    make: it.makeOf([moved]),
    steps: [{ at: 7 * MINUTE, act: push("four") }],
    endsAt: 20 * MINUTE,
  });
  expect(it.events).toHaveLength(2);
});

test("more references than are allowed are a fault, and no reason to report fewer", async () => {
  await using it = await setUp();
  for (let index = 0; index < 30; index++) it.forge.git("tag", `t${index}`);
  it.forge.git("push", "-q", "origin", "--tags");
  const list = (maxReferences: number) =>
    listGitReferences(`${it.forge.origin}/repo.git`, {
      directory: mkdtempSync(join(root, "list-")),
      signal: new AbortController().signal,
      timeoutMs: 20_000,
      maxReferences,
      allow: ["127.0.0.1"],
      ca: it.forge.ca,
    });
  const { references, defaultBranch } = await list(32);
  expect(references.size).toBe(32);
  expect(defaultBranch).toBe("refs/heads/main");
  await expect(list(31)).rejects.toMatchObject({ code: "upstream" });
});

test("an address that is not allowed is not asked", async () => {
  await using it = await setUp();
  const options = {
    directory: mkdtempSync(join(root, "list-")),
    signal: new AbortController().signal,
    timeoutMs: 20_000,
    maxReferences: 10,
    ca: it.forge.ca,
  };
  await expect(listGitReferences(`${it.forge.origin}/repo.git`, options)).rejects.toMatchObject({
    code: "address-refused",
  });
});

const hash = (digit: string): string => digit.repeat(40);

/** Looks at one branch, so many minutes apart. */
function told(...heads: readonly (readonly [minutes: number, digit: string | null])[]): string[] {
  const watched = { project: "mine", branches: ["main"], tags: false };
  const shown = (digit: string | null) => ({
    references: new Map(digit === null ? [] : [["refs/heads/main", hash(digit)]]),
    defaultBranch: null,
  });
  let known = firstReferences("x", shown(heads[0]?.[1] ?? null), watched);
  let now = 1e12;
  return heads.slice(1).flatMap(([minutes, digit]) => {
    now += minutes * MINUTE;
    const before = KnownReferences.parse(JSON.parse(JSON.stringify(known)));
    const options = { now, confirmMs: 10 * MINUTE };
    const compared = compareReferences(before, shown(digit), watched, options);
    ({ known } = compared);
    return compared.events.map((event) => (event.kind === "pushed" ? (event.commit[0] ?? "") : ""));
  });
}

test("an old copy of a repository that answers by turns is no push; a push back is, when it stays", () => {
  expect(told([0, "a"], [1, "b"], [1, "a"], [5, "b"], [5, "a"], [1, "b"])).toEqual(["b"]);
  expect(told([0, "a"], [1, "b"], [1, "a"], [9, "a"])).toEqual(["b"]);
  expect(told([0, "a"], [1, "b"], [1, "a"], [10, "a"], [5, "a"])).toEqual(["b", "a"]);
});

test("a branch that was gone and is there again as it was is no push", () => {
  expect(told([0, "a"], [1, null], [60, "a"], [60, "b"])).toEqual(["b"]);
});

test("many that are pushed at once are told in pieces, none twice", () => {
  const watched = { project: "mine", branches: [], tags: true };
  const tags = new Map(
    Array.from({ length: 450 }, (_, index) => [`refs/tags/v${index}`, hash("a")]),
  );
  let known = firstReferences("x", { references: new Map(), defaultBranch: null }, watched);
  const refs: string[] = [];
  for (let look = 0; look < 4; look++) {
    const compared = compareReferences(known, { references: tags, defaultBranch: null }, watched, {
      now: 1e12,
      confirmMs: 1,
    });
    ({ known } = compared);
    refs.push(...compared.events.map((event) => (event.kind === "pushed" ? event.ref : "")));
  }
  expect(refs).toHaveLength(450);
  expect(new Set(refs).size).toBe(450);
});
