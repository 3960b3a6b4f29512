import { setTimeout as sleep } from "node:timers/promises";

import { CreameryError } from "../base/errors.ts";
import type { HostFacts } from "../queue/hosts.ts";
import type { LeasedJob } from "../queue/job.ts";
import type { Finish } from "../queue/queue.ts";
import type { Coordinator } from "./coordinator.ts";

export interface WorkerEvents {
  onClaimed?(job: LeasedJob): void;
  onFinished?(job: LeasedJob, finish: Finish, kept: boolean): void;
  /** The farm does not answer, or refuses: it is asked again. */
  onTrouble?(fault: unknown): void;
  onRecovered?(): void;
}

export interface WorkerLoopOptions {
  readonly coordinator: Coordinator;
  /** So many jobs side by side. */
  readonly slots: number;
  /** Of this process; another one holds none of its leases. */
  readonly boot: string;
  /** Runs one job; ends soon after the signal. What it throws is the farm's fault. */
  readonly run: (job: LeasedJob, signal: AbortSignal) => Promise<Finish>;
  /** Whether there is room for one more: memory, disk. */
  readonly hasRoom?: () => boolean | Promise<boolean>;
  readonly facts: (running: number) => HostFacts;
  /** Configurations that this host can't run. */
  readonly without?: readonly string[];
  readonly events?: WorkerEvents;
}

const CLAIM_WAIT_MS = 20_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5000;
const NO_ROOM_MS = 1000;

/** Why a job's own signal was aborted. */
const LOST = "its lease was lost";

/**
 * Claims, runs, finishes, and renews leases meanwhile, until it is told to stop: then what runs is ended and given back, so
 * that another takes it at once. A farm that does not answer is asked again for as long as it takes; nothing that was tested
 * is thrown away because of that.
 */
export class WorkerLoop {
  readonly #options: WorkerLoopOptions;
  readonly #running = new Map<
    string,
    { readonly abort: AbortController; readonly done: Promise<void> }
  >();
  #troubled = false;

  constructor(options: WorkerLoopOptions) {
    this.#options = options;
  }

  /** How many jobs run now. */
  get running(): number {
    return this.#running.size;
  }

  /** @throws CreameryError `farm-refused` when the farm wants nothing of this worker. */
  async run(signal: AbortSignal): Promise<void> {
    const { coordinator, boot, slots } = this.#options;
    const facts = () => this.#options.facts(this.#running.size);
    const welcome = await this.#persist(
      () => coordinator.arrive({ boot, slots, facts: facts() }, signal),
      signal,
    );
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    const beating = this.#beat(welcome.heartbeatMs, stop).catch((thrown: unknown) => {
      stop.abort(thrown);
    });
    const ended = await this.#claimAll(either).then(
      () => null,
      (thrown: unknown) => (either.aborted ? null : { thrown }),
    );
    for (const { abort } of this.#running.values()) abort.abort(signal.reason);
    await Promise.all([...this.#running.values()].map(({ done }) => done));
    const refused: unknown = stop.signal.reason;
    stop.abort();
    await beating;
    if (ended !== null) throw ended.thrown;
    if (refused instanceof CreameryError && !signal.aborted) throw refused;
  }

  async #claimAll(signal: AbortSignal): Promise<void> {
    const { coordinator, slots, without = [], hasRoom } = this.#options;
    while (!signal.aborted) {
      const free = slots - this.#running.size;
      if (free <= 0) {
        await this.#oneEnds(signal);
        continue;
      }
      if (hasRoom !== undefined && !(await hasRoom())) {
        await sleep(NO_ROOM_MS, undefined, { signal });
        continue;
      }
      // One at a time: room is looked for before each, and other hosts have their share.
      const wish = { most: 1, without, waitMs: CLAIM_WAIT_MS };
      const given = await this.#persist(() => coordinator.claim(wish, signal), signal);
      for (const job of given) this.#begin(job);
    }
  }

  #begin(job: LeasedJob): void {
    this.#options.events?.onClaimed?.(job);
    const abort = new AbortController();
    const done = this.#runOne(job, abort.signal).finally(() => this.#running.delete(job.attempt));
    this.#running.set(job.attempt, { abort, done });
  }

  async #runOne(job: LeasedJob, signal: AbortSignal): Promise<void> {
    const { coordinator, run, events } = this.#options;
    const finish = await run(job, signal).catch((thrown: unknown): Finish =>
      signal.aborted
        ? { kind: "returned" }
        : {
            kind: "farm-fault",
            recordings: [],
            reason: thrown instanceof CreameryError ? thrown.line : String(thrown),
          },
    );
    if (signal.reason === LOST) return;
    // However this worker ends, what it has found out is said; a farm that is away for long finds the lease ended.
    const deadline = AbortSignal.timeout(signal.aborted ? FINISH_STOPPING_MS : FINISH_MS);
    try {
      const kept = await this.#persist(
        () => coordinator.finish(job.attempt, finish, deadline),
        deadline,
      );
      events?.onFinished?.(job, finish, kept === "kept");
    } catch (thrown) {
      events?.onTrouble?.(thrown);
    }
  }

  async #beat(everyMs: number, stop: AbortController): Promise<void> {
    const { coordinator, facts } = this.#options;
    const { signal } = stop;
    while (!signal.aborted) {
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const attempts = [...this.#running.keys()];
      const answer = await this.#persist(
        () => coordinator.heartbeat({ attempts, facts: facts(attempts.length) }, signal),
        signal,
      ).catch((thrown: unknown) => {
        if (signal.aborted) return null;
        throw thrown;
      });
      for (const attempt of answer?.lost ?? []) this.#running.get(attempt)?.abort.abort(LOST);
    }
  }

  /** Asks until it is answered; a refusal is an answer. */
  async #persist<Answer>(ask: () => Promise<Answer>, signal: AbortSignal): Promise<Answer> {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        const answer = await ask();
        if (this.#troubled) this.#options.events?.onRecovered?.();
        this.#troubled = false;
        return answer;
      } catch (thrown) {
        signal.throwIfAborted();
        if (thrown instanceof CreameryError && REFUSALS.has(thrown.code)) throw thrown;
        if (!this.#troubled) this.#options.events?.onTrouble?.(thrown);
        this.#troubled = true;
      }
      await sleep(pauseMs * (0.5 + Math.random()), undefined, { signal });
    }
  }

  async #oneEnds(signal: AbortSignal): Promise<void> {
    const ended = Promise.withResolvers<void>();
    const abort = () => ended.resolve();
    signal.addEventListener("abort", abort, { once: true });
    try {
      await Promise.race([ended.promise, ...[...this.#running.values()].map(({ done }) => done)]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }
}

const FINISH_MS = 30 * 60_000;
const FINISH_STOPPING_MS = 5000;
const REFUSALS: ReadonlySet<string> = new Set(["farm-refused", "usage", "configuration-file"]);
