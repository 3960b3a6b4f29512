import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

import { startForge } from "../../../test/upstream/forge.ts";
import { GitMirrors } from "./git-mirrors.ts";
import { archiveTree } from "./tree-archive.ts";

test("archives that are too large together go after an hour, and where all are new no other is made", async () => {
  const signal = new AbortController().signal;
  const root = mkdtempSync(join(tmpdir(), "creamery-trees-"));
  const files = { "a.bin": randomBytes(100_000) };
  await using forge = await startForge({ repository: "repo.git", files, tag: "v1" });
  const work = forge.git("rev-parse", "--show-toplevel").trim();
  const commits = [forge.commit];
  for (const name of ["two", "three", "four"]) {
    writeFileSync(join(work, "a.bin"), randomBytes(100_000));
    forge.git("commit", "-q", "-a", "-m", name);
    commits.push(forge.git("rev-parse", "HEAD").trim());
  }
  forge.git("push", "-q", "origin", "main");
  {
    await using mirrors = await GitMirrors.open({
      directory: root,
      allow: ["127.0.0.1"],
      authorities: async () => forge.ca,
    });
    const repository = await mirrors.repository(`${forge.origin}/repo.git`, signal);
    const archive = (at: number) =>
      archiveTree(mirrors, repository, commits[at] ?? "", signal, 250_000);
    const [first] = [await archive(0), await archive(1), await archive(2)];
    await expect(archive(3)).rejects.toMatchObject({ code: "disk-full" });
    const hoursAgo = Date.now() / 1000 - 2 * 3600;
    utimesSync(first.path, hoursAgo, hoursAgo);
    await archive(3);
    expect(readdirSync(mirrors.treesDirectory)).toHaveLength(3);
    expect(readdirSync(mirrors.treesDirectory)).not.toContain(first.sha256);
  }
  await rm(root, { recursive: true, force: true });
});
