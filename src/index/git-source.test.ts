import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

import { startForge, type Forge } from "../../test/upstream/forge.ts";
import { parseGitReference } from "./git-reference.ts";
import { fetchGitSource, type FetchGitOptions } from "./git-source.ts";

const root = mkdtempSync(join(tmpdir(), "creamery-git-"));
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

function options(more: Partial<FetchGitOptions> = {}): FetchGitOptions {
  return {
    directory: mkdtempSync(join(root, "to-")),
    signal: new AbortController().signal,
    timeoutMs: 20_000,
    maxBytes: 50 << 20,
    allow: ["127.0.0.1"],
    ca: forge.ca,
    ...more,
  };
}

test.each(["/repo.git@v1.2", "/repo.git", "/moved@main"])(
  "%s becomes an archive of its commit, tests and all, and no repository stays",
  async (path) => {
    const given = options();
    const source = await fetchGitSource(parseGitReference(`git+${forge.origin}${path}`), given);
    expect(source.commit).toBe(forge.commit);
    expect(execFileSync("tar", ["tzf", source.path], { encoding: "utf8" })).toContain(
      `${source.commit.slice(0, 12)}/tests/test_x.py`,
    );
    expect(readdirSync(given.directory)).toHaveLength(1);
  },
);

test("a commit by its whole hash", async () => {
  const { commit, origin } = forge;
  expect(
    (await fetchGitSource(parseGitReference(`git+${origin}/repo.git@${commit}`), options())).commit,
  ).toBe(commit);
});

test.each([
  ["/repo.git@v1.2", { allow: [] }, "address-refused"],
  ["/inward", {}, "address-refused"],
  ["/repo.git@nothing", {}, "usage"],
  ["/none.git", {}, "upstream"],
  ["/repo.git", { timeoutMs: 1 }, "deadline"],
] as const)("%s with %o is refused as %s and leaves nothing", async (path, more, code) => {
  const given = options(more);
  await expect(
    fetchGitSource(parseGitReference(`git+${forge.origin}${path}`), given),
  ).rejects.toMatchObject({ code });
  expect(readdirSync(given.directory)).toEqual([]);
});
