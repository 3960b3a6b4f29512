import type { RejectedRung } from "../discovery/plan.ts";
import { matchTag } from "../discovery/match-tag.ts";
import { repositoryUrls } from "../discovery/repository-urls.ts";
import { CreameryError } from "../base/errors.ts";
import { clip, printableLine } from "../base/bounded-text.ts";
import { referencesOf } from "../index/git/bare-repository.ts";
import type { AttestedCommit } from "../index/metadata/attested-commit.ts";
import type { GitMirrors } from "../index/git/git-mirrors.ts";
import { projectDirectory } from "../index/git/project-directory.ts";
import { isSameSource, sameSources } from "../index/git/same-sources.ts";
import { archiveTree } from "../index/git/tree-archive.ts";
import type { CoreMetadata } from "../python/core-metadata.ts";
import type { TestTree } from "./attempt-job.ts";

export interface TestTreeQuestion {
  readonly mirrors: GitMirrors;
  /** Normalised. */
  readonly project: string;
  readonly version: string;
  readonly metadata: Pick<CoreMetadata, "projectUrls" | "homePage">;
  /** Of the sdist's Python files, by path (`hashSources`). */
  readonly hashes: Readonly<Record<string, string>>;
  /** By the sdist's provenance; or why there is none. */
  readonly attested: AttestedCommit | string;
  readonly signal: AbortSignal;
}

export interface FoundTestTree {
  /** Null where no tree is the release's for sure. */
  readonly tree: TestTree | null;
  /** How far it is what was released, and what of it could not be had. */
  readonly notes: readonly string[];
  /** Rungs that did not win, and why. */
  readonly rejected: readonly RejectedRung[];
}

interface Candidate {
  readonly rung: "A2" | "A3";
  readonly url: string;
  readonly commit: string;
  /** What led there. */
  readonly by: string;
}

const MAX_TAGS = 20_000;

/**
 * Rungs A2 to A4: the tree of the release's own repository, at the commit that its sdist's provenance names, else at the one tag that is
 * its version; in a repository of several projects the directory that says its name. Taken only where the sdist's own files are there
 * (`isSameSource`).
 * @throws CreameryError `interrupted`, `disk-full`, `host-lacks`.
 */
export async function findTestTree(question: TestTreeQuestion): Promise<FoundTestTree> {
  const rejected: RejectedRung[] = [];
  for await (const candidate of candidates(question, rejected)) {
    const found = await hearFault(rejected, candidate.rung, candidate.url, question.signal, () =>
      treeOf(candidate, question, rejected),
    );
    if (found !== null) return { ...found, rejected };
  }
  return { tree: null, notes: [], rejected };
}

async function* candidates(
  { mirrors, project, version, metadata, attested, signal }: TestTreeQuestion,
  rejected: RejectedRung[],
): AsyncGenerator<Candidate> {
  if (typeof attested === "string") rejected.push({ rung: "A2", why: attested });
  else yield { rung: "A2", ...attested, by: "by its provenance" };
  const urls = repositoryUrls(metadata);
  if (urls.length === 0) rejected.push({ rung: "A3", why: "its metadata names no repository" });
  for (const url of urls) {
    const matched = await hearFault(rejected, "A3", url, signal, async () => {
      const repository = await mirrors.repository(url, signal);
      const { references } = await referencesOf(repository, MAX_TAGS, signal, ["refs/tags"]);
      const tags = references.map(({ name, hash, peeled }) => ({
        name: name.slice("refs/tags/".length),
        commit: peeled ?? hash,
      }));
      return matchTag(tags, project, version);
    });
    if (matched === null) continue;
    if (matched.kind === "one")
      yield { rung: "A3", url, commit: matched.commit, by: `tag ${matched.tag}` };
    else
      rejected.push({
        rung: "A3",
        why: shown(
          matched.kind === "none"
            ? `${url}: no tag is ${version}`
            : `${url}: several tags may be ${version}: ${matched.tags.join(", ")}`,
        ),
      });
  }
}

async function treeOf(
  { rung, url, commit, by }: Candidate,
  { mirrors, project, hashes, signal }: TestTreeQuestion,
  rejected: RejectedRung[],
): Promise<Pick<FoundTestTree, "tree" | "notes"> | null> {
  const reject = (which: string, why: string): null => {
    rejected.push({ rung: which, why: shown(`${url} at ${by}: ${why}`) });
    return null;
  };
  const repository = await mirrors.commit(url, commit, signal);
  const lies = await projectDirectory(repository, commit, project, signal);
  if (lies.kind === "none") return reject("A4", `no directory says that it is ${project}`);
  if (lies.kind === "several")
    return reject("A4", `several directories say ${project}: ${lies.directories.join(", ")}`);
  const { directory } = lies;
  const same = await sameSources(repository, commit, directory, hashes, signal);
  const extent = `${same.same} of the sdist's ${same.files} Python files are the same there`;
  if (!isSameSource(same)) return reject(rung, `${extent}, which is too few`);
  await mirrors.hold(repository, [commit], signal);
  const { path, filename, sha256, notes } = await archiveTree(mirrors, repository, commit, signal);
  const where = directory === "" ? "" : `, in ${directory}`;
  const others = same.others.length === 0 ? "" : `, but for ${same.others.join(", ")}`;
  const won = directory === "" ? rung : `${rung}+A4`;
  return {
    tree: { rung: won, file: { path, filename, sha256 }, directory, url, commit },
    notes: [
      shown(
        `its tests are those of ${url} at ${commit.slice(0, 12)} (${by}${where}): ${extent}${others}`,
      ),
      ...notes,
    ],
  };
}

/** What the way to a repository, or its own state, keeps from being had is why a rung did not win. */
async function hearFault<Value>(
  rejected: RejectedRung[],
  rung: string,
  url: string,
  signal: AbortSignal,
  work: () => Promise<Value>,
): Promise<Value | null> {
  try {
    return await work();
  } catch (thrown) {
    if (signal.aborted) {
      rejected.push({ rung, why: shown(`${url}: took too long`) });
      return null;
    }
    if (!(thrown instanceof CreameryError) || OF_THE_FARM.has(thrown.code)) throw thrown;
    rejected.push({ rung, why: shown(thrown.line) });
    return null;
  }
}

const OF_THE_FARM: ReadonlySet<string> = new Set([
  "disk-full",
  "host-lacks",
  "internal",
  "interrupted",
]);

function shown(text: string): string {
  return clip(printableLine(text), 400);
}
