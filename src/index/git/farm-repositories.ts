import { setTimeout as sleep } from "node:timers/promises";

import { z } from "zod";

import { CreameryError } from "../../base/errors.ts";
import { sendText, type Exchange } from "../serve/exchange.ts";
import { GitAnswers, type GitWitness } from "./git-answers.ts";
import type { GitCatalogue } from "./git-catalogue.ts";
import type { GitMirrors } from "./git-mirrors.ts";
import { mirroredCatalogue, type GitBounds } from "./mirrored-catalogue.ts";
import { Places } from "./places.ts";
import { servedAddress } from "./served-address.ts";
import { mayStandIn } from "./stand-in.ts";

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

  constructor(mirrors: GitMirrors, awaitedMs = AWAITED_MS) {
    this.#mirrors = mirrors;
    this.#awaitedMs = awaitedMs;
  }

  /** @param rest decoded, what follows `repositories/`. @throws CreameryError as `GitMirrors.repository`. */
  async tell(exchange: Exchange, rest: readonly string[]): Promise<void> {
    const { request, response } = exchange;
    const address = servedAddress(rest);
    if (address.kind === "refused") return sendText(response, address.status, address.why);
    const query = new URLSearchParams((request.url ?? "").split("?")[1]);
    const told = await this.#told(address.url, query.get("reference"), exchange.signal);
    const body = Buffer.from(JSON.stringify(told));
    response
      .writeHead(200, { "content-type": "application/json", "content-length": body.length })
      .end(body);
  }

  /** @param rest decoded, what follows `git/`. */
  async git(exchange: Exchange, rest: readonly string[]): Promise<void> {
    await using mirrored = mirroredCatalogue(this.#mirrors, BOUNDS);
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

  async #told(url: string, reference: string | null, signal: AbortSignal): Promise<ToldRepository> {
    const within = new AbortController();
    const asked =
      reference === null
        ? this.#mirrors.repository(url, signal).then(({ fetchedAt, stale }): ToldRepository => ({
            schema: 1,
            kind: "kept",
            fetchedAt: fetchedAt.toISOString(),
            stale: stale?.message ?? null,
          }))
        : this.#mirrors
            .named(url, reference === "" ? null : reference, signal)
            .then(({ commit }): ToldRepository => ({ schema: 1, kind: "named", commit }));
    const awaited = sleep(this.#awaitedMs, undefined, { signal: within.signal }).then(
      (): ToldRepository => ({ schema: 1, kind: "awaited" }),
    );
    awaited.catch(() => undefined);
    try {
      return await Promise.race([asked, awaited]);
    } catch (thrown) {
      if (!(thrown instanceof CreameryError) || !isFinal(thrown)) throw thrown;
      return { schema: 1, kind: "none", why: thrown.message };
    } finally {
      within.abort();
      // Whoever asks again joins it.
      asked.catch(() => undefined);
    }
  }
}

function isFinal(fault: CreameryError): boolean {
  return fault.code === "upstream" && !mayStandIn(fault);
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
