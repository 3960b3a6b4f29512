import { EventEmitter, once } from "node:events";

import { sql } from "kysely";

import { CreameryError } from "../base/errors.ts";
import type { Database, Within } from "../store/database.ts";
import { JobRows, STATE, type JobChange, type JobRow } from "../store/sql/job-rows.ts";
import { hasResult, insertResult } from "../store/sql/sql-store.ts";
import type { AttemptRecording } from "../store/store.ts";
import { claimWithin, type Claimer } from "./claim.ts";
import { enqueueWithin, roundsOf } from "./enqueue.ts";
import { noteEnd, type HostOut } from "./host-record.ts";
import type { EnqueueRequest, Enqueued, LeasedJob } from "./job.ts";
import { viewsOf } from "./job-views.ts";
import { secondAttemptOf } from "./second-attempt.ts";
import { backoffOf, QUEUE_POLICY, type QueuePolicy } from "./queue-policy.ts";

export interface QueueOptions {
  readonly policy?: Partial<QueuePolicy>;
  /** Ms since 1970, as `Date.now`. */
  readonly now?: () => number;
  /** 0 to 1, as `Math.random`. */
  readonly random?: () => number;
  readonly newId: () => string;
  readonly events?: QueueEvents;
}

/** Told after it is on the disk. */
export interface QueueEvents {
  onClaimed?(jobs: readonly LeasedJob[]): void;
  /** Once for each lease, however often its worker says it. */
  onFinished?(finish: Finish): void;
  /** A host takes nothing more, until an operator resumes it. */
  onHostOut?(out: HostOut): void;
}

export interface ClaimOptions extends Claimer {
  /** Configurations that this worker can't run. */
  readonly without?: readonly string[];
}

/** How a lease ended, as its worker says. */
export type Finish =
  | {
      readonly kind: "done";
      /** The attempt's, and of runs that confirmed it. */
      readonly recordings: readonly AttemptRecording[];
    }
  /** The farm's own fault: the job is tried again, and that is not counted against it. */
  | {
      readonly kind: "farm-fault";
      readonly recordings: readonly AttemptRecording[];
      readonly reason: string;
    }
  /** It can't be tested, and trying again would not help: the index has no such release. */
  | { readonly kind: "impossible"; readonly reason: string }
  /** The worker stops before it was begun or ended: another takes it, at once. */
  | { readonly kind: "returned" };

/** `gone`: the lease was lost; whatever the worker has of it is to be thrown away. */
export type Finished = "kept" | "gone";

export interface Reaped {
  readonly requeued: readonly string[];
  /** What an operator should look at. */
  readonly dead: readonly string[];
}

interface AskedClaim {
  readonly options: ClaimOptions;
  readonly promise: Promise<readonly LeasedJob[]>;
  resolve(given: readonly LeasedJob[]): void;
  reject(error: unknown): void;
}

interface EndedLease {
  readonly said: Finished;
  readonly isFirst: boolean;
  readonly out: HostOut | null;
}

const GONE: EndedLease = { said: "gone", isFirst: false, out: null };
const KEPT: EndedLease = { said: "kept", isFirst: false, out: null };
const ENDED: EndedLease = { said: "kept", isFirst: true, out: null };
const ENQUEUED_AT_ONCE = 200;
const REAPED_AT_ONCE = 200;

/**
 * The queue: what waits, in the order in which it is due; leases that end by themselves; nothing lost, nothing done twice.
 * All of it lies in the store, so that any process may end at any instant. `../store/database.ts` says how it is written.
 */
export class Queue {
  readonly policy: QueuePolicy;
  readonly #database: Database;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #newId: () => string;
  readonly #events: QueueEvents;
  readonly #hints = new EventEmitter();
  #claims = 0;
  #asked: AskedClaim[] = [];
  #serving = false;

  constructor(database: Database, { policy, now, random, newId, events }: QueueOptions) {
    this.policy = { ...QUEUE_POLICY, ...policy };
    this.#database = database;
    this.#now = now ?? Date.now;
    this.#random = random ?? Math.random;
    this.#newId = newId;
    this.#events = events ?? {};
    this.#hints.setMaxListeners(0);
  }

