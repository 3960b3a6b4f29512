import { CreameryError } from "../base/errors.ts";
import { ToldRepository } from "../index/git/farm-repositories.ts";
import { isTooLarge } from "../index/git/git-command.ts";
import { Places } from "../index/git/places.ts";
import { NotServed, type ReachedRepository } from "../index/git/reach-repository.ts";
import {
  FETCHED_AT_ONCE,
  inTime,
  MAX_BYTES,
  TIMEOUT_MS,
  withCaFile,
  type Fetching,
  type HostsOptions,
  type Named,
  type RepositoryHosts,
} from "../index/git/repository-hosts.ts";
import type { FarmClient } from "./farm-client.ts";

const PROXIES = ["https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"] as const;
/** Of one fetch out of the farm: it may be restarted in the middle of one. */
const TRIES = 3;
type Told<Kind> = Extract<ToldRepository, { readonly kind: Kind }>;

/** The farm in the place of all hosts of repositories: of each there is one mirror that asks it, for all workers. */
export class FarmRepositoryHosts implements RepositoryHosts {
  readonly #farm: FarmClient;
  readonly #options: HostsOptions;
  readonly #places = new Places(FETCHED_AT_ONCE);

  /** @param options of which the farm alone knows whom to trust and what may be reached. */
  constructor(farm: FarmClient, options: HostsOptions) {
    this.#farm = farm;
    this.#options = options;
  }

  async ask(address: string, reference: string | null): Promise<Named> {
    return await inTime(address, this.#options, async ({ signal }) => {
      const asked = `?reference=${encodeURIComponent(reference ?? "")}`;
      const { commit, stale } = await this.#told(address, asked, "named", signal);
      return { commit, stale: staleOf(stale, address) };
    });
  }

  async reached<Value>(
    address: string,
    work: (fetching: Fetching) => Promise<Value>,
  ): Promise<Value> {
    const { directory, maxBytes = MAX_BYTES } = this.#options;
    return await inTime(address, this.#options, async (ends) => {
      using _place = await this.#places.take(ends.signal);
      for (let tries = 1; ; tries++) {
        const told = await this.#told(address, "", "kept", ends.signal);
        const asOf = { fetchedAt: new Date(told.fetchedAt), stale: staleOf(told.stale, address) };
        const reached = this.#gitOf(address);
        try {
          return await withCaFile(directory, this.#farm.address.ca, (caFile) =>
            work({ ...ends, reached, caFile, maxBytes, asOf }),
          );
        } catch (thrown) {
          // git tries nothing again, and by what it says a farm that was restarted meanwhile is not told from others.
          const isOfTheWay =
            thrown instanceof CreameryError && thrown.code === "upstream" && !isTooLarge(thrown);
          if (!isOfTheWay || tries >= TRIES) throw thrown;
        }
      }
    });
  }

  /** Once it is fetched: the farm may take minutes. */
  async #told<Kind extends "kept" | "named">(
    address: string,
    query: string,
    kind: Kind,
    signal: AbortSignal,
  ): Promise<Told<Kind>> {
    const path = `index/repositories/${pathOf(address)}${query}`;
    for (;;) {
      const told = await this.#farm.json({ path, signal }, ToldRepository);
      if (isOf(told, kind)) return told;
      if (told.kind === "none")
        throw new CreameryError("upstream", told.why, {
          input: address,
          cause: new NotServed(404),
        });
      if (told.kind !== "awaited")
        throw new CreameryError("internal", "the farm answers another question", { input: path });
    }
  }

  /** Where git finds it at the farm. */
  #gitOf(address: string): ReachedRepository {
    const { api, authorization } = this.#farm.address;
    const settings = [
      "http.followRedirects=false",
      "credential.helper=",
      "gc.auto=0",
      // It may bring a commit first, or have others to serve, and says nothing meanwhile.
      `http.lowSpeedTime=${TIMEOUT_MS / 1000}`,
    ];
    const proxies = PROXIES.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value] as const];
    });
    return {
      url: `${api}index/git/${pathOf(address)}`,
      options: settings.flatMap((setting) => ["-c", setting]),
      env: {
        ...Object.fromEntries(proxies),
        // Plain http is loopback's alone.
        GIT_ALLOW_PROTOCOL: new URL(api).protocol.slice(0, -1),
        GIT_CONFIG_COUNT: "1",
        GIT_CONFIG_KEY_0: "http.extraHeader",
        GIT_CONFIG_VALUE_0: `Authorization: ${authorization.reveal()}`,
      },
    };
  }
}

function isOf<Kind extends "kept" | "named">(told: ToldRepository, kind: Kind): told is Told<Kind> {
  return told.kind === kind;
}

function staleOf(why: string | null, address: string): CreameryError | null {
  return why === null ? null : new CreameryError("upstream", why, { input: address });
}

/** Below the farm's own address. @param address normalised: https, without credentials. */
function pathOf(address: string): string {
  return address.slice("https://".length);
}
