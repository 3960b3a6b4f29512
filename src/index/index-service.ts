import { printableLine } from "../base/bounded-text.ts";
import type { AttemptRecord, RecordedCrate } from "./record/attempt-record.ts";
import { replayCatalogue, upstreamCatalogue } from "./catalogue.ts";
import { CrateMirror, isCrateName } from "./crates/crates.ts";
import {
  DEFAULT_LIMITS,
  openEndpoint,
  type Endpoint,
  type EndpointLimits,
} from "./serve/endpoint.ts";
import { FarmRepositories } from "./git/farm-repositories.ts";
import { FarmIndex } from "./serve/farm-index.ts";
import type { GitCatalogue } from "./git/git-catalogue.ts";
import type { GitMirrors } from "./git/git-mirrors.ts";
import { mirroredCatalogue } from "./git/mirrored-catalogue.ts";
import { Places } from "./git/places.ts";
import { replayedCatalogue } from "./git/replayed-catalogue.ts";
import { Mirror, type MirrorOptions } from "./mirror.ts";
import { overlaidCatalogue, type OnlyRelease } from "./overlaid-catalogue.ts";
import { isName, normaliseName } from "../python/names.ts";
import { CreameryError } from "../base/errors.ts";
import type { PageOptions } from "./page/page-store.ts";
import type { IndexFile, ProjectPage } from "./page/project-page.ts";
import type { StoredFile } from "./files/file-store.ts";
import {
  openServedIndex,
  type ServedIndex,
  type ServedIndexOptions,
} from "./serve/served-index.ts";

export { AttemptRecord, faultLines } from "./record/attempt-record.ts";
export { replacedLine } from "./page/replaced-files.ts";
export type { FarmIndex } from "./serve/farm-index.ts";
export type { Endpoint, EndpointLimits } from "./serve/endpoint.ts";
export type { OnlyRelease } from "./overlaid-catalogue.ts";
export type { ServedIndex } from "./serve/served-index.ts";
export type { IndexFile, ProjectPage } from "./page/project-page.ts";

/** A version of a crate by its hash. */
export type CrateWanted = Pick<RecordedCrate, "name" | "version" | "sha256">;

export interface IndexServiceOptions extends MirrorOptions {
  /** Of source repositories; without it none is served. */
  readonly repositories?: GitMirrors;
}

export interface OpenEndpointOptions {
  /** Where to listen; a socket left there is replaced. */
  readonly socketPath: string;
  readonly attemptId: string;
  readonly limits?: Partial<EndpointLimits>;
  /** Only files uploaded before this instant. */
  readonly before?: Date;
  /** Serves exactly the files of this record, and asks no upstream. */
  readonly replay?: AttemptRecord;
  /** Of these projects it has one release alone; a replay has what it had. */
  readonly only?: readonly OnlyRelease[];
}

/** How the mirror is served to whoever reaches it. */
export type ServeOptions = Pick<ServedIndexOptions, "place" | "onFault" | "xAccel">;

/** The farm's mirror of this host's indexes, and an endpoint of its own for each attempt. */
export interface IndexService extends AsyncDisposable {
  openEndpoint(options: OpenEndpointOptions): Promise<Endpoint>;
  /**
   * A project as the first index that has it lists it; null when none has.
   * @throws CreameryError `no-network`, `upstream`, `bad-requirement` (no name of a project).
   */
  project(name: string, signal: AbortSignal, options?: PageOptions): Promise<ProjectPage | null>;
  /**
   * A file of such a page, whole and verified, on this host.
   * @throws CreameryError `upstream-hash`, `upstream`, `no-network`, `disk-full`, `interrupted`.
   */
  fetchFile(page: ProjectPage, file: IndexFile, signal: AbortSignal): Promise<StoredFile>;
  /**
   * What was attested of a file (PEP 740), as upstream has it; null where it has nothing.
   * @throws CreameryError `no-network`, `upstream`, `address-refused`, `deadline`, `interrupted`.
   */
  provenance(page: ProjectPage, file: IndexFile, signal: AbortSignal): Promise<Buffer | null>;
  /** A file that is kept on this host, verified when it came; null when it is not. */
  keptFile(sha256: string): Promise<StoredFile | null>;
  /**
   * A crate, whole and verified, on this host; fetched by name, version and hash where it is not here.
   * @throws CreameryError as `fetchFile`; `upstream` too where no index has it.
   */
  fetchCrate(crate: CrateWanted, signal: AbortSignal): Promise<StoredFile>;
  /**
   * The same mirror for the farm's other hosts.
   * @param onFault is told of an upstream's fault that no answer can tell any more.
   * @param repositories those that this host mirrors, where they are not what its own guests are served.
   */
  farmIndex(onFault: (fault: CreameryError) => void, repositories?: GitMirrors): FarmIndex;
  /**
   * The same mirror for whoever reaches that place, without token.
   * @throws CreameryError `host-lacks` where it can't be listened at.
   */
  serve(options: ServeOptions): Promise<ServedIndex>;
  /**
   * Keeps a copy of a file of this host's, whose sha256 was taken of just these bytes.
   * @throws CreameryError `disk-full`, `internal` (another sha256).
   */
  keepFile(path: string, sha256: string): Promise<void>;
  /**
   * Sees that a repository's commits are kept: what is kept no more is fetched.
   * @throws CreameryError `upstream` for one that is to be had nowhere, and those of the way there.
   */
  keepCommits(url: string, commits: readonly string[], signal: AbortSignal): Promise<void>;
  /** Of source repositories; absent where there are none. */
  readonly repositories?: GitMirrors;
  /** Addresses of the indexes, in order, without credentials. */
  readonly addresses: readonly string[];
}

