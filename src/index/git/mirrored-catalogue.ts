import { CreameryError } from "../../base/errors.ts";
import { missingOf } from "./bare-repository.ts";
import type { GitCatalogue, Refused } from "./git-catalogue.ts";
import type { GitMirrors } from "./git-mirrors.ts";
import { NotServed } from "./reach-repository.ts";

/** By one attempt: each that nobody knows is a fetch of its own, and a guest can make them up. */
const MAX_FETCHED = 32;

/** What can be mirrored. What a guest asks for wrongly, or of hosts that it made up, is refused, and no fault of the farm's. */
export function mirroredCatalogue(mirrors: GitMirrors): GitCatalogue {
  const held = new Set<string>();
  let fetched = 0;
  return {
    repository: (url, signal) =>
      mirrors.repository(url, signal).then(
        ({ path, stale }) => ({ kind: "offered", url, path, stale }),
        (thrown: unknown) => refusal(thrown),
      ),
    bring: async (url, hashes, signal) => {
      const kept = await mirrors.kept(url);
      if (kept === null) return { kind: "refused", status: 404, why: "is no repository of ours" };
      const fresh = hashes.filter((hash) => !held.has(`${url} ${hash}`));
      if (fresh.length === 0) return null;
      const missing = await missingOf(kept, fresh, signal);
      fetched += missing.length;
      if (fetched > MAX_FETCHED)
        return { kind: "refused", status: 404, why: "too many commits that nobody knows" };
      try {
        for (const hash of missing) await mirrors.commit(url, hash, signal);
      } catch (thrown) {
        return refusal(thrown);
      }
      await mirrors.hold(kept, fresh, signal);
      for (const hash of fresh) held.add(`${url} ${hash}`);
      return null;
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
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