  /** Puts requests into the queue. Each is there, whole, when this returns; made again, it is no other. */
  async enqueue(requests: readonly EnqueueRequest[]): Promise<readonly Enqueued[]> {
    const answers: Enqueued[] = [];
    for (const round of roundsOf(requests, ENQUEUED_AT_ONCE)) {
      const done = await this.#database.write((within) => this.enqueueWithin(within, round));
      answers.push(...done);
    }
    this.hint();
    return answers;
  }

  /** The same as part of a transaction that keeps something else too: where a watcher stands. Who calls gives a hint after it. */
  async enqueueWithin(
    within: Within,
    requests: readonly EnqueueRequest[],
  ): Promise<readonly Enqueued[]> {
    const { kind } = this.#database;
    const answers: Enqueued[] = [];
    for (const round of roundsOf(requests, ENQUEUED_AT_ONCE))
      answers.push(...(await enqueueWithin(within, kind, round, this.policy, this.#now())));
    return answers;
  }

  /** Gives a worker what is due next; nothing where nothing is. Those who ask at once are served in one transaction. */
  claim(options: ClaimOptions): Promise<readonly LeasedJob[]> {
    const asked: AskedClaim = { options, ...Promise.withResolvers<readonly LeasedJob[]>() };
    this.#asked.push(asked);
    if (!this.#serving) void this.#serve();
    return asked.promise;
  }

  async #serve(): Promise<void> {
    this.#serving = true;
    // Whoever asks in this very turn is served along.
    await Promise.resolve();
    while (this.#asked.length > 0) {
      const all = this.#asked.splice(0);
      const alike = Map.groupBy(all, ({ options }) => (options.without ?? []).toSorted().join());
      await Promise.all([...alike.values()].map((group) => this.#claimTogether(group)));
    }
    this.#serving = false;
  }

  async #claimTogether(group: readonly AskedClaim[]): Promise<void> {
    const lookForAged = ++this.#claims % this.policy.agedShare === 0;
    const step = { policy: this.policy, lookForAged, nowMs: this.#now(), newId: this.#newId };
    const without = group[0]?.options.without ?? [];
    const claimers = group.map(({ options }) => options);
    try {
      const given = await this.#database.write((within) =>
        claimWithin(within, this.#database.kind, claimers, without, step),
      );
      group.forEach((asked, index) => asked.resolve(given[index] ?? []));
      this.#events.onClaimed?.(given.flat());
    } catch (thrown) {
      for (const asked of group) asked.reject(thrown);
    }
  }

  /** Waits until something may have become due, or so long, ms. */
  async changed(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const either = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    await once(this.#hints, "ready", { signal: either }).catch(() => undefined);
  }

  /** Something may be due: who waits looks. */
  hint(): void {
    this.#hints.emit("ready");
  }

  /**
   * Renews the leases of a worker. What it was given and does not name was lost on its way to it: after a while that is
   * queued again.
   * @returns those that it has no more: what it runs of them is to be ended.
   */
  async heartbeat(workerId: number, attempts: readonly string[]): Promise<readonly string[]> {
    const untilMs = this.#now() + this.policy.leaseMs;
    const { alive, unheard } = await this.#database.write(async (within) => {
      const rows = new JobRows(within, this.#database.kind);
      const renewed = await rows.renew(workerId, attempts, untilMs);
      const lost = (await rows.leasesOf(workerId)).filter(
        ({ attempt, lease_ms: lease }) =>
          !attempts.includes(attempt ?? "") && (lease ?? untilMs) <= untilMs - this.#unheardMs,
      );
      for (const job of lost)
        await this.#requeue(rows, job, { tries: job.tries - 1, waitMs: 0, note: null });
      return { alive: new Set(renewed), unheard: lost.length };
    });
    if (unheard > 0) this.hint();
    return attempts.filter((attempt) => !alive.has(attempt));
  }

  /** More than a beat: what is on its way now is named by the next. */
  get #unheardMs(): number {
    return this.policy.leaseMs / 2;
  }

  /** What holds an attempt now: a host's name; null where no lease of it is held. */
  holderOf(attempt: string): Promise<string | null> {
    return this.#database.read(async (db) => {
      const row = await db
        .selectFrom("queue_job")
        .innerJoin("worker", "worker.id", "queue_job.worker_id")
        .select("worker.name")
        .where("queue_job.state", "=", sql.lit(STATE.leased))
        .where("queue_job.attempt", "=", attempt)
        .executeTakeFirst();
      return row?.name ?? null;
    });
  }

  /** Whether a result of an attempt is kept. */
  isFinished(attempt: string): Promise<boolean> {
    return this.#database.read((db) => hasResult(db, attempt));
  }

  /** Whether a host holds any lease now. */
  isAtWork(host: string): Promise<boolean> {
    return this.#database.read(async (db) => {
      const row = await db
        .selectFrom("worker")
        .innerJoin("queue_job", "queue_job.worker_id", "worker.id")
        .select("queue_job.id")
        .where("worker.name", "=", host)
        .where("queue_job.state", "=", sql.lit(STATE.leased))
        .limit(1)
        .executeTakeFirst();
      return row !== undefined;
    });
  }

