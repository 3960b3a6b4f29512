import { CreameryError } from "../../base/errors.ts";
import { within } from "../../base/within.ts";
import { missingOf, referencesOf, type BareRepository } from "./bare-repository.ts";
import type { GitCatalogue, Refused } from "./git-catalogue.ts";
import type { GitMirrors } from "./git-mirrors.ts";
import { Places } from "./places.ts";
import { NotServed } from "./reach-repository.ts";

/** For one attempt. */
export interface GitBounds {
  /** Commits that are not here: each may be a fetch of its own, and a guest can make them up. */
  readonly unknown: number;
  /** Besides what branches and tags are: each stays in its mirror for good. */
  readonly aside: number;
}
const BOUNDS: GitBounds = { unknown: 32, aside: 500 };
const MAX_TIPS = 20_000;
/** Of one attempt at a time, of the few that are fetched for all; whoever goes away leaves a fetch that goes on. */
const FETCHES = 2;

/**
 * What can be mirrored. What a guest asks for wrongly, or of hosts that it made up, is refused, and no fault of the farm's.
 * @param places for the fetches of who asks; by default of one attempt.
 */
export function mirroredCatalogue(
  mirrors: GitMirrors,
  bounds: GitBounds = BOUNDS,
  places = new Places(FETCHES),
): GitCatalogue {
  const held = new Set<string>();
  const life = new AbortController();
  let unknown = 0;
  let aside = 0;
  const inTurn = async <Value>(
    work: (signal: AbortSignal) => Promise<Value>,
    signal: AbortSignal,
  ): Promise<Value> => {
    const place = await places.take(signal);
    const running = work(life.signal).finally(() => place[Symbol.dispose]());
    return await within(running, { signal });
  };
  return {
    repository: (url, signal) =>
      inTurn((until) => mirrors.repository(url, until), signal).then(
        ({ path, stale }) => ({ kind: "offered", url, path, stale }),
        (thrown: unknown) => refusal(thrown),
      ),
    bring: async (url, hashes, signal) => {
      const kept = await mirrors.kept(url);
      if (kept === null) return { kind: "refused", status: 404, why: "is no repository of ours" };
      const fresh = hashes.filter((hash) => !held.has(`${url} ${hash}`));
      if (fresh.length === 0) return null;
      const missing = await missingOf(kept, fresh, signal);
      unknown += missing.length;
      if (missing.length > 0 && unknown > bounds.unknown)
        return { kind: "refused", status: 404, why: "too many commits that nobody knows" };
      try {
        for (const hash of missing)
          await inTurn((until) => mirrors.commit(url, hash, until), signal);
      } catch (thrown) {
        return refusal(thrown);
      }
      const tips = await tipsOf(kept, signal);
      const others = fresh.filter((hash) => !tips.has(hash)).length;
      aside += others;
      if (others > 0 && aside > bounds.aside)
        return { kind: "refused", status: 404, why: "too many commits of no branch or tag" };
      await mirrors.hold(kept, fresh, signal);
      for (const hash of fresh) held.add(`${url} ${hash}`);
      return null;
    },
    [Symbol.asyncDispose]: async () =>
      life.abort(new CreameryError("interrupted", "the attempt has ended")),
  };
}

/** What branches and tags are, peeled too. */
async function tipsOf(
  repository: BareRepository,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const { references } = await referencesOf(repository, MAX_TIPS, signal);
  return new Set(
    references.flatMap(({ hash, peeled }) => (peeled === null ? [hash] : [hash, peeled])),
  );
}

const OF_THE_GUEST: ReadonlySet<string> = new Set([
  "usage",
  "address-refused",
  "upstream",
  "no-network",
  "deadline",
]);

function refusal(thrown: unknown): Refused {
  if (!(thrown instanceof CreameryError) || !OF_THE_GUEST.has(thrown.code)) throw thrown;
  const forbidden = thrown.code === "address-refused";
  const absent = thrown.code === "usage" || thrown.cause instanceof NotServed;
  return { kind: "refused", status: forbidden ? 403 : absent ? 404 : 502, why: thrown.line };
}
