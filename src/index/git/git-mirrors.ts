import { mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

import { CreameryError } from "../../base/errors.ts";
import { isOfEnded } from "../../base/process-name.ts";
import { within } from "../../base/within.ts";
import { MIRROR_STATE } from "../cache/inventory.ts";
import { noteUse } from "../cache/note-use.ts";
import { replaceFile } from "../files/replace-file.ts";
import { assertRoom } from "./assert-room.ts";
import {
  askRepository,
  commitOf,
  heldName,
  holdsCommit,
  isCommitHash,
  isReference,
  type BareRepository,
} from "./bare-repository.ts";
import { fetchCommit, fetchMirror, initialiseMirror } from "./fetch-mirror.ts";
import { isTooLarge, noSuchReference } from "./git-command.ts";
import { lockMirror } from "./mirror-lock.ts";
import { mirrorName, normaliseRepositoryUrl } from "./repository-address.ts";
import {
  namesOf,
  newNameIn,
  UpstreamHosts,
  type HostsOptions,
  type Named,
  type RepositoryHosts,
  type UpstreamHostsOptions,
} from "./repository-hosts.ts";
import { older } from "./stand-in.ts";

export interface GitMirrorsOptions extends UpstreamHostsOptions {
  /** The farm's own: each repository has a directory below. */
  readonly directory: string;
  /** For which a mirror is used unasked. */
  readonly intervalMs?: number;
  /** Of all mirrors together that were used within two hours: then no other is made. */
  readonly maxRecentBytes?: number;
  /** In the place of the hosts themselves. */
  readonly hosts?: ((options: HostsOptions) => RepositoryHosts) | undefined;
  readonly now?: () => number;
}

/** A repository as it is kept here. */
export interface MirroredRepository extends BareRepository {
  /** When its upstream was last asked for all. */
  readonly fetchedAt: Date;
  /** Why it is older than it should be; null when it is not. */
  readonly stale: CreameryError | null;
}

export interface MirroredCommit {
  readonly repository: MirroredRepository;
  /** Whole. */
  readonly commit: string;
}

const INTERVAL_MS = 5 * 60_000;
const MAX_RECENT_BYTES = 20 * 1024 ** 3;
/** What failed, or is not there, is not asked for again at once. */
const AGAIN_MS = 20_000;
const MAX_REMEMBERED = 5000;

const State = z.object({ schema: z.literal(1), url: z.string(), fetchedAt: z.iso.datetime() });

/** Bare mirrors of repositories, one for each address, fetched when they are wanted and not more often than need be. */
export class GitMirrors implements AsyncDisposable {
  readonly #options: GitMirrorsOptions;
  readonly #running = new Map<string, Promise<MirroredRepository>>();
  /** Of repositories, and of commits that upstream would not hand out. */
  readonly #failed = new Map<string, { readonly fault: CreameryError; readonly untilMs: number }>();
  readonly #hosts: RepositoryHosts;
  readonly #life = new AbortController();
  readonly #work = new Set<Promise<unknown>>();

  private constructor(options: GitMirrorsOptions) {
    this.#options = options;
    const place = { directory: this.#newDirectory, life: this.#life.signal };
    const wanted: HostsOptions = { ...options, ...place };
    this.#hosts = options.hosts?.(wanted) ?? new UpstreamHosts(wanted);
  }

  /** @throws the system's error when the directory can't be written. */
  static async open(options: GitMirrorsOptions): Promise<GitMirrors> {
    const mirrors = new GitMirrors(options);
    await mkdir(mirrors.#newDirectory, { recursive: true });
    // What ended processes left half made; where the git of one still writes, another time.
    for (const name of await readdir(mirrors.#newDirectory))
      if (isOfEnded(name))
        await rm(join(mirrors.#newDirectory, name), { recursive: true, force: true }).catch(
          () => undefined,
        );
    return mirrors;
  }

  /**
   * A repository, fetched within the interval; an older one, which says so, where its upstream can't be asked.
   * @param url https, without credentials.
   * @param newerThanMs of `now()`: it is fetched again where it was not since then.
   * @throws CreameryError `address-refused`, `usage`, `upstream`, `no-network`, `deadline`, `disk-full`, `host-lacks`, `interrupted`.
   */
  async repository(
    url: string,
    signal: AbortSignal,
    newerThanMs = this.#nowMs - this.#intervalMs,
  ): Promise<MirroredRepository> {
    const address = normaliseRepositoryUrl(url);
    const kept = await this.kept(address);
    if (kept !== null && kept.fetchedAt.getTime() >= newerThanMs) return kept;
    const failed = this.#failedLately(address);
    if (failed !== null) return older(kept, failed);
    let running = this.#running.get(address);
    if (running === undefined) {
      // Of all who ask at once: it ends with the farm, not with the first of them.
      running = this.#follow(this.#refresh(address, this.#nowMs)).finally(() =>
        this.#running.delete(address),
      );
      this.#running.set(address, running);
    }
    try {
      const fetched = await within(running, { signal });
      this.#failed.delete(address);
      return fetched;
    } catch (thrown) {
      signal.throwIfAborted();
      if (!(thrown instanceof CreameryError)) throw thrown;
      this.#remember(address, thrown);
      return older(kept, thrown);
    }
  }

  /** As it is here, whatever its age, and no upstream asked; null when it is not. */
  async kept(url: string): Promise<MirroredRepository | null> {
    const address = normaliseRepositoryUrl(url);
    const path = this.#pathOf(address);
    const noted = join(path, MIRROR_STATE);
    const text = await readFile(noted, "utf8").catch(() => null);
    const found = text === null ? null : await stat(noted).catch(() => null);
    if (text === null || found === null || !(await noteUse(noted, found))) return null;
    let state;
    try {
      state = State.parse(JSON.parse(text));
    } catch {
      // Not written by us: fetched anew, which writes it.
      return { path, url: address, fetchedAt: new Date(0), stale: null };
    }
    return { path, url: address, fetchedAt: new Date(state.fetchedAt), stale: null };
  }

  /**
   * A repository that holds this commit, whole. Upstream is asked only where it is not here yet.
   * @throws CreameryError as `repository`; `usage` where upstream hands out no such commit.
   */
  async commit(url: string, commit: string, signal: AbortSignal): Promise<MirroredRepository> {
    const address = normaliseRepositoryUrl(url);
    if (!isCommitHash(commit)) throw noSuchReference(address);
    const kept = await this.kept(address);
    if (kept !== null && (await holdsCommit(kept, commit, signal))) return kept;
    const key = `${address}#${commit}`;
    const failed = this.#failedLately(key);
    if (failed !== null) throw failed;
    const fetched = await this.repository(address, signal, this.#nowMs);
    if (await holdsCommit(fetched, commit, signal)) return fetched;
    if (fetched.stale !== null) throw fetched.stale;
    try {
      await within(this.#follow(this.#fetchOne(fetched, commit)), { signal });
    } catch (thrown) {
      signal.throwIfAborted();
      // By git's words a server may refuse, or not know it: either way it can't be had.
      if (thrown instanceof CreameryError && (thrown.code === "usage" || isTooLarge(thrown)))
        this.#remember(key, thrown);
      throw thrown;
    }
    return fetched;
  }

  /**
   * The commit that upstream has under a name just now; where it can't be asked, the one that is kept under it.
   * @param reference a branch, a tag, a whole name (`refs/pull/1/head`) or a whole hash; null for the default branch.
   * @throws CreameryError as `repository`; `usage` where there is no such name.
   */
  async resolve(
    url: string,
    reference: string | null,
    signal: AbortSignal,
  ): Promise<MirroredCommit> {
    const address = normaliseRepositoryUrl(url);
    if (reference !== null && isCommitHash(reference))
      return { repository: await this.commit(address, reference, signal), commit: reference };
    const { commit, stale } = await this.named(address, reference, signal);
    if (commit === null) throw noSuchReference(address);
    const repository = await this.commit(address, commit, signal);
    return { repository: { ...repository, stale: repository.stale ?? stale }, commit };
  }

  /**
   * The commit alone, which need not be here; null where upstream has no such name.
   * @returns with the fault of the way there where what is kept had to be asked.
   */
  async named(url: string, reference: string | null, signal: AbortSignal): Promise<Named> {
    const address = normaliseRepositoryUrl(url);
    if (reference !== null && !isReference(reference)) return { commit: null, stale: null };
    try {
      return await within(this.#follow(this.#hosts.ask(address, reference)), { signal });
    } catch (thrown) {
      signal.throwIfAborted();
      if (!(thrown instanceof CreameryError)) throw thrown;
      const repository = older(await this.kept(address), thrown);
      for (const name of namesOf(reference)) {
        const commit = await commitOf(repository, name, signal);
        if (commit !== null) return { commit, stale: repository.stale };
      }
      throw thrown;
    }
  }

  /** From now on these stay, whatever becomes of them upstream. @param commits that it holds. */
  async hold(
    repository: BareRepository,
    commits: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    await using lock = await lockMirror(this.#lockOf(repository.url), signal);
    await askRepository(repository, ["update-ref", "--stdin"], {
      signal,
      holds: lock.fd,
      input: commits.map((commit) => `update ${heldName(commit)} ${commit}\n`).join(""),
    });
  }

  /** Of nothing yet, below the mirrors' directory, and removed some day where this process is ended before it does. */
  newPath(): string {
    return newNameIn(this.#newDirectory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.abort(new CreameryError("interrupted", "the mirrors are being closed"));
    await Promise.allSettled(this.#work);
  }

  get #intervalMs(): number {
    return this.#options.intervalMs ?? INTERVAL_MS;
  }

  get #nowMs(): number {
    return (this.#options.now ?? Date.now)();
  }

  /** Of trees that were taken out of mirrors. */
  get treesDirectory(): string {
    return join(this.#options.directory, ".trees");
  }

  get #newDirectory(): string {
    return join(this.#options.directory, ".new");
  }

  get #lockDirectory(): string {
    return join(this.#options.directory, ".locks");
  }

  #pathOf(address: string): string {
    return join(this.#options.directory, mirrorName(address));
  }

  #lockOf(address: string): string {
    return join(this.#lockDirectory, mirrorName(address));
  }

  #follow<Value>(work: Promise<Value>): Promise<Value> {
    this.#work.add(work);
    work.catch(() => undefined).finally(() => this.#work.delete(work));
    return work;
  }

  /** Fetches all that upstream has, unless somebody else did since it was asked for. */
  async #refresh(address: string, askedMs: number): Promise<MirroredRepository> {
    return this.#hosts.reached(address, async (fetching) => {
      await using lock = await lockMirror(this.#lockOf(address), fetching.signal);
      const kept = await this.kept(address);
      if (kept !== null && kept.fetchedAt.getTime() >= askedMs) return kept;
      const { asOf } = fetching;
      // By this host's clock it is not of later than now, whatever another's says.
      const fetchedAt = new Date(Math.min(asOf?.fetchedAt.getTime() ?? Infinity, this.#nowMs));
      const path = this.#pathOf(address);
      const holds = lock.fd;
      if (kept !== null) {
        await fetchMirror(kept, { ...fetching, holds });
        await this.#writeState(path, address, fetchedAt);
      } else {
        const half = newNameIn(this.#newDirectory);
        try {
          const { directory, maxRecentBytes = MAX_RECENT_BYTES } = this.#options;
          await assertRoom(directory, maxRecentBytes, this.#nowMs);
          await mkdir(half);
          await initialiseMirror({ path: half, url: address }, { ...fetching, holds });
          await fetchMirror({ path: half, url: address }, { ...fetching, holds });
          await this.#writeState(half, address, fetchedAt);
          // One without a state was never whole.
          await rm(path, { recursive: true, force: true });
          await rename(half, path);
        } finally {
          await rm(half, { recursive: true, force: true });
        }
      }
      return { path, url: address, fetchedAt, stale: asOf?.stale ?? null };
    });
  }

  async #fetchOne({ path, url }: MirroredRepository, commit: string): Promise<void> {
    await this.#hosts.reached(url, async (fetching) => {
      await using lock = await lockMirror(this.#lockOf(url), fetching.signal);
      await fetchCommit({ path, url }, commit, { ...fetching, holds: lock.fd });
    });
  }

  #failedLately(key: string): CreameryError | null {
    const failed = this.#failed.get(key);
    return failed !== undefined && failed.untilMs > this.#nowMs ? failed.fault : null;
  }

  #remember(key: string, fault: CreameryError): void {
    if (this.#failed.size >= MAX_REMEMBERED) this.#failed.clear();
    // To know that again, all of it would be fetched again.
    const forMs = isTooLarge(fault) ? Math.max(AGAIN_MS, this.#intervalMs) : AGAIN_MS;
    this.#failed.set(key, { fault, untilMs: this.#nowMs + forMs });
  }

  async #writeState(path: string, url: string, fetchedAt: Date): Promise<void> {
    const state: z.infer<typeof State> = { schema: 1, url, fetchedAt: fetchedAt.toISOString() };
    await replaceFile(join(path, MIRROR_STATE), Buffer.from(JSON.stringify(state)));
  }
}