async function bringCommits(
  mirrors: GitMirrors,
  url: string,
  commits: readonly string[],
  signal: AbortSignal,
): Promise<string | null> {
  await using catalogue = mirroredCatalogue(mirrors);
  if ((await mirrors.kept(url)) === null) {
    const offered = await catalogue.repository(url, signal);
    if (offered.kind === "refused") return offered.why;
  }
  return (await catalogue.bring(url, commits, signal))?.why ?? null;
}

function notKept(url: string, why: string): CreameryError {
  return new CreameryError(
    "upstream",
    `what was had of it is neither kept here nor to be had: ${why}`,
    {
      input: url,
      nextStep: "test it anew with ./creamery test",
    },
  );
}

/** How many of git's server programs run at once. */
const GIT_PLACES = 8;

function gitCatalogue(mirrors: GitMirrors, replay: AttemptRecord | undefined): GitCatalogue {
  return replay === undefined
    ? mirroredCatalogue(mirrors)
    : replayedCatalogue(replay.repositories, mirrors);
}

/** @throws CreameryError when the cache directory can't be written. */
export async function openIndexService(options: IndexServiceOptions): Promise<IndexService> {
  const mirror = await Mirror.open(options);
  const { crates: upstream, transport } = options.upstreams;
  const crates =
    upstream === null
      ? null
      : new CrateMirror(upstream, transport, mirror.files, options.directory, {
          ...(options.allow === undefined ? {} : { allow: options.allow }),
          ...(options.now === undefined ? {} : { now: options.now }),
        });
  const endpoints = new Set<Endpoint>();
  const served = new Set<ServedIndex>();
  const life = new AbortController();
  const git = options.repositories;
  const places = new Places(GIT_PLACES);
  return {
    addresses: mirror.addresses,
    ...(git === undefined ? {} : { repositories: git }),
    openEndpoint: async ({ socketPath, attemptId, limits, before, replay, only = [] }) => {
      const endpoint = await openEndpoint({
        socketPath,
        attemptId,
        limits: { ...DEFAULT_LIMITS, ...limits },
        before: before ?? null,
        catalogue:
          replay === undefined
            ? overlaidCatalogue(upstreamCatalogue(mirror, crates), only)
            : replayCatalogue(replay, mirror),
        git: git === undefined ? null : { catalogue: gitCatalogue(git, replay), places },
      });
      endpoints.add(endpoint);
      return endpoint;
    },
    project: async (name, signal, page) => {
      if (!isName(name))
        throw new CreameryError("bad-requirement", "is no name of a project", {
          input: name.slice(0, 100),
        });
      return mirror.page(normaliseName(name), signal, page);
    },
    provenance: (page, file, signal) => mirror.provenance(page, file, signal),
    keepFile: (path, sha256) => mirror.files.keepCopy(path, sha256),
    keepCommits: async (url, commits, signal) => {
      if (commits.length === 0) return;
      const why =
        git === undefined
          ? "no repositories are served"
          : await bringCommits(git, url, commits, signal);
      if (why !== null) throw notKept(url, why);
    },
    keptFile: (sha256) => mirror.files.kept({ key: sha256, sha256 }),
    fetchCrate: async ({ name, version, sha256 }, signal) => {
      const kept = await mirror.files.kept({ key: sha256, sha256 });
      if (kept !== null) return kept;
      const found = isCrateName(name) ? ((await crates?.versions(name))?.versions ?? []) : [];
      const wanted = found.find((one) => one.version === version && one.sha256 === sha256);
      if (crates === null || wanted === undefined)
        throw new CreameryError(
          "upstream",
          "is neither kept here nor on the index of crates any more",
          {
            input: `${printableLine(name).slice(0, 100)} ${printableLine(version).slice(0, 100)}`,
            nextStep: "test it anew with ./creamery test",
          },
        );
      return crates.files.whole(await crates.wanted(wanted), crates.client, signal);
    },
    farmIndex: (onFault, repositories = git) =>
      new FarmIndex({
        repositories: repositories === undefined ? null : new FarmRepositories(repositories),
        catalogue: upstreamCatalogue(mirror, crates),
        past: {
          page: (name, signal) => mirror.pastPage(name, signal),
          file: (name, matches, signal) => mirror.goneFile(name, matches, signal),
        },
        onFault,
        signal: life.signal,
      }),
    serve: async (how) => {
      const catalogue = upstreamCatalogue(mirror, crates);
      const names = () => mirror.heldNames();
      const opened = await openServedIndex({ ...how, catalogue, names, now: options.now });
      served.add(opened);
      return opened;
    },
    fetchFile: (page, file, signal) => mirror.whole(page, file, signal),
    [Symbol.asyncDispose]: async () => {
      life.abort(new CreameryError("interrupted", "the index is being closed"));
      await Promise.all([...endpoints].map((endpoint) => endpoint.close()));
      await Promise.all([...served].map((one) => one[Symbol.asyncDispose]()));
      crates?.close();
      await mirror[Symbol.asyncDispose]();
    },
  };
}
