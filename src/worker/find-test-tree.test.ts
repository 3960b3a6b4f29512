import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { startForge, type Forge } from "../../test/upstream/forge.ts";
import { GitMirrors } from "../index/git/git-mirrors.ts";
import type { AttestedCommit } from "../index/metadata/attested-commit.ts";
import { findTestTree, type FoundTestTree, type TestTreeQuestion } from "./find-test-tree.ts";

/** What the sdist holds, and the repository too. */
const SOURCES: Readonly<Record<string, string>> = {
  "setup.py": 'from setuptools import setup\nsetup(name="My.Pkg")\n',
  "pkg/__init__.py": "",
  "pkg/one.py": "one = 1\n",
  "pkg/two.py": "two = 2\n",
};
const TESTS = { "tests/test_one.py": "def test_one(): pass\n" };

let root = "";
let forge: Forge;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "creamery-test-tree-"));
  forge = await startForge({ repository: "pkg.git", files: { ...SOURCES, ...TESTS }, tag: "v1.2" });
});
afterEach(async () => {
  await forge[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

/** As git takes it of a file. */
function blob(content: string): string {
  return createHash("sha1")
    .update(`blob ${Buffer.byteLength(content)}\0${content}`)
    .digest("hex");
}

function hashesOf(files: Readonly<Record<string, string>>): Record<string, string> {
  const python = Object.entries(files).filter(([path]) => path.endsWith(".py"));
  return Object.fromEntries(python.map(([path, content]) => [path, blob(content)]));
}

/** One more commit on `main`, pushed. */
function push(files: Readonly<Record<string, string>>, ...tags: string[]): string {
  const work = forge.git("rev-parse", "--show-toplevel").trim();
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(work, path)), { recursive: true });
    writeFileSync(join(work, path), content);
  }
  forge.git("add", ".");
  forge.git("commit", "-q", "--allow-empty", "-m", "more");
  for (const tag of tags) forge.git("tag", "-f", tag);
  forge.git("push", "-q", "--force", "--tags", "origin", "main");
  return forge.git("rev-parse", "HEAD").trim();
}

async function find(
  more: Partial<Pick<TestTreeQuestion, "version" | "hashes" | "metadata">> & {
    readonly attested?: AttestedCommit;
  } = {},
): Promise<FoundTestTree> {
  await using mirrors = await GitMirrors.open({
    directory: join(root, "mirrors"),
    allow: ["127.0.0.1"],
    authorities: async () => forge.ca,
    intervalMs: 0,
  });
  return await findTestTree({
    mirrors,
    project: "my-pkg",
    version: "1.2",
    metadata: { projectUrls: [["source", `${forge.origin}/pkg.git`]], homePage: null },
    hashes: hashesOf(SOURCES),
    attested: "no provenance",
    signal: new AbortController().signal,
    ...more,
  });
}

function lines(rejected: FoundTestTree["rejected"]): string[] {
  return rejected.map(({ rung, why }) => `${rung}: ${why}`);
}

