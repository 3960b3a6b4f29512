import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

import { startForge, type Forge } from "../../../test/upstream/forge.ts";
import { GitMirrors } from "../../index/git/git-mirrors.ts";
import { LauncherClient } from "../../launcher/client.ts";
import type { ResolvedSource } from "../attempt-job.ts";
import { resolveSource } from "./resolve-source.ts";
import { parseTarget } from "./target.ts";

const archives = mkdtempSync(join(tmpdir(), "creamery-repository-"));
const mirrorsDirectory = mkdtempSync(join(tmpdir(), "creamery-mirrors-"));
let forge: Forge;
beforeAll(async () => {
  const files = { "pyproject.toml": "" };
  forge = await startForge({ repository: "My_Repo.git", files, tag: "v1.2" });
});

afterAll(async () => {
  await forge[Symbol.asyncDispose]();
  for (const directory of [archives, mirrorsDirectory])
    rmSync(directory, { recursive: true, force: true });
});

async function resolve(
  path: string,
  allow: readonly string[] = ["127.0.0.1"],
): Promise<ResolvedSource> {
  await using mirrors = await GitMirrors.open({
    directory: mirrorsDirectory,
    allow,
    authorities: async () => forge.ca,
  });
  const context = {
    index: () => {
      throw new Error("a repository needs no index");
    },
    launcher: new LauncherClient("/nowhere", () => {
      throw new Error("a repository needs nothing of the launcher");
    }),
    directory: archives,
    cwd: "/",
    mirrors: () => mirrors,
  };
  return await resolveSource(
    parseTarget(`git+${forge.origin}${path}`),
    context,
    new AbortController().signal,
  );
}

test("a repository is one commit's archive, which is the same each time", async () => {
  const { commit } = forge;
  const source = await resolve("/My_Repo.git@v1.2");
  expect(source).toMatchObject({
    kind: "repository",
    project: "my-repo",
    version: "",
    sourceFile: { filename: `My_Repo-${commit.slice(0, 12)}.tar.gz`, sha256: source.sha256 },
    origin: { kind: "git", url: `${forge.origin}/My_Repo.git`, ref: "v1.2", commit },
    label: "My_Repo@v1.2",
  });
  const listed = execFileSync("tar", ["-tzf", source.sourceFile?.path ?? ""], { encoding: "utf8" });
  expect(listed).toContain("/pyproject.toml");
  const again = await resolve("/My_Repo.git");
  expect(again).toMatchObject({
    sha256: source.sha256,
    label: `My_Repo@${commit.slice(0, 12)}`,
  });
  expect(again.sourceFile?.path).not.toBe(source.sourceFile?.path);
  expect(await resolve(`/My_Repo.git@${commit}`)).toMatchObject({
    sha256: source.sha256,
    label: `My_Repo@${commit.slice(0, 12)}`,
  });
});

test("what nobody can be asked for now is said to be of its day", async () => {
  await resolve("/My_Repo.git@main");
  forge.fault = 503;
  try {
    expect((await resolve("/My_Repo.git@main")).label).toMatch(
      /^My_Repo@main as fetched at \d{4}-\d\d-\d\dT\d\d:\d\dZ$/u,
    );
  } finally {
    forge.fault = null;
  }
});

test.each([
  ["/My_Repo.git@nothing", undefined, "usage"],
  ["/none.git", undefined, "upstream"],
  ["/My_Repo.git", [], "address-refused"],
] as const)(
  "%s, with %j allowed, is refused as %s and leaves nothing",
  async (path, allow, code) => {
    const before = readdirSync(archives);
    await expect(resolve(path, allow)).rejects.toMatchObject({ code });
    expect(readdirSync(archives)).toEqual(before);
  },
);
