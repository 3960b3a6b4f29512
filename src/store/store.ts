import type { Visibility } from "../model/principals.ts";
import type { AttemptJson } from "../model/result-json.ts";
import type { TestResult } from "../model/attempt.ts";
import type { Dependency } from "../python/depends-on.ts";

/** Why an attempt was made. */
export const JOB_REASONS = [
  "manual",
  "reproduce",
  "confirm",
  "release",
  "push",
  "retest",
  "experiment",
  "canary",
  "blame",
] as const;
export type JobReason = (typeof JOB_REASONS)[number];

export interface AttemptRecording {
  readonly attempt: AttemptJson;
  readonly visibility: Visibility;
  readonly reason: JobReason;
  /** The attempt that this one runs again, for `reproduce` and `confirm`. */
  readonly of?: string;
  /** RFC 3339, UTC. */
  readonly startedAt: string;
  /** All results; only those that failed are kept here, the rest is in the bucket. */
  readonly results: readonly TestResult[];
  /** Whom a release depends on by its own word; left out where it was not read. */
  readonly dependencies?: readonly Dependency[];
}

export interface StoredAttempt {
  readonly attempt: AttemptJson;
  readonly visibility: Visibility;
  readonly reason: JobReason;
  readonly of: string | null;
  readonly startedAt: string;
}

export interface NonPass {
  readonly id: string;
  readonly outcome: "failed" | "error";
  readonly message: string;
}

export interface AttemptQuery {
  /** Normalised name. */
  readonly project?: string;
  readonly configuration?: string;
  /** At most so many, newest first. */
  readonly limit: number;
  /** Only attempts older than this one, for the next page. */
  readonly olderThan?: string;
}

/** Which attempts may be a baseline of another. */
export interface BaselineQuery {
  readonly project: string;
  readonly configuration: string;
  /** Attempts older than this id; ids are made in the order of time. */
  readonly olderThan: string;
  /** Only of this version; else any. */
  readonly version?: string;
}

/** Results with their axes; SQLite here, PostgreSQL behind the same interface (store-contract.ts). */
export interface Store extends AsyncDisposable {
  /**
   * Keeps an attempt, whole or not at all. The same id again is no error and changes nothing: whoever is not sure
   * that it was kept may say it once more.
   * @throws CreameryError `store`, `disk-full`.
   */
  recordAttempt(recording: AttemptRecording): Promise<void>;
  /** By id, or by a beginning of it that only one has; null when there is none or more than one. */
  attempt(id: string): Promise<StoredAttempt | null>;
  attempts(query: AttemptQuery): Promise<readonly StoredAttempt[]>;
  /** Tests that did not pass, in the order of their ids. */
  nonPasses(attemptId: string): Promise<readonly NonPass[]>;
  /** The newest older attempt of the same project and configuration that was no failure of the farm's, no confirmation and no experiment; null when there is none. */
  latestComparable(query: BaselineQuery): Promise<StoredAttempt | null>;
  /** Ids that the tests of one project had failures under, most often first: what is flaky or broken. */
  oftenFailing(
    project: string,
    limit: number,
  ): Promise<readonly { readonly id: string; readonly attempts: number }[]>;
}
