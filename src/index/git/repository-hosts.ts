import { randomUUID } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { authoritiesWith } from "../../base/authorities.ts";
import { CreameryError, diskFullFault } from "../../base/errors.ts";
import { PROCESS_NAME } from "../../base/process-name.ts";
import { isCommitHash } from "./bare-repository.ts";
import type { FetchMirrorOptions } from "./fetch-mirror.ts";
import { runGit } from "./git-command.ts";
import { Places } from "./places.ts";
import { reachRepository } from "./reach-repository.ts";

/** The way to where repositories are had. */
export interface RepositoryHosts {
  /**
   * The commit that upstream has under a name just now; null where it has no such name.
   * @param reference as `GitMirrors.resolve`. @throws CreameryError as `reached`.
   */
  ask(address: string, reference: string | null): Promise<Named>;
  /** Does what needs the upstream. @throws CreameryError as `reachRepository`, and `deadline`, `disk-full`. */
  reached<Value>(address: string, work: (fetching: Fetching) => Promise<Value>): Promise<Value>;
}

export interface Named {
  readonly commit: string | null;
  /** Why somebody who stands between knows only what upstream had before. */
  readonly stale: CreameryError | null;
}

export interface HostsOptions extends UpstreamHostsOptions {
  /** For what is there for one fetch alone; whoever opens it removes what ended processes left. */
  readonly directory: string;
  readonly life: AbortSignal;
}

export interface UpstreamHostsOptions {
  /** `addresses.allow` of creamery.toml. */
  readonly allow?: readonly string[];
  /** PEM text of authorities to trust besides this host's; asked when a repository is fetched. */
  readonly authorities?: () => Promise<string | undefined>;
  /** For one fetch. */
  readonly timeoutMs?: number;
  /** Of one mirror. */
  readonly maxBytes?: number;
}

export const TIMEOUT_MS = 10 * 60_000;
export const MAX_BYTES = 2 * 1024 ** 3;
/** How many repositories are asked and fetched at once. */
export const FETCHED_AT_ONCE = 6;

export interface Fetching extends Omit<FetchMirrorOptions, "holds"> {
  /** Of a copy that stands between: how old it is. */
  readonly asOf?: { readonly fetchedAt: Date; readonly stale: CreameryError | null };
}

/** What a reference may be called in full, the likeliest first. */
export function namesOf(reference: string | null): readonly string[] {
  return reference === null
    ? ["HEAD"]
    : [reference, `refs/${reference}`, `refs/tags/${reference}`, `refs/heads/${reference}`];
}

/** The hosts themselves, a few at a time, with all that guards the way to them. */
export class UpstreamHosts implements RepositoryHosts {
  readonly #options: HostsOptions;
  readonly #places = new Places(FETCHED_AT_ONCE);

  constructor(options: HostsOptions) {
    this.#options = options;
  }

  async ask(address: string, reference: string | null): Promise<Named> {
    const names = namesOf(reference);
    const said = await this.reached(address, ({ reached, caFile, signal, deadline }) =>
      runGit({
        argv: [
          ...reached.options,
          "ls-remote",
          "--",
          reached.url,
          ...names.flatMap((name) => [name, `${name}^{}`]),
        ],
        cwd: this.#options.directory,
        url: address,
        signal,
        deadline,
        ...(caFile === undefined ? {} : { caFile }),
      }),
    );
    const found = new Map<string, string>();
    for (const line of said.split("\n")) {
      const [hash = "", name = ""] = line.split("\t");
      if (isCommitHash(hash)) found.set(name, hash);
    }
    for (const name of names) {
      const commit = found.get(`${name}^{}`) ?? found.get(name);
      if (commit !== undefined) return { commit, stale: null };
    }
    return { commit: null, stale: null };
  }

  async reached<Value>(
    address: string,
    work: (fetching: Fetching) => Promise<Value>,
  ): Promise<Value> {
    const { directory, allow, authorities, timeoutMs = TIMEOUT_MS } = this.#options;
    return await inTime(address, this.#options, async (ends) => {
      using _place = await this.#places.take(ends.signal);
      const ca = await authorities?.();
      const reached = await reachRepository(address, {
        signal: ends.signal,
        timeoutMs,
        ...(allow === undefined ? {} : { allow }),
        ...(ca === undefined ? {} : { ca }),
      });
      const { maxBytes = MAX_BYTES } = this.#options;
      return await withCaFile(directory, ca, (caFile) =>
        work({ reached, caFile, ...ends, maxBytes }),
      );
    });
  }
}

/** Of one fetch: what ends it, and which of that is its time. */
export type Ends = Pick<Fetching, "signal" | "deadline">;

/** @throws CreameryError `deadline` where it takes too long, whatever was thrown of that. */
export async function inTime<Value>(
  address: string,
  { timeoutMs = TIMEOUT_MS, life }: Pick<HostsOptions, "timeoutMs" | "life">,
  work: (ends: Ends) => Promise<Value>,
): Promise<Value> {
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    return await work({ signal: AbortSignal.any([life, deadline]), deadline });
  } catch (thrown) {
    if (!deadline.aborted || life.aborted) throw thrown;
    throw new CreameryError("deadline", "took too long to fetch", {
      input: address,
      cause: thrown,
    });
  }
}

/**
 * With a file of whom git is to trust, for as long as that takes; with none where nobody is named.
 * @param ca PEM text. @throws what `work` throws; `disk-full`.
 */
export async function withCaFile<Value>(
  directory: string,
  ca: string | undefined,
  work: (caFile: string | undefined) => Promise<Value>,
): Promise<Value> {
  const caFile = `${newNameIn(directory)}.pem`;
  try {
    // Whoever removed the cache of a running farm took it along.
    await mkdir(directory, { recursive: true });
    if (ca === undefined) return await work(undefined);
    await writeFile(caFile, authoritiesWith(ca).join("\n"));
    return await work(caFile);
  } catch (thrown) {
    throw diskFullFault(thrown, directory) ?? thrown;
  } finally {
    if (ca !== undefined) await rm(caFile, { force: true });
  }
}

/** Of nothing yet, that is known to be this process's. */
export function newNameIn(directory: string): string {
  return join(directory, `${PROCESS_NAME}-${randomUUID()}`);
}
