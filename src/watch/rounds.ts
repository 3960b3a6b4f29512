import { createHash } from "node:crypto";

/** A short list is asked about so often... */
const SHORTEST_MS = 5000;

/** Milliseconds of one round of `count` things with at most `perSecond` requests. */
export function roundMs(count: number, perSecond: number): number {
  return Math.max(SHORTEST_MS, Math.ceil((count / perSecond) * 1000));
}

/**
 * Whose turn it is: each name once in a round, evenly over it, so that an index sees a trickle and never a burst. It is
 * a timetable only: lost with the process, it costs nothing but time.
 */
export class Rounds {
  readonly #intervalMs: number;
  /** By due time: all have the same interval, so whoever had its turn goes to the end. */
  readonly #queue = new Map<string, number>();
  /** Those that are to be looked at out of turn; few. */
  readonly #soon = new Map<string, number>();

  constructor(names: readonly string[], intervalMs: number, now: number) {
    this.#intervalMs = intervalMs;
    const order = [...new Set(names)]
      .map((name) => [createHash("sha256").update(name).digest("hex"), name] as const)
      .toSorted(([left], [right]) => (left < right ? -1 : 1));
    for (const [index, [, name]] of order.entries())
      this.#queue.set(name, now + Math.floor((index * intervalMs) / order.length));
  }

  get size(): number {
    return this.#queue.size;
  }

  /** Those that are due, the longest first; each has its next turn an interval later. */
  take(now: number, max: number): string[] {
    const taken: string[] = [];
    for (const [name, dueMs] of this.#soon) {
      if (taken.length >= max) return taken;
      if (dueMs > now) continue;
      this.#soon.delete(name);
      taken.push(name);
    }
    for (const [name, dueMs] of this.#queue) {
      if (dueMs > now || taken.length >= max) break;
      this.#queue.delete(name);
      // From now where it is late: what could not be asked while upstream was down is not asked twice as often after.
      this.#queue.set(name, Math.max(dueMs + this.#intervalMs, now + this.#intervalMs / 2));
      if (!taken.includes(name)) taken.push(name);
    }
    return taken;
  }

  /** A turn out of turn. */
  again(name: string, dueMs: number): void {
    this.#soon.set(name, dueMs);
  }

  /** When the next turn is, milliseconds since 1970; infinite when there is nothing. */
  nextDue(): number {
    const [first = Infinity] = this.#queue.values();
    let next = first;
    for (const dueMs of this.#soon.values()) next = Math.min(next, dueMs);
    return next;
  }
}
