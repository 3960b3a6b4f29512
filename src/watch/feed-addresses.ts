import type { Upstream } from "../index/upstream/upstreams.ts";

/** Where an index that has them has its change feeds: beside its simple pages. */
export interface FeedAddresses {
  /** XML-RPC. */
  readonly changelog: string;
  /** RSS of the newest releases. */
  readonly updates: string;
}

/** @returns null for an index whose address does not end with `/simple/`: it is told by its operator alone where feeds are. */
export function feedAddresses(upstream: Upstream): FeedAddresses | null {
  const url = new URL(upstream.url);
  if (!url.pathname.endsWith("/simple/")) return null;
  return {
    changelog: new URL("../pypi", url).href,
    updates: new URL("../rss/updates.xml", url).href,
  };
}