  /** Ends a lease: results and the job's end in one transaction. Said twice, it is done once. */
  async finish(workerId: number, attempt: string, finish: Finish): Promise<Finished> {
    const ended = await this.#database.write(async (within): Promise<EndedLease> => {
      const rows = new JobRows(within, this.#database.kind);
      const job = await rows.lease(workerId, attempt);
      if (job === undefined) return (await isKept(within, attempt, finish)) ? KEPT : GONE;
      if (finish.kind === "done" || finish.kind === "farm-fault") {
        await assertOwn(within, job, finish.recordings);
        for (const recording of finish.recordings) {
          const wantsSecond = await insertResult(within, withReason(recording, job));
          if (wantsSecond)
            await this.enqueueWithin(within, [
              await secondAttemptOf(within, recording, job.target_id),
            ]);
        }
      }
      await this.#end(rows, job, finish);
      if (finish.kind === "returned") return ENDED;
      const isFault = finish.kind === "farm-fault";
      return { ...ENDED, out: await noteEnd(within, workerId, isFault, this.#now()) };
    });
    if (ended.isFirst) this.#events.onFinished?.(finish);
    if (ended.out !== null) this.#events.onHostOut?.(ended.out);
    if (finish.kind !== "done") this.hint();
    return ended.said;
  }

  /** Takes back what workers lost: their leases have ended. */
  reap(): Promise<Reaped> {
    return this.#takeBack(
      (rows) => rows.expired(this.#now(), REAPED_AT_ONCE),
      "its worker was lost",
    );
  }

  /** Takes back at once what a worker's earlier process held: it runs no more. */
  releaseWorker(workerId: number): Promise<Reaped> {
    return this.#takeBack((rows) => rows.leasesOf(workerId), "its worker was started anew");
  }

  /**
   * Ends a job that waits or runs: whoever runs it hears of it at its next heartbeat.
   * @returns false where there is none, or it is over.
   */
  cancel(key: string, note: string): Promise<boolean> {
    return this.#changeOne(key, (job) =>
      job.state <= STATE.leased ? { state: STATE.cancelled, note } : null,
    );
  }

