import type { CreameryError } from "../base/errors.ts";
import type { WatchEvent } from "./event.ts";

/**
 * What a watcher knows, as parts by key (a cursor; one for each project): a poll writes only the parts that change, so
 * that 45,000 projects can be one state. Each part is a text that the watcher alone reads.
 */
export type WatchState = ReadonlyMap<string, string>;

/** One source of events. */
export interface Watcher {
  /** Stable: what was kept under it is found again. Holds a digest of what is watched, so that another index begins anew. */
  readonly name: string;
  /**
   * Asks upstream once, or a few things of it. Has no effect but its requests: what it found counts when it is kept.
   * With no state it takes the present as its beginning and reports nothing old, unless told to.
   * @throws CreameryError when nothing could be learnt; `RetryLater` when upstream asks for time.
   */
  poll(state: WatchState, signal: AbortSignal): Promise<Poll>;
}

export interface Poll {
  /** In the order in which they happened, as far as upstream tells. */
  readonly events: readonly WatchEvent[];
  /** Parts that are new or another (text), or no more (null). */
  readonly changes: ReadonlyMap<string, string | null>;
  /** Milliseconds until there is something to ask again. */
  readonly nextPollMs: number;
  /** How far behind what is due it is, in milliseconds; null where that can't be told. */
  readonly lagMs: number | null;
  readonly notes: readonly WatchNote[];
  /** What could not be asked though the rest could: counts as a failure once the rest is kept. */
  readonly fault: CreameryError | null;
}

/** For the log, and for who must know that something was missed. */
export type WatchNote =
  /** Events were lost that this source can't give any more. */
  | { readonly kind: "gap"; readonly reason: string }
  /** Kept back until upstream shows what it announced. */
  | { readonly kind: "set-aside"; readonly project: string; readonly reason: string }
  /** Kept back for as long as is sensible: reported though upstream does not show it yet. */
  | { readonly kind: "gave-up-waiting"; readonly project: string; readonly reason: string }
  /** Upstream shows something older than it has shown. */
  | { readonly kind: "behind"; readonly project: string | null; readonly reason: string }
  /** One thing can't be asked; the others are not held up. */
  | { readonly kind: "failing"; readonly project: string; readonly reason: string };
