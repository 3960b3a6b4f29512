import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

import { askRepository, type BareRepository } from "./bare-repository.ts";
import type { GitMirrors } from "./git-mirrors.ts";
import { sourceTree } from "./source-tree.ts";

export interface TreeArchive {
  /** A tar.gz of the tree below one directory. */
  readonly path: string;
  readonly filename: string;
  readonly sha256: string;
  /** What of the tree is not in it, a line each. */
  readonly notes: readonly string[];
}

const MAX_BYTES = 1024 ** 3;
/** Archives are kept for those who will want the same tree soon: other configurations, and who confirms. */
const MAX_KEPT = 32;
const KEPT_MS = 6 * 3_600_000;

/**
 * A commit's tree as a file that stays for some hours, its submodules in their places.
 * @throws CreameryError `needs-lfs`, `upstream` (too large), `disk-full`, `interrupted`, `host-lacks`.
 */
export async function archiveTree(
  mirrors: GitMirrors,
  repository: BareRepository,
  commit: string,
  signal: AbortSignal,
): Promise<TreeArchive> {
  const directory = mirrors.treesDirectory;
  await mkdir(directory, { recursive: true });
  await removeOld(directory);
  const name = `tests-${commit.slice(0, 12)}`;
  const filename = `${name}.tar.gz`;
  const half = mirrors.newPath();
  try {
    await using tree = await sourceTree(mirrors, repository, commit, signal);
    const argv = ["archive", "--format=tar.gz", `--prefix=${name}/`, `--output=${half}`];
    await askRepository(tree.repository, [...argv, tree.commit], {
      signal,
      maxFileBytes: MAX_BYTES,
    });
    const hash = createHash("sha256");
    await pipeline(createReadStream(half), hash, { signal });
    const sha256 = hash.digest("hex");
    const path = join(directory, sha256);
    await rename(half, path);
    return { path, filename, sha256, notes: tree.notes };
  } finally {
    await rm(half, { force: true });
  }
}

/** What was made long ago goes, the oldest first. */
async function removeOld(directory: string): Promise<void> {
  const kept: { readonly path: string; readonly madeMs: number }[] = [];
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const found = await stat(path).catch(() => null);
    if (found !== null) kept.push({ path, madeMs: found.mtimeMs });
  }
  const before = Date.now() - KEPT_MS;
  const old = kept.filter(({ madeMs }) => madeMs < before).toSorted((a, b) => a.madeMs - b.madeMs);
  const tooMany = Math.max(0, kept.length - MAX_KEPT);
  for (const { path } of old.slice(0, tooMany)) await rm(path, { force: true });
}
