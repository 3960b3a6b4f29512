import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { authoritiesWith } from "../../base/authorities.ts";
import { CreameryError } from "../../base/errors.ts";
import { askRepository } from "./bare-repository.ts";
import { sourceTree } from "./source-tree.ts";
import { runGit } from "./git-command.ts";
import type { GitMirrors } from "./git-mirrors.ts";
import { reachRepository, type ReachOptions } from "./reach-repository.ts";
import type { GitReference } from "./git-reference.ts";

export interface GitSource extends GitReference {
  readonly commit: string;
  /** A tar.gz of the commit's tree, nothing left out (export-ignore is not obeyed), below one directory. */
  readonly path: string;
  readonly sizeBytes: number;
  /** When its mirror was last fetched, where its upstream could not be asked now; null where it could. */
  readonly staleSince: Date | null;
  /** What of its tree is not in the archive, a line each. */
  readonly notes: readonly string[];
}

export interface FetchGitOptions {
  readonly mirrors: GitMirrors;
  /** A directory of the caller's, for the archive. */
  readonly directory: string;
  readonly signal: AbortSignal;
  /** Of the archive. */
  readonly maxBytes: number;
}

/**
 * One commit, out of the repository's mirror, which is fetched where the commit is not there yet, as an archive of its tree, its submodules in their places;
 * nothing is checked out or run on this host.
 * @throws CreameryError `address-refused`, `upstream`, `no-network`, `deadline`, `usage`, `needs-lfs`, `disk-full`, `interrupted`, `host-lacks`.
 */
export async function fetchGitSource(
  reference: GitReference,
  { mirrors, directory, signal, maxBytes }: FetchGitOptions,
): Promise<GitSource> {
  const { repository, commit } = await mirrors.resolve(reference.url, reference.ref, signal);
  await mirrors.hold(repository, [commit], signal);
  const name =
    (new URL(reference.url).pathname.replace(/\/+$/u, "").split("/").at(-1) ?? "")
      .replace(/\.git$/u, "")
      .replaceAll(/[^\w.-]/gu, "-") || "repository";
  const path = join(directory, `${name}-${commit.slice(0, 12)}.tar.gz`);
  await using tree = await sourceTree(mirrors, repository, commit, signal);
  await askRepository(
    tree.repository,
    [
      "archive",
      "--format=tar.gz",
      `--prefix=${name}-${commit.slice(0, 12)}/`,
      `--output=${path}`,
      tree.commit,
    ],
    { signal, maxFileBytes: maxBytes },
  );
  const { size } = await stat(path);
  const staleSince = repository.stale === null ? null : repository.fetchedAt;
  const { notes } = tree;
  return {
    url: reference.url,
    ref: reference.ref,
    commit,
    path,
    sizeBytes: size,
    staleSince,
    notes,
  };
}

export interface ListGitOptions extends ReachOptions {
  /** An empty directory of the caller's. */
  readonly directory: string;
  /** More tags and branches than this are a fault. */
  readonly maxReferences: number;
}

export interface GitReferences {
  /** Whole hashes by full name (`refs/tags/v1.0`); of an annotated tag that of its commit. */
  readonly references: ReadonlyMap<string, string>;
  /** `refs/heads/main`; null where the repository names none. */
  readonly defaultBranch: string | null;
}

/** No name of a reference that is longer is read. */
const MAX_REFERENCE_CHARS = 250;

/**
 * Tags and branches of a repository, and which branch is its default; nothing is fetched. Guarded as `fetchGitSource` is.
 * @param url https, without credentials.
 * @throws as `fetchGitSource`; `upstream` too for one that has more references than `maxReferences`.
 */
export async function listGitReferences(
  url: string,
  options: ListGitOptions,
): Promise<GitReferences> {
  const deadline = AbortSignal.timeout(options.timeoutMs);
  const signal = AbortSignal.any([options.signal, deadline]);
  const maxChars = options.maxReferences * 2 * (MAX_REFERENCE_CHARS + 66);
  const reached = await reachRepository(url, options);
  const settled = reached.url;
  const { directory, ca } = options;
  const caFile = join(directory, "authorities.pem");
  if (ca !== undefined) await writeFile(caFile, authoritiesWith(ca).join("\n"));
  const run = (argv: readonly string[]): Promise<string> =>
    runGit({
      argv: [...reached.options, ...argv],
      cwd: directory,
      url: settled,
      signal,
      deadline,
      maxChars,
      ...(ca === undefined ? {} : { caFile }),
    });
  const symbolic = await run(["ls-remote", "--symref", "--", settled, "HEAD"]);
  const listed = await run(["ls-remote", "--tags", "--heads", "--", settled]);
  const references = new Map<string, string>();
  for (const line of listed.split("\n")) {
    const [, commit = "", name = "", peeled] =
      /^([0-9a-f]{40}|[0-9a-f]{64})\t(refs\/(?:tags|heads)\/[^\s^]+)(\^\{\})?$/u.exec(line) ?? [];
    if (name === "" || name.length > MAX_REFERENCE_CHARS) continue;
    if (peeled !== undefined || !references.has(name)) references.set(name, commit);
  }
  // What is clipped would lack references, and they would seem to be new one day.
  if (references.size > options.maxReferences || listed.length >= maxChars)
    throw new CreameryError(
      "upstream",
      `has more than ${options.maxReferences} tags and branches`,
      { input: url },
    );
  const defaultBranch = /^ref: (refs\/heads\/[^\s^]{1,240})\tHEAD$/mu.exec(symbolic)?.[1] ?? null;
  return { references, defaultBranch };
}
