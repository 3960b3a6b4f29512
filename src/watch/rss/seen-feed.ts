import { z } from "zod";

import type { FeedAnswer, FeedItem } from "./rss-feed.ts";

/** What was seen of a feed that shows the newest alone: enough to know what is new, and what was missed. */
export const SeenFeed = z.strictObject({
  etag: z.string().nullable(),
  modified: z.string().nullable(),
  /** `PROJECT VERSION`, those that were seen last at the end. */
  seen: z.array(z.string()),
  /** What was published before (milliseconds since 1970) and is not in `seen` is no news. */
  horizon: z.number(),
  /** When the newest that was seen was published. */
  newest: z.number(),
});
export type SeenFeed = z.infer<typeof SeenFeed>;

export interface FeedNews {
  readonly seen: SeenFeed;
  /** The oldest first. */
  readonly news: readonly FeedItem[];
  /** Nothing of what is shown was seen before: what lay between was missed. */
  readonly gap: boolean;
}

/** Ten windows and more: a stale copy shows nothing that is not among them. */
const MAX_SEEN = 1000;

const keyOf = ({ project, version }: FeedItem): string => `${project} ${version}`;

/** @param before null at the beginning: what is shown then is no news. */
export function newsOf(before: SeenFeed | null, answer: FeedAnswer): FeedNews {
  const { etag, modified } = answer;
  const items = answer.items.toSorted((left, right) => left.publishedAt - right.publishedAt);
  const newest = Math.max(before?.newest ?? 0, items.at(-1)?.publishedAt ?? 0);
  if (before === null) {
    const seen = [...new Set(items.map(keyOf))].slice(-MAX_SEEN);
    const horizon = items[0]?.publishedAt ?? 0;
    return { seen: { etag, modified, seen, horizon, newest }, news: [], gap: false };
  }
  const known = new Set(before.seen);
  const fresh = new Map<string, FeedItem>();
  for (const item of items)
    if (!known.has(keyOf(item)) && item.publishedAt > before.horizon) fresh.set(keyOf(item), item);
  const gap =
    known.size > 0 &&
    items.length > 0 &&
    newest > before.newest &&
    !items.some((item) => known.has(keyOf(item)));
  const seen = [...before.seen, ...fresh.keys()];
  const dropped = seen.length > MAX_SEEN;
  // Where the oldest are forgotten, the window that is shown now is what is known.
  const horizon = dropped
    ? Math.max(before.horizon, Math.min(items[0]?.publishedAt ?? 0, before.newest) - 1)
    : before.horizon;
  return {
    seen: { etag, modified, seen: seen.slice(-MAX_SEEN), horizon, newest },
    news: [...fresh.values()],
    gap,
  };
}
