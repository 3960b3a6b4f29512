const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** What an operator may set of the queue; times in ms. */
export interface QueuePolicy {
  /** A worker that says nothing for so long has lost its jobs. */
  readonly leaseMs: number;
  /** So often a job may be begun and come to no end before it is dead. */
  readonly mostTries: number;
  /** So many faults of the farm's in a row on one job make it dead. */
  readonly mostFarmFaults: number;
  /** Pushes to one branch are tested at most once in so long. */
  readonly cooldownMs: number;
  /** A lower lane whose next job is older gets a share of the claims. */
  readonly promoteAfterMs: { readonly rest: number; readonly background: number };
  /** One claim of so many looks for what has grown old. */
  readonly agedShare: number;
  /** Until what failed is tried again, the first time; twice as long each time. */
  readonly backoffMs: number;
  readonly longestBackoffMs: number;
}

export const QUEUE_POLICY: QueuePolicy = {
  leaseMs: MINUTE_MS,
  mostTries: 3,
  mostFarmFaults: 3,
  cooldownMs: 4 * HOUR_MS,
  promoteAfterMs: { rest: 6 * HOUR_MS, background: 72 * HOUR_MS },
  agedShare: 8,
  backoffMs: 30 * SECOND_MS,
  longestBackoffMs: HOUR_MS,
};

/** @param tries from 1. @param random 0 to 1: jobs that failed together don't come back together. */
export function backoffOf(policy: QueuePolicy, tries: number, random: number): number {
  const whole = Math.min(policy.longestBackoffMs, policy.backoffMs * 2 ** Math.max(0, tries - 1));
  return Math.round(whole * (0.5 + random / 2));
}
