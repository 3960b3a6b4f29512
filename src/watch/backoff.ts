const BASE_MS = 2000;
const MAX_MS = 15 * 60_000;

/**
 * How long an upstream is left in peace after failures in a row: twice as long each time, 15 minutes at most, and not as
 * long as others do. What upstream itself asked for is the least.
 * @param failures at least 1.
 * @param random from 0 to 1.
 */
export function backoffMs(failures: number, retryAfterMs: number | null, random: number): number {
  const usual = Math.min(BASE_MS * 2 ** Math.min(failures - 1, 20), MAX_MS) * (0.5 + random / 2);
  return retryAfterMs === null ? usual : Math.max(usual, retryAfterMs * (1 + random / 10));
}
