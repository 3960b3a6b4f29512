import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

import { startForge, type Forge } from "../../../test/upstream/forge.ts";
import { GitMirrors, type GitMirrorsOptions } from "./git-mirrors.ts";
import { httpsAddress } from "./submodules.ts";
import { parseGitReference } from "./git-reference.ts";
import { fetchGitSource, type GitSource } from "./git-source.ts";

const root = mkdtempSync(join(tmpdir(), "creamery-git-"));
const signal = new AbortController().signal;
let forge: Forge;
beforeAll(async () => {
  forge = await startForge({
    repository: "repo.git",
    files: {
      ".gitattributes": "tests export-ignore\n",
      "tests/test_x.py": "def test_x(): pass\n",
      "big.bin": Buffer.from(
        Array.from({ length: 300_000 }, (_, index) => (index * 7919 * (index % 251)) & 255),
      ),
    },
    tag: "v1.2",
    redirects: { "/moved": "/repo.git", "/inward": "https://10.0.0.1/repo.git" },
  });
});

afterAll(async () => {
  await forge[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

interface Fetched {
  readonly source: GitSource;
  readonly directory: string;
}

async function fetchSource(
  path: string,
  more: Partial<GitMirrorsOptions> & { readonly maxArchiveBytes?: number } = {},
  directory = mkdtempSync(join(root, "to-")),
): Promise<Fetched> {
  await using mirrors = await GitMirrors.open({
    directory: mkdtempSync(join(root, "mirrors-")),
    allow: ["127.0.0.1"],
    authorities: async () => forge.ca,
    ...more,
  });
  const reference = parseGitReference(`git+${forge.origin}${path}`);
  const maxBytes = more.maxArchiveBytes ?? 50 << 20;
  return {
    source: await fetchGitSource(reference, { mirrors, directory, signal, maxBytes }),
    directory,
  };
}

test.each([
  "/repo.git@v1.2",
  "/repo.git",
  "/moved@main",
  "/repo.git@refs/heads/main",
  "/repo.git/",
])(
  "%s becomes an archive of its commit, tests and all, and nothing else lies beside it",
  async (path) => {
    const { source, directory } = await fetchSource(path);
    expect(source).toMatchObject({ commit: forge.commit, staleSince: null });
    expect(execFileSync("tar", ["tzf", source.path], { encoding: "utf8" })).toContain(
      `${source.commit.slice(0, 12)}/tests/test_x.py`,
    );
    expect(readdirSync(directory)).toHaveLength(1);
  },
);

test("a commit by its whole hash", async () => {
  expect((await fetchSource(`/repo.git@${forge.commit}`)).source.commit).toBe(forge.commit);
});

test.each([
  ["/repo.git@v1.2", { allow: [] }, "address-refused"],
  ["/inward", {}, "address-refused"],
  ["/repo.git@nothing", {}, "usage"],
  [`/repo.git@${"0".repeat(39)}1`, {}, "usage"],
  ["/none.git", {}, "upstream"],
  ["/repo.git", { timeoutMs: 1 }, "deadline"],
  ["/repo.git", { maxBytes: 100_000 }, "upstream"],
  ["/repo.git", { maxArchiveBytes: 1000 }, "upstream"],
] as const)("%s with %o is refused as %s and leaves no mirror", async (path, more, code) => {
  const mirrors = mkdtempSync(join(root, "mirrors-"));
  const directory = mkdtempSync(join(root, "to-"));
  await expect(fetchSource(path, { directory: mirrors, ...more }, directory)).rejects.toMatchObject(
    { code },
  );
  expect(readdirSync(join(mirrors, ".new"))).toEqual([]);
});

/** In the forge's working copy: what is pushed as a branch of its own, on the first commit. */
function pushBranch(
  of: Forge,
  name: string,
  files: Readonly<Record<string, string>>,
  ...more: string[][]
): void {
  const work = of.git("rev-parse", "--show-toplevel").trim();
  of.git("checkout", "-q", "-B", name, of.commit);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(work, path, ".."), { recursive: true });
    writeFileSync(join(work, path), content);
    of.git("add", path);
  }
  for (const argv of more) of.git(...argv);
  of.git("commit", "-q", "-m", name);
  of.git("push", "-q", "--force", "origin", name);
}

test("submodules lie in their places, those of submodules too, and the archive is the same each time", async () => {
  await using lib = await startForge({ repository: "lib.git", files: { "lib.c": "" }, tag: "v1" });
  await using deep = await startForge({ repository: "deep.git", files: { "d.c": "" }, tag: "v1" });
  const module = (name: string, path: string, url: string): string =>
    `[submodule "${name}"]\npath = ${path}\nurl = ${url}\n`;
  const link = (commit: string, path: string): string[] => [
    "update-index",
    "--add",
    "--cacheinfo",
    `160000,${commit},${path}`,
  ];
  pushBranch(
    lib,
    "next",
    { ".gitmodules": module("d", "below/deep", `${deep.origin}/deep.git`) },
    link(deep.commit, "below/deep"),
  );
  const next = lib.git("rev-parse", "HEAD").trim();
  pushBranch(
    forge,
    "modules",
    {
      ".gitmodules": [
        module("lib", "vendor/lib", `${lib.origin}/lib.git`),
        module("self", "self", "../repo.git"),
        module("gone", "gone", `${lib.origin}/none.git`),
        module("file", "file", "/srv/local"),
      ].join(""),
    },
    link(next, "vendor/lib"),
    link(forge.commit, "self"),
    link(forge.commit, "gone"),
    link(forge.commit, "file"),
  );
  const authorities = async (): Promise<string> => [forge.ca, lib.ca, deep.ca].join("\n");
  const one = await fetchSource("/repo.git@modules", { authorities });
  const listed = execFileSync("tar", ["tzf", one.source.path], { encoding: "utf8" });
  expect(listed).toMatch(/\/tests\/test_x\.py$/mu);
  expect(listed).toMatch(/\/vendor\/lib\/lib\.c$/mu);
  expect(listed).toMatch(/\/vendor\/lib\/below\/deep\/d\.c$/mu);
  expect(listed).toMatch(/\/self\/tests\/test_x\.py$/mu);
  expect(one.source.notes).toEqual([
    expect.stringMatching(/^submodule gone is left empty: .*no git repository/u),
    expect.stringMatching(/^submodule file is left empty: its address can't be had by https/u),
  ]);
  const again = await fetchSource("/repo.git@modules", { authorities });
  expect(readFileSync(again.source.path)).toEqual(readFileSync(one.source.path));
});

test("what a tree's .gitmodules includes is no file of this host's", async () => {
  const own = join(root, "own.cfg");
  writeFileSync(own, '[submodule "own"]\npath = own\nurl = https://word@git.example/own\n');
  pushBranch(forge, "includes", { ".gitmodules": `[include]\npath = ${own}\n` }, [
    "update-index",
    "--add",
    "--cacheinfo",
    `160000,${forge.commit},own`,
  ]);
  expect((await fetchSource("/repo.git@includes")).source.notes).toEqual([]);
});

test.each([
  ["https://git.example/a/b.git", "https://git.example/a/b.git"],
  ["git@git.example:a/b.git", "https://git.example/a/b.git"],
  ["ssh://git@git.example:2222/a/b", "https://git.example/a/b"],
  ["git://git.example/a/b", "https://git.example/a/b"],
  ["http://git.example:8080/a/b", "https://git.example/a/b"],
  ["../c.git", "https://git.example/owner/c.git"],
  ["./c", "https://git.example/owner/repo/c"],
  ["/srv/c", null],
  ["file:///srv/c", null],
  ["https://user:word@git.example/a", null],
])("a submodule at %s is asked for at %s", (written, asked) => {
  expect(httpsAddress(written, "https://git.example/owner/repo")).toBe(asked);
});

test("a tree that Git LFS keeps in part elsewhere is refused, and a file of it named", async () => {
  const pointer = `version https://git-lfs.example/spec/v1\noid sha256:${"a".repeat(64)}\nsize 12\n`;
  const marks = { "data/.gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n" };
  pushBranch(forge, "lfs", { ...marks, "data/x.bin": pointer, "data/y.bin": pointer });
  await expect(fetchSource("/repo.git@lfs")).rejects.toMatchObject({
    code: "needs-lfs",
    message: "keeps data/x.bin and 1 more by Git LFS, which is not fetched",
  });
  // The files themselves are there, or nothing says that they are elsewhere.
  pushBranch(forge, "marked", { ...marks, "data/x.bin": "whole\n" });
  pushBranch(forge, "unmarked", { "data/x.bin": pointer });
  for (const branch of ["marked", "unmarked"])
    expect((await fetchSource(`/repo.git@${branch}`)).source.notes).toEqual([]);
});
