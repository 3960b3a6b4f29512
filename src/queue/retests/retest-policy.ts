const DAY_MS = 86_400_000;

/** What an operator may set of retests ([retest] of creamery.toml). */
export interface RetestPolicy {
  /** Jobs that are planned in an hour at most, all causes together; 0 for none. */
  readonly jobsPerHour: number;
  /** None are planned while so many wait in the background lane. */
  readonly mostWaiting: number;
  /** A configuration of priority is tested again so long after it was, ms; null for never. */
  readonly ageMs: number | null;
  /** For so long those who depend on a release are tested again, ms; what was not reached by then is left. */
  readonly waveMs: number;
  /** Whether those count that need it through others. */
  readonly transitive: boolean;
  /** Share of all known projects that is tested again each day on all priority configurations; null for none. */
  readonly cycleShare: number | null;
}

export const RETEST_POLICY: RetestPolicy = {
  jobsPerHour: 60,
  mostWaiting: 200,
  ageMs: 30 * DAY_MS,
  waveMs: 7 * DAY_MS,
  transitive: true,
  cycleShare: null,
};
