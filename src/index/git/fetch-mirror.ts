import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { CreameryError } from "../../base/errors.ts";
import {
  askRepository,
  heldName,
  packSizes,
  removeHalves,
  WHOLE_TREE,
  type BareRepository,
} from "./bare-repository.ts";
import { isTooLarge, runGit, tooLarge } from "./git-command.ts";
import type { ReachedRepository } from "./reach-repository.ts";

export interface FetchMirrorOptions {
  readonly reached: ReachedRepository;
  readonly caFile: string | undefined;
  readonly signal: AbortSignal;
  readonly deadline: AbortSignal;
  /** Of the whole mirror. */
  readonly maxBytes: number;
  /** The mirror's lock. */
  readonly holds: number;
}

/** So many are put together: each fetch makes one. */
const MAX_PACKS = 40;
/** Less room than this is none. */
const LEAST_BYTES = 64 * 1024;

/**
 * What git itself looks for in what it is sent (fsck), but for old sins without a danger, which well-known histories hold:
 * no repository is refused for these.
 */
const HARMLESS = [
  "badDate",
  "badDateOverflow",
  "badEmail",
  "badName",
  "badTimezone",
  "missingEmail",
  "missingNameBeforeEmail",
  "missingSpaceBeforeDate",
  "missingSpaceBeforeEmail",
  "missingTaggerEntry",
  "multipleAuthors",
  "nullSha1",
  "zeroPaddedDate",
  "zeroPaddedFilemode",
];

const SETTINGS = [
  "fetch.fsckObjects=true",
  ...HARMLESS.map((id) => `fetch.fsck.${id}=ignore`),
  // Always a pack, which is in its place as a whole or not at all.
  "fetch.unpackLimit=1",
  "fetch.recurseSubmodules=false",
  "maintenance.auto=false",
  "protocol.version=2",
  "http.lowSpeedLimit=1000",
  "http.lowSpeedTime=60",
].flatMap((setting) => ["-c", setting]);

/** @throws CreameryError `host-lacks`, `interrupted`. */
export async function initialiseMirror(
  repository: BareRepository,
  { holds, signal, deadline }: Pick<FetchMirrorOptions, "holds" | "signal" | "deadline">,
): Promise<void> {
  const { path, url } = repository;
  const argv = ["init", "--quiet", "--bare", "--template=", path];
  await runGit({ argv, cwd: path, url, holds, signal, deadline });
  await mkdir(join(path, "info"), { recursive: true });
  await writeFile(join(path, "info", "attributes"), WHOLE_TREE);
}

/**
 * Brings branches, tags and the default branch up to date, as one change. git checks what it is sent and that all of it is there before a
 * reference leads to it: whoever is killed meanwhile leaves the references as they were.
 * @throws as `runGit`.
 */
export async function fetchMirror(
  repository: BareRepository,
  options: FetchMirrorOptions,
): Promise<void> {
  await removeHalves(repository.path);
  const references = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
  const all = ["--prune", ...references];
  await fetchInto(repository, ["--atomic", ...all], options).catch(async (thrown: unknown) => {
    // A branch `a` that gave way to `a/b`: not in one change, for git.
    if (
      !(thrown instanceof CreameryError) ||
      !/cannot (?:lock|process)|conflict/u.test(thrown.message)
    )
      throw thrown;
    await fetchInto(repository, all, options);
  });
  await followHead(repository, options);
  const { signal, holds } = options;
  await askRepository(repository, ["pack-refs", "--all"], { signal, holds });
  if ((await packSizes(repository.path)).packs > MAX_PACKS)
    await askRepository(repository, ["repack", "--quiet", "--geometric=2", "-d"], {
      signal,
      holds,
    });
}

/** One commit that no branch or tag leads to, where the server hands it out. @throws as `runGit`. */
export async function fetchCommit(
  repository: BareRepository,
  commit: string,
  options: FetchMirrorOptions,
): Promise<void> {
  await removeHalves(repository.path);
  await fetchInto(repository, [`+${commit}:${heldName(commit)}`], options);
}

async function fetchInto(
  { path, url }: BareRepository,
  what: readonly string[],
  options: FetchMirrorOptions,
): Promise<void> {
  const { reached, caFile, signal, deadline, holds } = options;
  const left = options.maxBytes - (await packSizes(path)).bytes;
  if (left < LEAST_BYTES) throw tooLarge(options.maxBytes, url);
  const flags = what.filter((word) => word.startsWith("--"));
  const references = what.filter((word) => !word.startsWith("--"));
  await runGit({
    argv: [
      "--git-dir",
      path,
      ...SETTINGS,
      // The last one counts.
      ...reached.options,
      "fetch",
      "--quiet",
      "--force",
      "--no-tags",
      "--no-auto-maintenance",
      "--no-write-fetch-head",
      ...flags,
      "--",
      reached.url,
      ...references,
    ],
    cwd: path,
    url,
    signal,
    deadline,
    holds,
    maxFileBytes: left,
    ...(reached.env === undefined ? {} : { env: reached.env }),
    ...(caFile === undefined ? {} : { caFile }),
  }).catch((thrown: unknown) => {
    // What git may write is less: what is there already counts.
    throw isTooLarge(thrown) ? tooLarge(options.maxBytes, url) : thrown;
  });
}

/** The default branch is upstream's: a clone begins there. */
async function followHead(
  repository: BareRepository,
  { reached, caFile, signal, deadline, holds }: FetchMirrorOptions,
): Promise<void> {
  const { path, url } = repository;
  const said = await runGit({
    argv: [...reached.options, "ls-remote", "--symref", "--", reached.url, "HEAD"],
    cwd: path,
    url,
    signal,
    deadline,
    ...(reached.env === undefined ? {} : { env: reached.env }),
    ...(caFile === undefined ? {} : { caFile }),
  });
  const branch = /^ref: (refs\/heads\/[^\s^]{1,240})\tHEAD$/mu.exec(said)?.[1];
  const detached = /^([0-9a-f]{40})\tHEAD$/mu.exec(said)?.[1];
  if (branch !== undefined)
    await askRepository(repository, ["symbolic-ref", "HEAD", branch], { signal, holds });
  else if (detached !== undefined)
    await askRepository(repository, ["update-ref", "--no-deref", "HEAD", detached], {
      signal,
      holds,
    });
}
