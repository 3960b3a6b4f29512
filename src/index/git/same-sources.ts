import { askRepository, type BareRepository } from "./bare-repository.ts";

/** How far a source distribution and a tree are the same. */
export interface SameSources {
  /** Python files of the distribution that hold anything. */
  readonly files: number;
  /** Of these, those that the tree has byte for byte, under the same name. */
  readonly same: number;
  /** Of the others, those that the tree has under the same name with other code, and that no distribution is known to rewrite. */
  readonly changed: number;
  /** Some of the others. */
  readonly others: readonly string[];
}

const MAX_LISTED_CHARS = 64 << 20;
const SHOWN = 5;
/** Where a distribution's version may be written when it is made; setup.py is made altogether by some. */
const REWRITTEN = /version|about|^__init__\.py$|^setup\.py$/iu;
/** git's hash of a file without a byte. */
const EMPTY = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

/**
 * Holds a source distribution's Python files against a tree.
 * @param hashes by path in the distribution, as git takes them of files. @param directory of the project in the tree, `""` for its root.
 */
export async function sameSources(
  repository: BareRepository,
  commit: string,
  directory: string,
  hashes: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<SameSources> {
  const listed = await askRepository(
    repository,
    ["ls-tree", "-r", "-z", commit, ...(directory === "" ? [] : ["--", `${directory}/`])],
    { signal, maxChars: MAX_LISTED_CHARS },
  );
  const known = new Set<string>();
  const names = new Set<string>();
  for (const row of listed.split("\0")) {
    const [, hash = "", path = ""] = /^\d+ blob ([0-9a-f]+)\t(.*)$/su.exec(row) ?? [];
    if (hash === "") continue;
    known.add(`${hash} ${nameOf(path)}`);
    names.add(nameOf(path));
  }
  const rows = Object.entries(hashes).filter(([, hash]) => hash !== EMPTY);
  const others = rows.filter(([path, hash]) => !known.has(`${hash} ${nameOf(path)}`));
  return {
    files: rows.length,
    same: rows.length - others.length,
    changed: others.filter(([path]) => names.has(nameOf(path)) && !REWRITTEN.test(nameOf(path)))
      .length,
    others: others.slice(0, SHOWN).map(([path]) => path),
  };
}

/**
 * Whether that is enough to take the tree for the distribution's own: at most one file in ten differs, or one alone of three or
 * more that is written when a distribution is made, such as one that holds the version. In a small project one whose code is
 * other than the tree's may be what the tests are about: a tag that was moved, or what was never committed.
 */
export function isSameSource({ files, same, changed }: SameSources): boolean {
  const different = files - same;
  const isWritten = different === 1 && changed === 0;
  return files > 0 && same > different && (isWritten || different <= Math.floor(files / 10));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
