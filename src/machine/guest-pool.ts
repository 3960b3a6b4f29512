import { CreameryError } from "../base/errors.ts";
import { within } from "../base/within.ts";
import type { Guest, GuestSpec } from "./machine.ts";

type Stoppable = Pick<Guest, "stop">;

/** How one machine kind makes guests, in two steps: what can be done ahead, and what is done for whoever asks. */
export interface GuestSource<Waiting, Made extends Stoppable> {
  /** @throws CreameryError `machine-start`, `agent-lost`; the signal's reason. */
  prepare(spec: GuestSpec, signal: AbortSignal): Promise<Waiting>;
  isUsable(waiting: Waiting): boolean;
  /** Makes a guest of it, which answers. @param waitedMs null for one that was prepared just now. */
  complete(waiting: Waiting, waitedMs: () => number | null, signal: AbortSignal): Promise<Made>;
  discard(waiting: Waiting): Promise<void>;
  /** Of this spec, how many may wait. */
  capacity(spec: GuestSpec): number;
}

interface Pool<Waiting> {
  readonly spec: GuestSpec;
  count: number;
  /** Idle ones and those on their way; each is handed out once. */
  readonly starting: Promise<Waiting>[];
}

/** Guests that are prepared before they are wanted, of each spec some; and all that were handed out, to be stopped at the end. */
export class GuestPool<Waiting, Made extends Stoppable> {
  readonly #source: GuestSource<Waiting, Made>;
  readonly #pools = new Map<string, Pool<Waiting>>();
  readonly #alive = new Set<Made>();
  readonly #stopping = new Set<Promise<void>>();
  readonly #disposed = new AbortController();

  constructor(source: GuestSource<Waiting, Made>) {
    this.#source = source;
  }

  async start(spec: GuestSpec, signal: AbortSignal): Promise<Made> {
    signal.throwIfAborted();
    const began = performance.now();
    const waitedMs = () => performance.now() - began;
    const ending = AbortSignal.any([signal, this.#disposed.signal]);
    const pool = this.#pools.get(keyOf(spec));
    for (let ahead = pool?.starting.shift(); ahead !== undefined; ahead = pool?.starting.shift()) {
      if (pool !== undefined) this.#fill(pool);
      // One that failed to start says nothing of the next; one that died while it waited is passed over.
      const waiting = await within(ahead, { signal: ending }).catch(() => undefined);
      if (ending.aborted) {
        this.#drop(ahead);
        ending.throwIfAborted();
      }
      if (waiting === undefined) continue;
      if (!this.#source.isUsable(waiting)) {
        await this.#source.discard(waiting);
        continue;
      }
      return this.#handOut(await this.#source.complete(waiting, waitedMs, ending));
    }
    const waiting = await this.#source.prepare(spec, ending);
    return this.#handOut(await this.#source.complete(waiting, () => null, ending));
  }

  startAhead(spec: GuestSpec, count: number): void {
    const pool = this.#pool(spec);
    for (let started = 0; started < count; started++) this.#startInto(pool);
  }

  keepReady(spec: GuestSpec, count: number): void {
    const pool = this.#pool(spec);
    pool.count = Math.min(count, this.#source.capacity(spec));
    this.#fill(pool);
    for (const surplus of pool.starting.splice(pool.count)) this.#drop(surplus);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed.abort(new CreameryError("machine-start", "the machine is being closed"));
    for (const pool of this.#pools.values()) {
      pool.count = 0;
      for (const surplus of pool.starting.splice(0)) this.#drop(surplus);
    }
    await Promise.allSettled([...this.#alive].map((guest) => guest.stop()));
    await Promise.allSettled(this.#stopping);
  }

  #pool(spec: GuestSpec): Pool<Waiting> {
    const key = keyOf(spec);
    const pool = this.#pools.get(key) ?? { spec, count: 0, starting: [] };
    this.#pools.set(key, pool);
    return pool;
  }

  #fill(pool: Pool<Waiting>): void {
    while (pool.starting.length < pool.count && !this.#disposed.signal.aborted)
      this.#startInto(pool);
  }

  #startInto(pool: Pool<Waiting>): void {
    const starting = this.#source.prepare(pool.spec, this.#disposed.signal);
    starting.catch(() => {
      // A pool that can't be filled is no fault yet: `start` tries itself, and says why.
      pool.count = 0;
    });
    pool.starting.push(starting);
  }

  #drop(starting: Promise<Waiting>): void {
    const done = starting.then(
      (waiting) => this.#source.discard(waiting),
      () => undefined,
    );
    this.#stopping.add(done);
    void done.finally(() => this.#stopping.delete(done)).catch(() => undefined);
  }

  #handOut(guest: Made): Made {
    this.#alive.add(guest);
    return guest;
  }
}

function keyOf(spec: GuestSpec): string {
  return JSON.stringify([
    spec.imageId,
    spec.memoryBytes,
    spec.cpuSeconds,
    spec.pids,
    spec.diskBytes,
  ]);
}
