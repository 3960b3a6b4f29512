import { CreameryError } from "../base/errors.ts";
import type { Arrival, Host, HostFacts, Hosts } from "../queue/hosts.ts";
import type { LeasedJob } from "../queue/job.ts";
import type { Finish, Finished, Queue } from "../queue/queue.ts";
import type { BaselineQuery, Store, StoredAttempt } from "../store/store.ts";
import type { Beat, BeatAnswer, Coordinator, LivePiece, Welcome, Wish } from "./coordinator.ts";

/** Is told what becomes of attempts, for who watches the farm. */
export interface AttemptWatcher {
  begun(job: LeasedJob): void;
  told(attempt: string, piece: LivePiece): void;
  ended(attempt: string, finish: Finish): void;
}

export interface LocalCoordinatorDeps {
  /** Of the host; a worker elsewhere has that of its token. */
  readonly name: string;
  /** Of a process of it that has arrived before; this coordinator may have been started since. */
  readonly boot?: string;
  readonly queue: Queue;
  readonly hosts: Hosts;
  readonly store: Pick<Store, "latestComparable">;
  readonly now?: () => number;
  readonly watcher?: AttemptWatcher;
  /** Is told of jobs that came to their end without a result. */
  readonly onDead?: (keys: readonly string[]) => void;
}

/** A lease is renewed three times before it would end. */
const BEATS = 3;
/** What other coordinators enqueue, and what becomes due by time, is looked for so often. */
const LOOK_MS = 1000;
const LONGEST_WAIT_MS = 30_000;
const SEEN_MS = 15_000;

/** The farm in this process, for one host. */
export class LocalCoordinator implements Coordinator {
  readonly #deps: LocalCoordinatorDeps;
  readonly #now: () => number;
  #boot: string;
  #seenMs = 0;

  constructor(deps: LocalCoordinatorDeps) {
    this.#deps = deps;
    this.#boot = deps.boot ?? "";
    this.#now = deps.now ?? Date.now;
  }

  async arrive(arrival: Omit<Arrival, "name">): Promise<Welcome> {
    const { name, queue, hosts, onDead } = this.#deps;
    const { host, before } = await hosts.arrive({ name, ...arrival });
    this.#boot = arrival.boot;
    if (before !== null && before.boot !== arrival.boot) {
      const { dead } = await queue.releaseWorker(host.id);
      if (dead.length > 0) onDead?.(dead);
    }
    const { leaseMs } = queue.policy;
    return { leaseMs, heartbeatMs: Math.floor(leaseMs / BEATS) };
  }

  async claim({ most, without, waitMs }: Wish, signal: AbortSignal): Promise<readonly LeasedJob[]> {
    const { queue } = this.#deps;
    const until = this.#now() + Math.min(waitMs, LONGEST_WAIT_MS);
    for (;;) {
      signal.throwIfAborted();
      const { id, state } = await this.#host();
      const given = state === "active" ? await queue.claim({ workerId: id, most, without }) : [];
      // Who asked is gone: nobody would begin them, or say anything of them until their leases end.
      if (signal.aborted)
        for (const { attempt } of given) await queue.finish(id, attempt, { kind: "returned" });
      signal.throwIfAborted();
      const leftMs = until - this.#now();
      for (const job of given) this.#deps.watcher?.begun(job);
      if (given.length > 0 || leftMs <= 0) return given;
      await queue.changed(Math.min(LOOK_MS, leftMs), signal);
    }
  }

  async heartbeat({ attempts, facts }: Beat): Promise<BeatAnswer> {
    const { id, state, reason } = await this.#host();
    const lost = await this.#deps.queue.heartbeat(id, attempts);
    await this.#seen(id, facts);
    return { lost, state, reason };
  }

  async finish(attempt: string, finish: Finish): Promise<Finished> {
    const { id } = await this.#host();
    const kept = await this.#deps.queue.finish(id, attempt, finish);
    this.#deps.watcher?.ended(attempt, finish);
    return kept;
  }

  async tell(attempt: string, pieces: readonly LivePiece[]): Promise<void> {
    const { name, queue, watcher } = this.#deps;
    if (watcher === undefined || (await queue.holderOf(attempt)) !== name) return;
    for (const piece of pieces) watcher.told(attempt, piece);
  }

  latestComparable(query: BaselineQuery): Promise<StoredAttempt | null> {
    return this.#deps.store.latestComparable(query);
  }

  async #seen(id: number, facts: HostFacts): Promise<void> {
    if (this.#now() - this.#seenMs < SEEN_MS) return;
    this.#seenMs = this.#now();
    await this.#deps.hosts.seen(id, facts);
  }

  /** @throws CreameryError `farm-refused` when another process of this host came after this one. */
  async #host(): Promise<Host> {
    const { name, hosts } = this.#deps;
    const host = await hosts.byName(name);
    if (host !== null && host.boot === this.#boot) return host;
    throw new CreameryError("farm-refused", "another worker has come in this one's place", {
      input: name,
      nextStep: "give each worker a token of its own",
    });
  }
}
