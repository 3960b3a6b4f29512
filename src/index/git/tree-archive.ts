import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { sha256OfFile } from "../../base/hash-file.ts";
import { CreameryError } from "../../base/errors.ts";
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
/** Of all of them: where there are more, those go that were made longer ago than this, and none is made where these are not enough. */
const MAX_KEPT_BYTES = 16 * 1024 ** 3;
const LEAST_KEPT_MS = 3_600_000;

/**
 * A commit's tree as a file that stays for some hours, its submodules in their places.
 * @throws CreameryError `needs-lfs`, `upstream` (too large), `disk-full`, `interrupted`, `host-lacks`.
 */
export async function archiveTree(
  mirrors: GitMirrors,
  repository: BareRepository,
  commit: string,
  signal: AbortSignal,
  maxKeptBytes = MAX_KEPT_BYTES,
): Promise<TreeArchive> {
  const directory = mirrors.treesDirectory;
  await mkdir(directory, { recursive: true });
  await removeOld(directory, maxKeptBytes);
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
    const sha256 = await sha256OfFile(half, signal);
    const path = join(directory, sha256);
    await rename(half, path);
    return { path, filename, sha256, notes: tree.notes };
  } finally {
    await rm(half, { force: true });
  }
}

/** What was made long ago goes, the oldest first. @throws CreameryError `disk-full` where too much was made just now. */
async function removeOld(directory: string, maxBytes: number): Promise<void> {
  const kept: { readonly path: string; readonly madeMs: number; readonly bytes: number }[] = [];
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const found = await stat(path).catch(() => null);
    if (found !== null) kept.push({ path, madeMs: found.mtimeMs, bytes: found.size });
  }
  const nowMs = Date.now();
  let bytes = kept.reduce((sum, one) => sum + one.bytes, 0);
  let count = kept.length;
  for (const one of kept.toSorted((a, b) => a.madeMs - b.madeMs)) {
    const ageMs = nowMs - one.madeMs;
    const isTooMuch = bytes > maxBytes && ageMs > LEAST_KEPT_MS;
    if (!isTooMuch && !(count > MAX_KEPT && ageMs > KEPT_MS)) continue;
    await rm(one.path, { force: true });
    bytes -= one.bytes;
    count--;
  }
  if (bytes > maxBytes)
    throw new CreameryError(
      "disk-full",
      `trees of repositories that were taken out just now hold more than ${maxBytes} bytes together`,
      { input: directory, nextStep: "try again in an hour" },
    );
}
