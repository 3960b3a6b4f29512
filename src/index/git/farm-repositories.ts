import { setTimeout as sleep } from "node:timers/promises";

import { z } from "zod";

import { CreameryError } from "../../base/errors.ts";
import { within } from "../../base/within.ts";
import { sendText, type Exchange } from "../serve/exchange.ts";
import { sendBody } from "../serve/send-body.ts";
import { GitAnswers, type GitWitness } from "./git-answers.ts";
import type { GitCatalogue } from "./git-catalogue.ts";
import type { GitMirrors } from "./git-mirrors.ts";
import { mirroredCatalogue, type GitBounds } from "./mirrored-catalogue.ts";
import { Places } from "./places.ts";
import { servedAddress } from "./served-address.ts";
import { isFinal } from "./stand-in.ts";

/** What one host of the farm tells another of a repository. */
export const ToldRepository = z.union([
  z.strictObject({
    schema: z.literal(1),
    kind: z.literal("kept"),
    fetchedAt: z.iso.datetime(),
    /** Why it is older than it should be. */
    stale: z.string().nullable(),
  }),
  /** Of one name in it; null where it has none such. */
  z.strictObject({
    schema: z.literal(1),
    kind: z.literal("named"),
    commit: z.string().nullable(),
    /** Why it is what upstream had before. */
    stale: z.string().nullable(),
  }),
  /** It is being fetched: to be asked again at once. */
  z.strictObject({ schema: z.literal(1), kind: z.literal("awaited") }),
  /** Upstream has no such repository for the farm, and nothing older may stand in for it. */
  z.strictObject({ schema: z.literal(1), kind: z.literal("none"), why: z.string() }),
]);
export type ToldRepository = z.infer<typeof ToldRepository>;

/** What stands between two hosts may end an answer that takes longer to begin. */
const AWAITED_MS = 15_000;
/** How many of git's server programs run at once for other hosts. */
const GIT_PLACES = 4;
/** Of these, for one host: one that reads slowly leaves others some. */
const OWN_GIT_PLACES = 2;
/** Of what is asked of upstreams at once, for one host: more than one attempt, which may have named what never answers. */
const OWN_UPSTREAM_PLACES = 3;
/** What one host awaits. */
const MAX_AWAITED = 100;
/** Of one request. What a guest may ask for is bounded where it runs. */
const BOUNDS: GitBounds = { unknown: 32, aside: 20_000 };

/**
 * The farm's mirrors of repositories for its other hosts: `repositories/HOST/PATH` fetches it where that is due and tells how old
 * it is, with `?reference=` which commit has that name (of none, the default branch); `git/HOST/PATH/` is for git.
 */
export class FarmRepositories {
  readonly #mirrors: GitMirrors;
  readonly #places = new Places(GIT_PLACES);
  readonly #awaitedMs: number;
  readonly #hosts = new Map<string, OfHost>();

  constructor(mirrors: GitMirrors, awaitedMs = AWAITED_MS) {
    this.#mirrors = mirrors;
    this.#awaitedMs = awaitedMs;
  }

  /**
   * @param rest decoded, what follows `repositories/`. @param host which asks.
   * @throws CreameryError as `GitMirrors.repository`.
   */
  async tell(exchange: Exchange, rest: readonly string[], host: string): Promise<void> {
    const { request, response, signal } = exchange;
    const address = servedAddress(rest);
    if (address.kind === "refused") return sendText(response, address.status, address.why);
    const query = new URLSearchParams((request.url ?? "").split("?")[1]);
    const asked = this.#told(this.#of(host), address.url, query.get("reference"));
    const told = await within(asked, { signal });
    if (told === null) return sendText(response, 503, "this host awaits too much");
    const body = Buffer.from(JSON.stringify(told));
    return sendBody(exchange, body, "application/json", () => undefined);
  }

  /** @param rest decoded, what follows `git/`. @param host which asks. */
  async git(exchange: Exchange, rest: readonly string[], host: string): Promise<void> {
    // Before what it posts is read: that is held in memory.
    const of = this.#of(host);
    using _own = await of.git.take(exchange.signal);
    // Never disposed: what a host that went away had begun has its place until it is over.
    const mirrored = mirroredCatalogue(this.#mirrors, BOUNDS, of.upstream);
    const catalogue: GitCatalogue = {
      ...mirrored,
      // Whether it is due was asked just before.
      repository: async (url, signal) => {
        const kept = await this.#mirrors.kept(url);
        return kept === null
          ? await mirrored.repository(url, signal)
          : { kind: "offered", url, path: kept.path, stale: null };
      },
    };
    await new GitAnswers(catalogue, UNRECORDED, this.#places).answer(exchange, rest);
  }

  #of(host: string): OfHost {
    const of = this.#hosts.get(host) ?? {
      git: new Places(OWN_GIT_PLACES),
      upstream: new Places(OWN_UPSTREAM_PLACES),
      awaited: new Map<string, Promise<ToldRepository>>(),
    };
    this.#hosts.set(host, of);
    return of;
  }

  /** @returns null for one too many. */
  async #told(
    { awaited: all, upstream }: OfHost,
    url: string,
    reference: string | null,
  ): Promise<ToldRepository | null> {
    const key = reference === null ? url : `${url} ${reference}`;
    let asked = all.get(key);
    if (asked === undefined) {
      if (all.size >= MAX_AWAITED) return null;
      // Whoever asks again joins it: it ends with the farm, not with the one who asked first.
      asked = this.#ask(upstream, url, reference).finally(() => all.delete(key));
      all.set(key, asked);
    }
    const answered = new AbortController();
    const awaited = sleep(this.#awaitedMs, undefined, { signal: answered.signal }).then(
      (): ToldRepository => ({ schema: 1, kind: "awaited" }),
    );
    awaited.catch(() => undefined);
    try {
      return await Promise.race([asked, awaited]);
    } catch (thrown) {
      if (!(thrown instanceof CreameryError) || !isFinal(thrown)) throw thrown;
      return { schema: 1, kind: "none", why: thrown.message };
    } finally {
      answered.abort();
      asked.catch(() => undefined);
    }
  }

  async #ask(places: Places, url: string, reference: string | null): Promise<ToldRepository> {
    const { signal } = new AbortController();
    using _place = await places.take(signal);
    if (reference === null) {
      const { fetchedAt, stale } = await this.#mirrors.repository(url, signal);
      const since = fetchedAt.toISOString();
      return { schema: 1, kind: "kept", fetchedAt: since, stale: stale?.message ?? null };
    }
    const asked = reference === "" ? null : reference;
    const { commit, stale } = await this.#mirrors.named(url, asked, signal);
    return { schema: 1, kind: "named", commit, stale: stale?.message ?? null };
  }
}

/** Of one host that asks. */
interface OfHost {
  readonly git: Places;
  readonly upstream: Places;
  readonly awaited: Map<string, Promise<ToldRepository>>;
}

/** A host of the farm records and bounds what its own guests ask. */
const UNRECORDED: GitWitness = {
  nameAllowed: () => true,
  refuse: ({ response }, status, why) => {
    if (!response.headersSent) sendText(response, status, why);
  },
  repository: () => undefined,
  commits: () => undefined,
  count: () => undefined,
};
