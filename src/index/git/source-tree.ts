import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { askRepository, WHOLE_TREE, type BareRepository } from "./bare-repository.ts";
import type { GitMirrors } from "./git-mirrors.ts";
import { assertNoLfs } from "./lfs-files.ts";
import { submodulesOf } from "./submodules.ts";

/** A commit's tree with its submodules in their places, as a commit of a repository on this host. */
export interface SourceTree extends AsyncDisposable {
  readonly repository: BareRepository;
  readonly commit: string;
  /** What was left out, a line each. */
  readonly notes: readonly string[];
}

interface Part {
  /** Where it lies, with a slash at its end; empty for the tree itself. */
  readonly prefix: string;
  readonly repository: BareRepository;
  readonly commit: string;
  readonly depth: number;
}

const MAX_DEPTH = 4;
const MAX_PARTS = 32;

/**
 * What a checkout of a commit would hold, submodules included, each at the commit that the tree names. A submodule that can't
 * be had is left empty, and told.
 * @throws CreameryError `needs-lfs`, and what git's own faults are.
 */
export async function sourceTree(
  mirrors: GitMirrors,
  repository: BareRepository,
  commit: string,
  signal: AbortSignal,
): Promise<SourceTree> {
  await assertNoLfs(repository, commit, signal);
  const parts: Part[] = [{ prefix: "", repository, commit, depth: 0 }];
  const notes: string[] = [];
  for (const part of parts) {
    for (const { path, url, commit: wanted } of await submodulesOf(
      part.repository,
      part.commit,
      signal,
    )) {
      const prefix = `${part.prefix}${path}/`;
      const leave = (why: string): void =>
        void notes.push(
          clip(printableLine(`submodule ${prefix.slice(0, -1)} is left empty: ${why}`), 400),
        );
      if (url === null) leave("its address can't be had by https");
      else if (part.depth >= MAX_DEPTH) leave(`it lies more than ${MAX_DEPTH} deep`);
      else if (parts.length > MAX_PARTS) leave(`there are more than ${MAX_PARTS}`);
      else {
        const found = await partOf(mirrors, url, wanted, signal).catch((thrown: unknown) => {
          signal.throwIfAborted();
          if (thrown instanceof CreameryError) return thrown;
          throw thrown;
        });
        if (found instanceof CreameryError) leave(found.line);
        else parts.push({ prefix, repository: found, commit: wanted, depth: part.depth + 1 });
      }
    }
  }
  if (parts.length === 1)
    return { repository, commit, notes, [Symbol.asyncDispose]: async () => undefined };
  return { ...(await putTogether(mirrors.newPath(), parts, signal)), notes };
}

async function partOf(
  mirrors: GitMirrors,
  url: string,
  commit: string,
  signal: AbortSignal,
): Promise<BareRepository> {
  const repository = await mirrors.commit(url, commit, signal);
  await mirrors.hold(repository, [commit], signal);
  await assertNoLfs(repository, commit, signal);
  return repository;
}

/** One tree of several, made by git in a repository of its own that borrows their objects; the same parts make the same commit. */
async function putTogether(
  path: string,
  parts: readonly Part[],
  signal: AbortSignal,
): Promise<Omit<SourceTree, "notes">> {
  const [first] = parts;
  if (first === undefined) throw new CreameryError("internal", "a tree of no parts");
  const repository = { path, url: first.repository.url };
  const remove = (): Promise<void> => rm(path, { recursive: true, force: true });
  try {
    await mkdir(join(path, "objects", "info"), { recursive: true });
    await mkdir(join(path, "refs"));
    await mkdir(join(path, "info"));
    await writeFile(join(path, "HEAD"), "ref: refs/heads/main\n");
    await writeFile(join(path, "config"), "[core]\n\trepositoryformatversion = 0\n\tbare = true\n");
    await writeFile(join(path, "info", "attributes"), WHOLE_TREE);
    const objects = new Set(parts.map((part) => join(part.repository.path, "objects")));
    await writeFile(join(path, "objects", "info", "alternates"), `${[...objects].join("\n")}\n`);
    // Nothing is written to a work tree, but git wants to know of one.
    const env = { GIT_INDEX_FILE: join(path, "index"), GIT_WORK_TREE: join(path, "refs") };
    const run = (...argv: string[]): Promise<string> =>
      askRepository(repository, argv, { signal, env });
    await run("read-tree", first.commit);
    for (const { prefix, commit } of parts.slice(1)) {
      await run("update-index", "--force-remove", prefix.slice(0, -1));
      await run("read-tree", `--prefix=${prefix}`, commit);
    }
    const tree = (await run("write-tree")).trim();
    const date = (await run("show", "-s", "--format=%ct", first.commit)).trim();
    const commit = await askRepository(repository, ["commit-tree", "-m", first.commit, tree], {
      signal,
      env: { ...NOBODY, GIT_AUTHOR_DATE: `${date} +0000`, GIT_COMMITTER_DATE: `${date} +0000` },
    });
    return { repository, commit: commit.trim(), [Symbol.asyncDispose]: remove };
  } catch (thrown) {
    await remove();
    throw thrown;
  }
}

const NOBODY = {
  GIT_AUTHOR_NAME: "creamery",
  GIT_AUTHOR_EMAIL: "creamery@farm.example",
  GIT_COMMITTER_NAME: "creamery",
  GIT_COMMITTER_EMAIL: "creamery@farm.example",
};
