import type { Visibility } from "../model/principals.ts";
import type { JobReason } from "../store/store.ts";

/** From what somebody waits for down to what fills the hosts when there is nothing else. */
export const LANES = ["manual", "priority", "rest", "background"] as const;
export type Lane = (typeof LANES)[number];

/** In the order of their numbers in the store. */
export const JOB_STATES = [
  "queued",
  "waiting",
  "leased",
  "done",
  "dead",
  "cancelled",
  "superseded",
] as const;
export type JobState = (typeof JOB_STATES)[number];

/** How much of a test: all of it, or only whether it installs, imports and its scripts answer. */
export const JOB_PLANS = ["full", "smoke"] as const;
export type JobPlan = (typeof JOB_PLANS)[number];

/** What somebody wants tested: one target on some configurations. */
export interface EnqueueRequest {
  /** Made by whoever asks (`newAttemptId`): asked twice is asked once. */
  readonly id: string;
  /** Normalised. */
  readonly project: string;
  readonly visibility: Visibility;
  /** As a person types it: `lmdb==1.6.2`, `git+https://git.example/lmdb@<commit>`. */
  readonly word: string;
  /** Of the release; the commit of a push. */
  readonly version: string;
  /** The branch or tag that was pushed to; empty for a release. */
  readonly line: string;
  readonly reason: JobReason;
  readonly configurations: readonly RequestedConfiguration[];
  /** All of it by default. */
  readonly plan?: JobPlan;
  /** Why it is tested again, for people: `numpy 2.4 is new`. */
  readonly why?: string;
}

export interface RequestedConfiguration {
  readonly name: string;
  readonly lane: Lane;
}

/** What became of one configuration of a request. */
export interface EnqueuedJob {
  readonly key: string;
  readonly configuration: string;
  /** `known`: this very request was made before; `coalesced`: another's job for the same waits already, whose key this is. */
  readonly kind: "added" | "known" | "coalesced";
  /** Instant before which it is not begun, ms; a push within the cool-down waits. */
  readonly readyMs: number;
}

export interface Enqueued {
  readonly id: string;
  readonly jobs: readonly EnqueuedJob[];
  /** Keys of jobs that will not be run, since this is newer. */
  readonly superseded: readonly string[];
}

/** A job that was given to a worker, for as long as it renews its lease. */
export interface LeasedJob {
  readonly key: string;
  /** The attempt's id, and what fences: a later lease has another. */
  readonly attempt: string;
  readonly project: string;
  readonly visibility: Visibility;
  readonly word: string;
  readonly version: string;
  readonly configuration: string;
  readonly reason: JobReason;
  readonly lane: Lane;
  /** From 1. */
  readonly try: number;
  readonly leaseUntilMs: number;
  readonly plan: JobPlan;
}

/** A job as `queue list` shows it. */
export interface JobView {
  readonly key: string;
  readonly project: string;
  readonly visibility: Visibility;
  readonly word: string;
  readonly version: string;
  readonly configuration: string;
  readonly reason: JobReason;
  readonly lane: Lane;
  readonly state: JobState;
  readonly enqueuedMs: number;
  readonly readyMs: number;
  readonly tries: number;
  readonly farmFaults: number;
  readonly attempt: string | null;
  readonly worker: string | null;
  readonly leaseUntilMs: number | null;
  readonly note: string | null;
  readonly plan: JobPlan;
  readonly why: string | null;
}
