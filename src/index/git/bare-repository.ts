import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { runGit } from "./git-command.ts";

/** A bare repository on this host: what can be asked and done without its upstream. */
export interface BareRepository {
  readonly path: string;
  /** Of its upstream, as faults name it. */
  readonly url: string;
}

const LOCAL_MS = 60_000;
/** Below this, what is handed out is held: nothing that upstream drops is lost to those who were given it. */
const HELD = "refs/creamery/commits";
const COMMIT = /^[0-9a-f]{40}$/u;

/** For `info/attributes`: tests are often marked export-ignore, and versions export-subst, and the tree is wanted as it is. */
export const WHOLE_TREE = "* -export-ignore -export-subst\n";

export function isCommitHash(text: string): boolean {
  return COMMIT.test(text);
}

/** Whether it can be the name of something (git-check-ref-format(1)): git itself reads `main~3` and `:/word` as more than that. */
export function isReference(text: string): boolean {
  return /^[^\p{Cc} ~^:?*[\\]{1,250}$/u.test(text) && !/\.\.|@\{/u.test(text);
}

export interface LocalRun {
  readonly signal: AbortSignal;
  readonly maxChars?: number;
  readonly maxFileBytes?: number;
  readonly holds?: number;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly noneIsOne?: boolean;
}

/** @throws as `runGit`. */
export function askRepository(
  { path, url }: BareRepository,
  argv: readonly string[],
  run: LocalRun,
): Promise<string> {
  const deadline = AbortSignal.timeout(LOCAL_MS);
  const signal = AbortSignal.any([run.signal, deadline]);
  return runGit({ ...run, argv: ["--git-dir", path, ...argv], cwd: path, url, signal, deadline });
}

/** The commit that a name stands for, tags peeled; null for none. @param name whole, as `refs/heads/main`, or `HEAD`. */
export async function commitOf(
  repository: BareRepository,
  name: string,
  signal: AbortSignal,
): Promise<string | null> {
  const argv = ["rev-parse", "--verify", "--quiet", "--end-of-options", `${name}^{commit}`];
  const said = await askRepository(repository, argv, { signal }).catch(() => "");
  signal.throwIfAborted();
  return isCommitHash(said.trim()) ? said.trim() : null;
}

/**
 * Whether a commit is here with all that it is made of: only of what a reference leads to has git seen that all of it came.
 * @param commit whole.
 */
export async function holdsCommit(
  repository: BareRepository,
  commit: string,
  signal: AbortSignal,
): Promise<boolean> {
  if (!isCommitHash(commit)) return false;
  const argv = ["for-each-ref", "--count=1", "--format=held", `--contains=${commit}`];
  const said = await askRepository(repository, argv, { signal }).catch(() => "");
  signal.throwIfAborted();
  return said.trim() === "held";
}

/** Which of these objects are not here. @param hashes whole. */
export async function missingOf(
  repository: BareRepository,
  hashes: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const said = await askRepository(repository, ["cat-file", "--batch-check=%(objectname)"], {
    signal,
    input: hashes.map((hash) => `${hash}\n`).join(""),
    maxChars: (hashes.length + 1) * 60,
  });
  return said.split("\n").flatMap((line) => {
    const [hash = "", missing] = line.split(" ");
    return missing === "missing" ? [hash] : [];
  });
}

/** The reference that holds a commit for good. */
export function heldName(commit: string): string {
  return `${HELD}/${commit}`;
}

export interface KeptReference {
  readonly name: string;
  readonly hash: string;
  /** Of an annotated tag, what it stands for. */
  readonly peeled: string | null;
}

/** Branches and tags, at most `max` of them, and which branch is the default. */
export async function referencesOf(
  repository: BareRepository,
  max: number,
  signal: AbortSignal,
  below: readonly string[] = ["refs/heads", "refs/tags"],
): Promise<{ readonly references: readonly KeptReference[]; readonly head: string | null }> {
  const format = "--format=%(objectname) %(*objectname) %(refname)";
  const listed = await askRepository(
    repository,
    ["for-each-ref", `--count=${max}`, format, ...below],
    { signal, maxChars: max * 400 },
  );
  const references = listed.split("\n").flatMap((line) => {
    const [hash = "", peeled = "", name = ""] = line.split(" ");
    return isCommitHash(hash) && name !== ""
      ? [{ name, hash, peeled: peeled === "" ? null : peeled }]
      : [];
  });
  const head = await askRepository(repository, ["symbolic-ref", "--quiet", "HEAD"], {
    signal,
  }).catch(() => "");
  return { references, head: head.trim() === "" ? null : head.trim() };
}

/** Removes what a git that was killed left: to be called by who holds the mirror's lock, so that no other git writes. */
export async function removeHalves(path: string): Promise<void> {
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    // A branch may be called tmp_x; none ends with .lock.
    const isObject = entry.parentPath.startsWith(join(path, "objects"));
    if (entry.name.endsWith(".lock") || (isObject && /^\.?tmp[-_]/u.test(entry.name)))
      await rm(join(entry.parentPath, entry.name), { recursive: true, force: true });
  }
}

export interface PackSizes {
  readonly bytes: number;
  readonly packs: number;
}

export async function packSizes(path: string): Promise<PackSizes> {
  const directory = join(path, "objects", "pack");
  const names = await readdir(directory).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(directory, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return {
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    packs: names.filter((name) => name.endsWith(".pack")).length,
  };
}
