import type { Arrival, HostFacts, HostState } from "../queue/hosts.ts";
import type { LeasedJob } from "../queue/job.ts";
import type { Finish, Finished } from "../queue/queue.ts";
import type { BaselineQuery, StoredAttempt } from "../store/store.ts";

/** What a worker is told when it arrives. */
export interface Welcome {
  /** A lease ends so long after it was renewed last, ms. */
  readonly leaseMs: number;
  /** Renew so often, ms. */
  readonly heartbeatMs: number;
}

export interface Wish {
  /** So many jobs at most. */
  readonly most: number;
  /** Configurations that this host can't run. */
  readonly without: readonly string[];
  /** Wait so long for something to do, ms. */
  readonly waitMs: number;
}

export interface Beat {
  /** What runs, by attempt. */
  readonly attempts: readonly string[];
  readonly facts: HostFacts;
}

export interface BeatAnswer {
  /** Attempts that are this host's no more: whatever runs of them is to be ended and thrown away. */
  readonly lost: readonly string[];
  readonly state: HostState;
  readonly reason: string | null;
}

/** What comes of an attempt while it runs, for who watches. */
export type LivePiece =
  | { readonly kind: "log"; readonly text: string }
  | { readonly kind: "phase"; readonly phase: string; readonly atMs: number };

/**
 * The farm, as one worker sees it: in this process, or elsewhere by HTTPS. All of it may be said again by who did not hear the
 * answer. @throws CreameryError from each: `farm-refused` for a worker that another one replaced or whose token is not good,
 * `store`, `no-network`, `upstream` for what passes.
 */
export interface Coordinator {
  /** This process begins: what an earlier one of the same host held is given to others. */
  arrive(arrival: Omit<Arrival, "name">, signal: AbortSignal): Promise<Welcome>;
  claim(wish: Wish, signal: AbortSignal): Promise<readonly LeasedJob[]>;
  heartbeat(beat: Beat, signal: AbortSignal): Promise<BeatAnswer>;
  finish(attempt: string, finish: Finish, signal: AbortSignal): Promise<Finished>;
  /** Says what comes of an attempt while it runs; nobody depends on it. */
  tell(attempt: string, pieces: readonly LivePiece[], signal: AbortSignal): Promise<void>;
  /** What a result is compared with. */
  latestComparable(query: BaselineQuery, signal: AbortSignal): Promise<StoredAttempt | null>;
}
