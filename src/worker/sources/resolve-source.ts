import type { IndexService } from "../../index/index-service.ts";
import type { ResolvedSource } from "../attempt-job.ts";
import { assertNoFile, resolveLocal, type LocalContext } from "./local-source.ts";
import { resolveRelease } from "./release-source.ts";
import { resolveRepository, type RepositoryContext } from "./repository-source.ts";
import type { Target } from "./target.ts";

export interface SourceContext extends LocalContext, RepositoryContext {
  /** Called for a release alone: finding the host's indexes takes time that a local tree need not wait for. */
  readonly index: () => IndexService | PromiseLike<IndexService>;
}

/**
 * Finds what a target names and brings it to this host, unpacked nowhere: the version that pip would choose, the tree,
 * the file or the commit. What lies in the launcher's session or in `directory` is gone with these.
 * @throws CreameryError `unknown-project`, `unknown-version`, `no-distribution`, `no-such-path`, `unreadable-path`,
 *   `too-large`, `not-a-project`, `bad-archive`, and those of the index, of git and of the launcher; `signal`'s reason.
 */
export async function resolveSource(
  target: Target,
  context: SourceContext,
  signal: AbortSignal,
): Promise<ResolvedSource> {
  switch (target.kind) {
    case "release":
      if (target.word !== undefined) await assertNoFile(target.word, context, signal);
      return await resolveRelease(target, await context.index(), signal);
    case "path":
      return await resolveLocal(target.path, context, signal);
    case "git":
      return await resolveRepository(target, context, signal);
  }
}
