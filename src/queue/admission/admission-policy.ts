const HOUR_MS = 3_600_000;

/** What a release is to the farm, from what somebody named down to what came in a flood. */
export const RELEASE_CLASSES = ["named", "depended-on", "tail", "flood"] as const;
export type ReleaseClass = (typeof RELEASE_CLASSES)[number];

/** What becomes of a release that was seen, from best to worst. */
export const ADMISSIONS = ["queued", "smoke-only", "delayed", "not-admitted"] as const;
export type Admission = (typeof ADMISSIONS)[number];

/** Up to which backlog a class is tested whole and at least as smoke, ms of work before all hosts; beyond it is delayed. */
export interface ClassBounds {
  readonly fullMs: number;
  readonly smokeMs: number;
}

/** What an operator may set of admission ([admission] of creamery.toml). */
export interface AdmissionPolicy {
  /** Off: whatever is watched is queued whole. */
  readonly enabled: boolean;
  /** So many known projects that need it make a project one that others depend on. */
  readonly dependedOnLeast: number;
  readonly bounds: Readonly<Record<Exclude<ReleaseClass, "named">, ClassBounds>>;
  /** New names an hour that are nothing unusual; beyond `floodFactor` times the usual rate and this they are a flood. */
  readonly newNamesPerHour: number;
  readonly floodFactor: number;
  /** What is delayed and not begun in so long is not admitted. */
  readonly delayedMs: number;
  /** Releases that may be delayed at once; of a flood half as many. What others depend on is always kept. */
  readonly mostDelayed: number;
}

export const ADMISSION_POLICY: AdmissionPolicy = {
  enabled: true,
  // One project can name any number of names; several that agree are worth more.
  dependedOnLeast: 3,
  bounds: {
    "depended-on": { fullMs: 12 * HOUR_MS, smokeMs: 24 * HOUR_MS },
    tail: { fullMs: HOUR_MS, smokeMs: 6 * HOUR_MS },
    flood: { fullMs: 0, smokeMs: HOUR_MS / 2 },
  },
  newNamesPerHour: 60,
  floodFactor: 3,
  delayedMs: 48 * HOUR_MS,
  mostDelayed: 5000,
};
