import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

import { startForge, type Forge } from "../../test/upstream/forge.ts";
import { GitMirrors, type GitMirrorsOptions } from "./git/git-mirrors.ts";
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
    timeoutMs: 20_000,
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
