import type { RetentionTable } from "../../model/config/bucket-table.ts";

/** What the farm knows of its attempts, as far as it decides what is kept of them: told by the store, or by a test. */
export interface RetentionFacts {
  /** All of them, newest first: ids are made in the order of time. */
  attempts(signal: AbortSignal): AsyncIterable<RetainedAttempt>;
  /** Those of one project and configuration, newest first: asked again right before something of one is removed. */
  attemptsOf(
    project: string,
    configuration: string,
    signal: AbortSignal,
  ): AsyncIterable<RetainedAttempt>;
  /** As it is known by now; null when it is not. */
  attempt(id: string): Promise<RetainedAttempt | null>;
  /** sha256 of all files that a lock of an image names; null where that is not known, and none of them is collected. */
  imageFiles(): Promise<ReadonlySet<string> | null>;
}

export interface RetainedAttempt {
  readonly id: string;
  /** Normalised name. */
  readonly project: string;
  readonly configuration: string;
  /** Milliseconds since 1970. */
  readonly startedMs: number;
  readonly isCanary: boolean;
  /** Whether others may be compared with it: neither a failure of the farm's nor a second run that confirms. */
  readonly isComparable: boolean;
  /** Somebody said that others are compared with it. */
  readonly isNamedBaseline: boolean;
  /** Of a source that is a person's own, and lies in the bucket; null for a release. */
  readonly sourceSha256: string | null;
}

export interface RetentionPolicy {
  /** All of the last so many days. */
  readonly days: number;
  /** So many results of each project on each configuration, the newest. */
  readonly newest: number;
  /** What one of those that are pinned is compared with. */
  readonly baselines: boolean;
  readonly canaries: boolean;
  /** All together; null for no bound. What is pinned is never removed for it. */
  readonly maxBytes: number | null;
  /** What is younger is never collected: somebody may be about to refer to it. Longer than any attempt takes. */
  readonly graceMs: number;
}

export const DEFAULT_RETENTION: RetentionPolicy = {
  days: 30,
  newest: 2,
  baselines: true,
  canaries: true,
  maxBytes: null,
  graceMs: 2 * 24 * 3_600_000,
};

const GIB = 1024 ** 3;

/** The usual policy with what a file says in place. */
export function policyFrom(table: RetentionTable): RetentionPolicy {
  const { days, newest, baselines, canaries } = DEFAULT_RETENTION;
  return {
    days: table.days ?? days,
    newest: table.newest ?? newest,
    baselines: table.baselines ?? baselines,
    canaries: table.canaries ?? canaries,
    maxBytes: table.max_gib === undefined ? null : Math.floor(table.max_gib * GIB),
    graceMs:
      table.grace_hours === undefined
        ? DEFAULT_RETENTION.graceMs
        : Math.round(table.grace_hours * 3_600_000),
  };
}
