import { printableLine } from "../base/bounded-text.ts";
import type { AttemptRecord, RecordedCrate } from "./attempt-record.ts";
import { replayCatalogue, upstreamCatalogue } from "./catalogue.ts";
import { CrateMirror, isCrateName } from "./crates.ts";
import { DEFAULT_LIMITS, openEndpoint, type Endpoint, type EndpointLimits } from "./endpoint.ts";
import { FarmIndex } from "./farm-index.ts";
import { Mirror, type MirrorOptions } from "./mirror.ts";
import { overlaidCatalogue, type OnlyRelease } from "./overlaid-catalogue.ts";
import { isName, normaliseName } from "../python/names.ts";
import { CreameryError } from "../base/errors.ts";
import type { PageOptions } from "./page-store.ts";
import type { IndexFile, ProjectPage } from "./project-page.ts";
import type { StoredFile } from "./file-store.ts";
import { openServedIndex, type ServedIndex, type ServedIndexOptions } from "./served-index.ts";

export { AttemptRecord, faultLines } from "./attempt-record.ts";
export type { FarmIndex } from "./farm-index.ts";
export type { Endpoint, EndpointLimits } from "./endpoint.ts";
export type { OnlyRelease } from "./overlaid-catalogue.ts";
export type { ServedIndex } from "./served-index.ts";
export type { IndexFile, ProjectPage } from "./project-page.ts";

/** A version of a crate by its hash. */
export type CrateWanted = Pick<RecordedCrate, "name" | "version" | "sha256">;

export type IndexServiceOptions = MirrorOptions;

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
  /** A file that is kept on this host, verified when it came; null when it is not. */
  keptFile(sha256: string): Promise<StoredFile | null>;
  /**
   * A crate, whole and verified, on this host; fetched by name, version and hash where it is not here.
   * @throws CreameryError as `fetchFile`; `upstream` too where no index has it.
   */
  fetchCrate(crate: CrateWanted, signal: AbortSignal): Promise<StoredFile>;
  /** The same mirror for the farm's other hosts. @param onFault is told of an upstream's fault that no answer can tell any more. */
  farmIndex(onFault: (fault: CreameryError) => void): FarmIndex;
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
  /** Addresses of the indexes, in order, without credentials. */
  readonly addresses: readonly string[];
}

/** @throws CreameryError when the cache directory can't be written. */
export async function openIndexService(options: IndexServiceOptions): Promise<IndexService> {
  const mirror = await Mirror.open(options);
  const { crates: upstream, transport } = options.upstreams;
  const crates =
    upstream === null
      ? null
      : new CrateMirror(upstream, transport, mirror.files, options.directory, options.allow);
  const endpoints = new Set<Endpoint>();
  const served = new Set<ServedIndex>();
  const life = new AbortController();
  return {
    addresses: mirror.addresses,
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
    keepFile: (path, sha256) => mirror.files.keepCopy(path, sha256),
    keptFile: (sha256) => mirror.files.kept({ key: sha256, sha256 }),
    fetchCrate: async ({ name, version, sha256 }, signal) => {
      const kept = await mirror.files.kept({ key: sha256, sha256 });
      if (kept !== null) return kept;
      const found = isCrateName(name) ? ((await crates?.versions(name)) ?? []) : [];
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
    farmIndex: (onFault) =>
      new FarmIndex({
        catalogue: upstreamCatalogue(mirror, crates),
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
