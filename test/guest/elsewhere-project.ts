import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";

import { startForge, type Forge } from "../upstream/forge.ts";
import type { DistFile } from "../upstream/upstream.ts";
import { packProjects } from "./pack-projects.ts";

export interface ElsewhereProject {
  readonly forge: Forge;
  /** `https://127.0.0.1:PORT/NAME.git` */
  readonly url: string;
  /** Its release, 1.0: wheel and sdist, without the tests. */
  readonly files: readonly DistFile[];
  /** Of the repository, which holds the tests too. */
  readonly commit: string;
}

/** A project whose release holds no tests, and whose repository does. @param tag of the commit of the release; null for none. */
export async function projectElsewhere(
  name: string,
  tests: Readonly<Record<string, string>>,
  tag: string | null = "v1.0",
): Promise<ElsewhereProject> {
  const repository = `${name}.git`;
  // Two steps: the address of a repository is in the metadata of what it holds.
  const forge = await startForge({ repository, files: { README: "" }, tag: "before" });
  const url = `${forge.origin}/${repository}`;
  const files = packProjects([{ name, urls: [`Source, ${url}`] }]);
  const sdist = files.find(({ filename }) => filename.endsWith(".tar.gz"));
  const tree = mkdtempSync(join(tmpdir(), "creamery-elsewhere-"));
  const unpack = ["xzf", "-", "-C", tree, "--strip-components=1"];
  execFileSync("tar", unpack, { input: sdist?.content ?? Buffer.alloc(0) });
  const top = forge.git("rev-parse", "--show-toplevel").trim();
  for (const [path, text] of Object.entries({ ...filesOf(tree), ...tests })) {
    mkdirSync(dirname(join(top, path)), { recursive: true });
    writeFileSync(join(top, path), text);
  }
  rmSync(tree, { recursive: true });
  forge.git("add", "--force", ".");
  forge.git("commit", "-q", "-m", "released");
  if (tag !== null) forge.git("tag", tag);
  forge.git("push", "-q", "--tags", "origin", "main");
  return { forge, url, files, commit: forge.git("rev-parse", "HEAD").trim() };
}

function filesOf(tree: string): Record<string, string> {
  const found = readdirSync(tree, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    found
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [relative(tree, path), readFileSync(path, "utf8")]),
  );
}
