import { CreameryError } from "../base/errors.ts";
import { shownUrl } from "../index/upstream/secret.ts";
import type { WatchedIndex } from "./ask-upstream.ts";
import { lastSerial } from "./changelog/xml-rpc.ts";
import { feedAddresses } from "./feed-addresses.ts";
import { RetryLater } from "./retry-later.ts";
import { askFeed } from "./rss/rss-feed.ts";

export type Feed =
  | { readonly kind: "changelog"; readonly url: string }
  | { readonly kind: "rss"; readonly url: string }
  | { readonly kind: "simple-pages" };

export interface ChosenFeed {
  readonly feed: Feed;
  /** What was found of each that was asked, in order, a line each. */
  readonly why: readonly string[];
  /** A better one could not be asked just now: to be chosen anew later. */
  readonly provisional: boolean;
}

/**
 * How an index is watched: by its journal where it has one, else by its RSS, else by its simple pages, which every index
 * has. An index that can't be asked at all is a fault: nothing is known of what it has.
 * @param kept what it was watched by until now: it stays so where that can't be asked just now, since another begins anew
 *   with the present, and what happened between is nobody's.
 * @throws CreameryError `no-network`, `interrupted`.
 */
export async function chooseFeed(
  index: WatchedIndex,
  options: {
    readonly now: number;
    readonly signal: AbortSignal;
    readonly kept?: Feed["kind"];
  },
): Promise<ChosenFeed> {
  const { now, signal, kept } = options;
  const addresses = feedAddresses(index.client.upstream);
  const why: string[] = [];
  if (addresses === null) {
    why.push(
      `${shownUrl(index.client.upstream.url)} does not end with /simple/: it has no feeds that are known`,
    );
    return { feed: { kind: "simple-pages" }, why, provisional: false };
  }
  const candidates = [
    {
      feed: { kind: "changelog", url: addresses.changelog },
      ask: () => lastSerial({ index, url: addresses.changelog, now, signal }),
    },
    {
      feed: { kind: "rss", url: addresses.updates },
      ask: () =>
        askFeed({ index, url: addresses.updates, etag: null, modified: null, now, signal }),
    },
  ] as const;
  let provisional = false;
  for (const { feed, ask } of candidates) {
    try {
      await ask();
      why.push(`${feed.kind}: ${shownUrl(feed.url)} answers`);
      return { feed, why, provisional };
    } catch (thrown) {
      if (!(thrown instanceof CreameryError) || signal.aborted) throw thrown;
      if (thrown.code === "no-network") throw thrown;
      why.push(`${feed.kind}: ${shownUrl(feed.url)} ${thrown.message}`);
      const forTheMoment = thrown instanceof RetryLater || thrown.code === "deadline";
      if (forTheMoment && kept === feed.kind) return { feed, why, provisional: true };
      provisional ||= forTheMoment;
    }
  }
  why.push("simple-pages: every index has them");
  return { feed: { kind: "simple-pages" }, why, provisional };
}
