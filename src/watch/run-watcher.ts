import { CreameryError, lineOfFault } from "../base/errors.ts";
import { backoffMs } from "./backoff.ts";
import { SYSTEM_CLOCK, type WatchClock } from "./clock.ts";
import type { WatchEvent } from "./event.ts";
import { RetryLater } from "./retry-later.ts";
import type { KeptWatch, WatchMemory } from "./watch-memory.ts";
import type { Poll, Watcher, WatchNote } from "./watcher.ts";

/** How a watcher is, for `status` and metrics. */
export interface WatcherHealth {
  readonly watcher: string;
  /** Milliseconds since 1970; null before the first. */
  readonly lastSuccessAt: number | null;
  readonly consecutiveFailures: number;
  /** One line; null when the last poll succeeded. */
  readonly fault: string | null;
  readonly lagMs: number | null;
  readonly nextPollAt: number;
  /** Since this process began. */
  readonly events: number;
  readonly gaps: number;
}

export interface RunWatcherOptions {
  readonly memory: WatchMemory;
  /** Ends it: what is being kept is kept, then it returns. */
  readonly signal: AbortSignal;
  readonly clock?: WatchClock;
  /** From 0 to 1. */
  readonly random?: () => number;
  /** A poll that takes longer is a failure. */
  readonly pollDeadlineMs?: number;
  readonly onHealth?: (health: WatcherHealth) => void;
  readonly onNote?: (note: WatchNote) => void;
  /** After they were kept, to wake who plans: a hint, for who ends between hears it never. */
  readonly onEvents?: (events: readonly WatchEvent[]) => void;
}

/** Upstreams are asked no more often than so, whatever a watcher says. */
const LEAST_PAUSE_MS = 100;
const POLL_DEADLINE_MS = 5 * 60_000;

/**
 * Polls until the signal ends it. State and events are kept in one transaction; when it is not known whether that
 * happened, the memory is asked before anything else: so each event is there once. Never throws: what fails is told by
 * `onHealth`, and tried again.
 */
export async function runWatcher(watcher: Watcher, options: RunWatcherOptions): Promise<void> {
  const { memory, signal } = options;
  const clock = options.clock ?? SYSTEM_CLOCK;
  const random = options.random ?? Math.random;
  let kept: KeptWatch | null = null;
  let health: WatcherHealth = {
    watcher: watcher.name,
    lastSuccessAt: null,
    consecutiveFailures: 0,
    fault: null,
    lagMs: null,
    nextPollAt: clock.now(),
    events: 0,
    gaps: 0,
  };
  while (!signal.aborted) {
    let waitMs: number;
    try {
      const from: KeptWatch = kept ?? (await memory.load(watcher.name));
      const poll = await pollOnce(watcher, from, options);
      // Until it is known to be kept, what is known is what the memory says.
      kept = null;
      kept = await keep(watcher, from, poll, memory);
      for (const note of poll.notes) options.onNote?.(note);
      if (poll.events.length > 0) options.onEvents?.(poll.events);
      health = {
        ...health,
        lagMs: poll.lagMs,
        events: health.events + poll.events.length,
        gaps: health.gaps + poll.notes.filter(({ kind }) => kind === "gap").length,
      };
      if (poll.fault !== null) throw poll.fault;
      waitMs = Math.max(LEAST_PAUSE_MS, poll.nextPollMs);
      health = { ...health, lastSuccessAt: clock.now(), consecutiveFailures: 0, fault: null };
    } catch (thrown) {
      // Asked to end: what was cut off is no failure of upstream's.
      if (signal.aborted) break;
      const failures = health.consecutiveFailures + 1;
      const retryAfterMs = thrown instanceof RetryLater ? thrown.retryAfterMs : null;
      waitMs = backoffMs(failures, retryAfterMs, random());
      health = {
        ...health,
        consecutiveFailures: failures,
        fault: lineOfFault(thrown),
      };
    }
    health = { ...health, nextPollAt: clock.now() + waitMs };
    options.onHealth?.(health);
    await clock.sleep(waitMs, signal);
  }
}

async function pollOnce(
  watcher: Watcher,
  from: KeptWatch,
  options: RunWatcherOptions,
): Promise<Poll> {
  const deadlineMs = options.pollDeadlineMs ?? POLL_DEADLINE_MS;
  const deadline = AbortSignal.timeout(deadlineMs);
  return await watcher.poll(from.state, AbortSignal.any([options.signal, deadline]));
}

/** @throws CreameryError `store` when another process runs the same watcher. */
async function keep(
  watcher: Watcher,
  from: KeptWatch,
  { changes, events }: Poll,
  memory: WatchMemory,
): Promise<KeptWatch> {
  if (changes.size === 0 && events.length === 0) return from;
  const revision = await memory.commit({
    watcher: watcher.name,
    revision: from.revision,
    changes,
    events,
  });
  if (revision === null)
    throw new CreameryError("store", "another process watches the same and was first", {
      input: watcher.name,
      nextStep: "run one coordinator for each store",
    });
  return { revision, state: changed(from.state, changes) };
}

/** In place where it can be: a map of 45,000 parts is not copied for one of them. */
function changed(
  state: ReadonlyMap<string, string>,
  changes: ReadonlyMap<string, string | null>,
): ReadonlyMap<string, string> {
  const parts = state instanceof Map ? state : new Map(state);
  for (const [key, text] of changes) {
    if (text === null) parts.delete(key);
    else parts.set(key, text);
  }
  return parts;
}