  /** Queues a dead or cancelled job again, as if it were new. @returns false where there is none, or it is neither. */
  async retry(key: string): Promise<boolean> {
    const nowMs = this.#now();
    const done = await this.#changeOne(key, (job) =>
      job.state === STATE.dead || job.state === STATE.cancelled
        ? {
            state: STATE.queued,
            tries: 0,
            farm_faults: 0,
            ready_ms: nowMs,
            attempt: null,
            lease_ms: null,
            worker_id: null,
            note: null,
          }
        : null,
    );
    this.hint();
    return done;
  }

  async #end(rows: JobRows, job: JobRow, finish: Finish) {
    switch (finish.kind) {
      case "done":
        await rows.move(job.id, { state: STATE.done, lease_ms: null });
        await rows.noteVerdict(job.target_id, this.#now());
        return;
      case "impossible":
        await rows.move(job.id, { state: STATE.dead, lease_ms: null, note: finish.reason });
        return;
      case "returned":
        await this.#requeue(rows, job, { tries: job.tries - 1, waitMs: 0, note: null });
        return;
      case "farm-fault": {
        const faults = job.farm_faults + 1;
        const counted = { farm_faults: faults, tries: job.tries - 1, note: finish.reason };
        if (faults >= this.policy.mostFarmFaults)
          await rows.move(job.id, { ...counted, state: STATE.dead, lease_ms: null });
        else {
          const waitMs = backoffOf(this.policy, faults, this.#random());
          await this.#requeue(rows, job, { ...counted, waitMs });
        }
      }
    }
  }

  async #takeBack(
    find: (rows: JobRows) => ReturnType<JobRows["expired"]>,
    note: string,
  ): Promise<Reaped> {
    const reaped = await this.#database.write(async (within) => {
      const rows = new JobRows(within, this.#database.kind);
      const [requeued, dead]: [string[], string[]] = [[], []];
      for (const job of await find(rows)) {
        if (job.tries >= this.policy.mostTries) {
          await rows.move(job.id, { state: STATE.dead, lease_ms: null, note });
          dead.push(job.key);
          continue;
        }
        const waitMs = backoffOf(this.policy, job.tries, this.#random());
        await this.#requeue(rows, job, { tries: job.tries, waitMs, note });
        requeued.push(job.key);
      }
      return { requeued, dead };
    });
    if (reaped.requeued.length > 0) this.hint();
    return reaped;
  }

  /** Back into the queue, unless the same was asked for again meanwhile: that one stands for both. */
  async #requeue(
    rows: JobRows,
    job: JobRow,
    { waitMs, ...change }: JobChange & { readonly waitMs: number },
  ): Promise<void> {
    const twin = await rows.twinOf(job);
    const nowMs = this.#now();
    await rows.move(
      job.id,
      twin === undefined
        ? {
            ...change,
            state: waitMs > 0 ? STATE.waiting : STATE.queued,
            ready_ms: nowMs + waitMs,
            attempt: null,
            lease_ms: null,
            worker_id: null,
          }
        : { ...change, state: STATE.superseded, lease_ms: null, note: `by ${twin}` },
    );
  }

  #changeOne(key: string, change: (job: JobRow) => JobChange | null): Promise<boolean> {
    return this.#database.write(async (within) => {
      const rows = new JobRows(within, this.#database.kind);
      const job = await rows.byKey(key);
      const wanted = job === undefined ? null : change(job);
      if (job === undefined || wanted === null) return false;
      if (wanted.state === STATE.queued && (await rows.twinOf(job)) !== undefined) return false;
      await rows.move(job.id, wanted);
      return true;
    });
  }
}

/**
 * A lease is good for results of its own attempt, and of others that confirm it, and of nothing else.
 * @throws CreameryError `farm-refused`.
 */
async function assertOwn(
  within: Within,
  { id, attempt }: JobRow,
  recordings: readonly AttemptRecording[],
): Promise<void> {
  const [job] = await viewsOf(within, (select) => select.where("queue_job.id", "=", id));
  const foreign = recordings.find(
    (one, index) =>
      (index === 0 ? one.attempt.id : one.of) !== attempt ||
      one.attempt.project !== job?.project ||
      one.attempt.configuration !== job.configuration,
  );
  if (foreign === undefined) return;
  throw new CreameryError("farm-refused", "a result is not of the job that was leased", {
    input: foreign.attempt.id,
    nextStep: "this is a fault of the worker: please report it",
  });
}

/** Why it was tested is the farm's to say, not a worker's. */
function withReason(recording: AttemptRecording, { why }: JobRow): AttemptRecording {
  const { why: _, ...attempt } = recording.attempt;
  return { ...recording, attempt: why === null ? attempt : { ...attempt, why } };
}

/** A worker whose answer was lost says it again: what it says is kept already. */
async function isKept(within: Within, attempt: string, finish: Finish): Promise<boolean> {
  return (
    (finish.kind === "done" || finish.kind === "farm-fault") && (await hasResult(within, attempt))
  );
}
