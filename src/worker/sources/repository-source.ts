import { randomUUID } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError, type ErrorCode } from "../../base/errors.ts";
import type { GitReference } from "../../index/git/git-reference.ts";
import type { GitMirrors } from "../../index/git/git-mirrors.ts";
import { fetchGitSource, type GitSource } from "../../index/git/git-source.ts";
import { shownUrl } from "../../index/upstream/secret.ts";
import type { ResolvedSource } from "../attempt-job.ts";
import { guessProject } from "./guess-project.ts";
import { hashFile } from "./packed-tree.ts";

/** How repositories are reached. */
export interface RepositoryContext {
  /** The farm's own, for the archive: it must stay for as long as the source is used. */
  readonly directory: string;
  /** Called for a repository alone. */
  readonly mirrors: () => GitMirrors | PromiseLike<GitMirrors>;
}

const MAX_BYTES = 1024 ** 3;
const SHOWN_COMMIT_CHARS = 12;

/**
 * One commit of a repository, as an archive. `git archive` writes the commit's own time and no owner, so that the same
 * commit is the same archive, and has the same hash.
 * @throws CreameryError those of `fetchGitSource`.
 */
export async function resolveRepository(
  reference: GitReference,
  context: RepositoryContext,
  signal: AbortSignal,
): Promise<ResolvedSource> {
  const directory = join(context.directory, `source-${randomUUID()}`);
  await mkdir(directory, { recursive: true });
  try {
    const fetched = await fetchGitSource(reference, {
      mirrors: await context.mirrors(),
      directory,
      signal,
      maxBytes: MAX_BYTES,
    });
    const sha256 = await hashFile(fetched.path, signal);
    const name = lastSegment(reference.url);
    const ref = reference.ref ?? fetched.commit;
    const shownRef = ref === fetched.commit ? ref.slice(0, SHOWN_COMMIT_CHARS) : ref;
    return {
      kind: "repository",
      project: guessProject(name),
      version: "",
      extras: [],
      sourceFile: { path: fetched.path, filename: basename(fetched.path), sha256 },
      wheelFile: null,
      wheelNames: [],
      requiresPython: null,
      yanked: null,
      sha256,
      origin: {
        kind: "git",
        url: shownUrl(reference.url),
        ref: reference.ref,
        commit: fetched.commit,
      },
      notes: fetched.notes,
      label: clip(printableLine(`${name}@${shownRef}${asOf(fetched)}`), 200),
    };
  } catch (thrown) {
    await rm(directory, { recursive: true, force: true });
    throw asTyped(thrown, reference);
  }
}

/** What nobody could be asked for now is said to be of its day. */
function asOf({ staleSince }: GitSource): string {
  return staleSince === null ? "" : ` as fetched at ${staleSince.toISOString().slice(0, 16)}Z`;
}

/** Faults of the way there name the address as it was typed, not the one that was asked in the end. */
function asTyped(thrown: unknown, { url, ref }: GitReference): unknown {
  if (!(thrown instanceof CreameryError) || !OF_THE_WAY.has(thrown.code)) return thrown;
  return new CreameryError(thrown.code, thrown.message, {
    input: clip(printableLine(`git+${url}${ref === null ? "" : `@${ref}`}`), 300),
    nextStep: thrown.nextStep ?? "check the address, and that this host reaches it",
    cause: thrown,
  });
}

const OF_THE_WAY: ReadonlySet<ErrorCode> = new Set(["upstream", "no-network", "deadline"]);

/** `repo` of `https://host/owner/repo.git/`. */
function lastSegment(url: string): string {
  return basename(new URL(url).pathname).replace(/\.git$/u, "");
}
