import { distributionOf } from "./distribution.ts";
import type { MeasuredAttempt } from "./measured.ts";

/** What an attempt would save if several interpreters of a release had one guest together (docs/capacity.md). */
export interface SharedGuest {
  /** Of fresh guests that were waited for; the pool's were not. Median, seconds. */
  readonly startSeconds: number;
  /** Mean of all attempts, the pool's guests included: what is there to be saved, seconds. */
  readonly meanStartSeconds: number;
  /** Share of all slot time that k interpreters in one guest would save: all starts but one of k. */
  readonly savedShare: number;
  /** The same if all that is not the package's own were done once for all k: more than could be had. */
  readonly mostSavedShare: number;
}

/** From here on it was a start, and not a guest that waited. */
const STARTED_SECONDS = 0.02;

/** @param interpreters so many in one guest, k: of k starts k - 1 are saved. */
export function sharedGuest(
  attempts: readonly MeasuredAttempt[],
  interpreters: number,
): SharedGuest {
  const sum = (of: (attempt: MeasuredAttempt) => number) =>
    attempts.reduce((total, attempt) => total + of(attempt), 0);
  const slots = sum(({ slotSeconds }) => slotSeconds);
  const starts = sum(({ startSeconds }) => startSeconds);
  const around = sum(({ aroundSeconds }) => aroundSeconds);
  const saved = (seconds: number) =>
    slots === 0 ? 0 : (seconds * (interpreters - 1)) / interpreters / slots;
  return {
    startSeconds: distributionOf(
      attempts.map(({ startSeconds }) => startSeconds).filter((one) => one >= STARTED_SECONDS),
    ).median,
    meanStartSeconds: attempts.length === 0 ? 0 : starts / attempts.length,
    savedShare: saved(starts),
    mostSavedShare: saved(starts + around),
  };
}
