import { CreameryError } from "../../base/errors.ts";
import type { GitMirrors } from "../../index/git/git-mirrors.ts";
import { archiveTree } from "../../index/git/tree-archive.ts";
import type { AgainJson } from "../../worker/again.ts";
import type { TestTree } from "../../worker/attempt-job.ts";

/**
 * The repository's tree that an attempt's tests were of, made anew out of its mirror: the same commit is the same archive.
 * @throws CreameryError `upstream` where it is to be had nowhere, or is another by now, and those of the way there.
 */
export async function restoreTestTree(
  tests: NonNullable<AgainJson["tests"]>,
  mirrors: GitMirrors | undefined,
  signal: AbortSignal,
): Promise<TestTree> {
  const { rung, url, commit, directory, sha256 } = tests;
  const lost = (reason: string): CreameryError =>
    new CreameryError("upstream", reason, {
      input: `${url} at ${commit.slice(0, 12)}`,
      nextStep: "test it anew with ./creamery test",
    });
  if (mirrors === undefined) throw lost("holds its tests, and no repositories are served here");
  const repository = await mirrors.commit(url, commit, signal);
  const { path, filename, ...made } = await archiveTree(mirrors, repository, commit, signal);
  if (made.sha256 !== sha256)
    throw lost(
      "holds its tests, and its tree is another now: a submodule that was there is not, or the other way round",
    );
  return { rung, url, commit, directory, file: { path, filename, sha256 } };
}