test("the tree at the release's tag is taken, and holds the tests", async () => {
  push({ "pkg/one.py": "one = 11\n" });
  const { tree, notes, rejected } = await find();
  expect(tree).toMatchObject({ rung: "A3", directory: "", commit: forge.commit });
  expect(rejected).toEqual([{ rung: "A2", why: "no provenance" }]);
  expect(notes).toEqual([
    expect.stringMatching(/\(tag v1\.2\): 3 of the sdist's 3 Python files are the same there$/u),
  ]);
  const listed = execFileSync("tar", ["tzf", tree?.file.path ?? ""], { encoding: "utf8" });
  expect(listed).toContain("/tests/test_one.py");
});

test("a file that was written for the distribution is let through and told, and no more than one in ten", async () => {
  const generated = { ...SOURCES, "pkg/_version.py": "v = '1.2'\n" };
  const { tree, notes } = await find({ hashes: hashesOf(generated) });
  expect(tree?.rung).toBe("A3");
  expect(notes[0]).toMatch(/3 of the sdist's 4 .* but for pkg\/_version\.py$/u);
  const two = hashesOf({ ...generated, "pkg/_other.py": "o = 1\n" });
  const refused = await find({ hashes: two });
  expect(refused.tree).toBeNull();
  expect(refused.rejected.at(-1)?.why).toMatch(/3 of the sdist's 5 .* too few$/u);
});

test("a tag of another code is refused by what the sdist holds", async () => {
  push({ "pkg/one.py": "other = 1\n", "pkg/two.py": "other = 2\n" }, "v1.3");
  const { tree, rejected } = await find({ version: "1.3" });
  expect(tree).toBeNull();
  expect(lines(rejected).at(-1)).toMatch(/^A3: .* at tag v1\.3: 1 of the sdist's 3 .* too few$/u);
});

test("one file of few whose code is another than the sdist's is refused: the tag was moved, or it was never committed", async () => {
  push({ "pkg/one.py": "one = 11\n" }, "v1.3");
  const { tree, rejected } = await find({ version: "1.3" });
  expect(tree).toBeNull();
  expect(lines(rejected).at(-1)).toMatch(/2 of the sdist's 3 .* too few$/u);
  push({ ...SOURCES, "pkg/version.py": "v = 'unknown'\n" }, "v1.4");
  const written = hashesOf({ ...SOURCES, "pkg/version.py": "v = '1.4'\n" });
  expect((await find({ version: "1.4", hashes: written })).tree?.rung).toBe("A3");
});

test("an sdist without code says nothing of a tree", async () => {
  expect((await find({ hashes: { "pkg/__init__.py": blob("") } })).tree).toBeNull();
});

test.each([
  [{ version: "9.9" }, /no tag is 9\.9$/u],
  [{ metadata: { projectUrls: [], homePage: null } }, /names no repository$/u],
  [
    { metadata: { projectUrls: [["code", "https://10.0.0.1/x"]], homePage: null } },
    /no address of the public internet/u,
  ],
] as const)("with %o there is none, and it is told why", async (more, why) => {
  const { tree, rejected } = await find(more);
  expect(tree).toBeNull();
  expect(rejected.at(-1)?.why).toMatch(why);
});

test("where a first address is no repository the next one is asked", async () => {
  const projectUrls = [
    ["source", `${forge.origin}/none.git`],
    ["homepage", `${forge.origin}/pkg.git`],
  ] as const;
  const { tree, rejected } = await find({ metadata: { projectUrls, homePage: null } });
  expect(tree?.rung).toBe("A3");
  expect(lines(rejected)[1]).toMatch(/^A3: .*none\.git/u);
});

test("two tags that may be the release's and differ are neither", async () => {
  push({ "x.txt": "" }, "1.2");
  const { tree, rejected } = await find();
  expect(tree).toBeNull();
  expect(rejected.at(-1)?.why).toMatch(/several tags may be 1\.2: /u);
});

test("in a repository of several projects it is the directory that says the name", async () => {
  const name = (said: string): string => `[project]\nname = "${said}"\n`;
  const below = (directory: string, files: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(files).map(([path, text]) => [`${directory}/${path}`, text]));
  push(
    {
      "setup.py": 'setup(name="workspace")\n',
      "libs/pkg/pyproject.toml": name("my_pkg"),
      "libs/other/pyproject.toml": name("other"),
      ...below("libs/pkg", { "one.py": "x = 1\n", "tests/test_x.py": "def test_x(): pass\n" }),
    },
    "my-pkg-2.0",
    "other-2.0",
  );
  const hashes = hashesOf({ "one.py": "x = 1\n" });
  const { tree } = await find({ version: "2.0", hashes });
  expect(tree).toMatchObject({ rung: "A3+A4", directory: "libs/pkg" });
  push({ "copies/pkg/pyproject.toml": name("my.pkg") }, "my-pkg-2.1");
  const twice = await find({ version: "2.1", hashes });
  expect(twice.tree).toBeNull();
  expect(lines(twice.rejected).at(-1)).toMatch(
    /^A4: .* several directories say my-pkg: (?:copies\/pkg, libs\/pkg|libs\/pkg, copies\/pkg)$/u,
  );
  push(
    { "libs/pkg/pyproject.toml": name("renamed"), "copies/pkg/pyproject.toml": "" },
    "my-pkg-2.2",
  );
  expect((await find({ version: "2.2", hashes })).rejected.at(-1)?.why).toMatch(
    /no directory says that it is my-pkg$/u,
  );
});

test("a commit that was attested goes before any tag, and is held against the sdist too", async () => {
  const attested = { url: `${forge.origin}/pkg.git`, commit: push({ "y.txt": "" }) };
  expect((await find({ attested })).tree).toMatchObject({ rung: "A2", commit: attested.commit });
  const wrong = { ...attested, commit: push({ "pkg/one.py": "1\n", "pkg/two.py": "2\n" }) };
  const { tree, rejected } = await find({ attested: wrong });
  expect(tree).toMatchObject({ rung: "A3", commit: forge.commit });
  expect(lines(rejected)).toEqual([
    expect.stringMatching(/^A2: .* by its provenance: 1 of the sdist's 3 .* too few$/u),
  ]);
});
