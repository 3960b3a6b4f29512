import { CreameryError, type ErrorDetails } from "../base/errors.ts";

/** However long an upstream asks to be left alone, it is asked once in so long. */
const MAX_RETRY_AFTER_MS = 60 * 60_000;

/** Upstream asks for time: 429, 5xx, or the fault of a throttled XML-RPC. */
export class RetryLater extends CreameryError {
  /** What upstream asked for; null where it did not say. */
  readonly retryAfterMs: number | null;

  constructor(reason: string, retryAfterMs: number | null, details: ErrorDetails = {}) {
    super("upstream", reason, details);
    this.retryAfterMs = retryAfterMs;
  }
}

/** `Retry-After` (RFC 9110, 10.2.3) in milliseconds: seconds or a date; null for anything else. */
export function parseRetryAfter(header: string | undefined, now: number): number | null {
  if (header === undefined) return null;
  const text = header.trim();
  const ms = /^\d{1,9}$/u.test(text)
    ? Number(text) * 1000
    : /^[A-Za-z]{3}, /u.test(text)
      ? Date.parse(text) - now
      : Number.NaN;
  return Number.isNaN(ms) ? null : Math.min(Math.max(0, ms), MAX_RETRY_AFTER_MS);
}
