/** For upstreams that say nothing of freshness; what they say is bounded by the other. */
const DEFAULT_FRESH_MS = 5 * 60_000;
export const MAX_FRESH_MS = 60 * 60_000;

/** By its Warning header. */
export function isStale(warning: string | null): boolean {
  return warning !== null && /^110\b/u.test(warning);
}

/** Milliseconds for which an answer may be used unasked, by its Cache-Control. */
export function freshness(cacheControl: string | null): number {
  if (cacheControl === null) return DEFAULT_FRESH_MS;
  if (/no-cache|no-store/iu.test(cacheControl)) return 0;
  const seconds = /max-age=(\d{1,9})/iu.exec(cacheControl)?.[1];
  return seconds === undefined ? DEFAULT_FRESH_MS : Math.min(Number(seconds) * 1000, MAX_FRESH_MS);
}
