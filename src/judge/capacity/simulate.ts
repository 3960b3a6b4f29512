import { sql } from "kysely";

import { Hosts, HostFacts } from "../../queue/hosts.ts";
import {
  JOB_STATES,
  LANES,
  type EnqueueRequest,
  type JobState,
  type Lane,
  type LeasedJob,
} from "../../queue/job.ts";
import { Queue } from "../../queue/queue.ts";
import type { QueuePolicy } from "../../queue/queue-policy.ts";
import type { Database } from "../../store/database.ts";
import { arrivalsOf, Requests, someProject, type Arrival, type Load } from "./arrivals.ts";
import { distributionOf, type Distribution } from "./distribution.ts";
import { EarliestFirst, type Timed } from "./earliest-first.ts";
import { openMemoryDatabase } from "./memory-database.ts";
import { seeded } from "./seeded.ts";
import { ServiceTimes, type ServiceModel } from "./service-times.ts";

const HOUR_MS = 3_600_000;
/** Whenever: nothing depends on the date. */
const BEGAN_MS = 1_800_000_000_000;
const RETESTS_AT_ONCE = 4;
/** A farm keeps up that at the end has no more waiting than this takes all of its slots. */
const KEPT_UP_SECONDS = 900;

export interface SimulationOptions {
  readonly load: Load;
  readonly slots: number;
  readonly service: ServiceModel;
  readonly seed: number;
  readonly policy?: Partial<QueuePolicy>;
  readonly signal: AbortSignal;
  /** Is told of each job that was given out. */
  readonly onClaim?: (claim: Claim) => void;
}

export interface Claim {
  readonly key: string;
  readonly project: string;
  readonly lane: Lane;
  /** When it could have been begun: a push when its branch had cooled down. */
  readonly dueMs: number;
  readonly atMs: number;
  readonly seconds: number;
}

export interface LaneOutcome {
  /** Given out. */
  readonly claimed: number;
  /** Of those: from when they were due until they were given out, seconds. */
  readonly waitSeconds: Distribution;
  /** Due and not given out at the end. */
  readonly left: number;
  /** The longest of those, seconds. */
  readonly leftOldestSeconds: number;
  /** Share of all slots' time that went into this lane. */
  readonly busyShare: number;
}

export interface Simulation {
  /** Jobs that were put into the queue. */
  readonly arrived: number;
  /** Jobs of requests that waited already. */
  readonly coalesced: number;
  /** Where each of them is at the end, as the store has it. */
  readonly states: Readonly<Record<JobState, number>>;
  readonly lanes: Readonly<Record<Lane, LaneOutcome>>;
  /** Of all slots' time, all lanes together. */
  readonly busyShare: number;
  /** Mean of all attempts that were begun, seconds. */
  readonly meanSeconds: number;
  /** Whether what is due at the end, all but retests, is little. */
  readonly keepsUp: boolean;
}

interface Running extends Timed {
  readonly attempt: string;
}

/**
 * The farm's own queue on a clock of ours: what is simulated is who asks and how long attempts take. Enqueuing, claiming,
 * coalescing, superseding, cool-downs, fairness and the ageing of lanes are the code that runs in production.
 * No host is lost and no attempt is the farm's fault; leases are not renewed, since nobody takes them back here.
 */
export async function simulate(options: SimulationOptions): Promise<Simulation> {
  await using database = await openMemoryDatabase();
  return await new Day(database, options).run();
}

class Day {
  readonly #options: SimulationOptions;
  readonly #database: Database;
  readonly #queue: Queue;
  readonly #hosts: Hosts;
  readonly #service: ServiceTimes;
  readonly #random: () => number;
  readonly #requests: Requests;
  readonly #running = new EarliestFirst<Running>();
  readonly #wakes = new EarliestFirst<Timed>();
  /** When jobs that were not given out yet could be begun. */
  readonly #due = new Map<string, { readonly lane: Lane; readonly ms: number }>();
  readonly #waits = byLane((): number[] => []);
  readonly #busyMs = byLane(() => ({ sum: 0 }));
  readonly #endMs: number;
  #workerId = 0;
  #nowMs = BEGAN_MS;
  #free: number;
  #ids = 0;
  #arrived = 0;
  #coalesced = 0;
  #begunSeconds = 0;

  constructor(database: Database, options: SimulationOptions) {
    this.#options = options;
    this.#database = database;
    this.#random = seeded(options.seed);
    this.#queue = new Queue(database, {
      ...(options.policy === undefined ? {} : { policy: options.policy }),
      now: () => this.#nowMs,
      random: this.#random,
      newId: () => `a${this.#ids++}`,
    });
    this.#hosts = new Hosts(database, () => this.#nowMs);
    this.#service = new ServiceTimes(options.service, options.seed);
    this.#requests = new Requests(options.load);
    this.#free = options.slots;
    this.#endMs = BEGAN_MS + options.load.hours * HOUR_MS;
  }

  async run(): Promise<Simulation> {
    const { load, slots, signal } = this.#options;
    const facts = HostFacts.parse({});
    const arrival = { name: "simulated", boot: "1", slots, facts };
    this.#workerId = (await this.#hosts.arrive(arrival)).host.id;
    const arrivals = arrivalsOf(load, this.#requests, BEGAN_MS, this.#random);
    let place = 0;
    // Where nothing is due, asking again before something has changed would find nothing.
    let nothingDue = await this.#fill();
    for (;;) {
      signal.throwIfAborted();
      const comesMs = arrivals[place]?.atMs ?? Infinity;
      const nextMs = Math.min(comesMs, this.#running.nextMs, this.#wakes.nextMs);
      if (nextMs >= this.#endMs) break;
      this.#nowMs = nextMs;
      await this.#finishDue();
      while (this.#wakes.takeDue(this.#nowMs) !== undefined) nothingDue = false;
      const first = place;
      while ((arrivals[place]?.atMs ?? Infinity) <= this.#nowMs) place++;
      if (place > first) {
        await this.#enqueue(requestsOf(arrivals.slice(first, place)));
        nothingDue = false;
      }
      if (this.#free > 0 && !nothingDue) nothingDue = await this.#fill();
    }
    this.#nowMs = this.#endMs;
    return this.#outcome();
  }

  async #finishDue(): Promise<void> {
    for (;;) {
      const ended = this.#running.takeDue(this.#nowMs);
      if (ended === undefined) return;
      const done = { kind: "done", recordings: [] } as const;
      const kept = await this.#queue.finish(this.#workerId, ended.attempt, done);
      if (kept !== "kept") throw new TypeError(`${ended.attempt} was lost in the simulation`);
      this.#free++;
    }
  }

  async #enqueue(requests: readonly EnqueueRequest[]): Promise<void> {
    const lanes = new Map<string, Lane>(
      requests.flatMap(({ id, configurations }) =>
        configurations.map(({ lane }, index) => [`${id}-${index}`, lane] as const),
      ),
    );
    for (const { jobs, superseded } of await this.#queue.enqueue(requests)) {
      for (const key of superseded) this.#due.delete(key);
      for (const { key, kind, readyMs } of jobs) {
        if (kind !== "added") {
          this.#coalesced++;
          continue;
        }
        this.#arrived++;
        this.#due.set(key, { lane: lanes.get(key) ?? "background", ms: readyMs });
        if (readyMs > this.#nowMs) this.#wakes.add({ atMs: readyMs });
      }
    }
  }

  /** Gives the free slots what is due; retests where nothing is. @returns whether nothing more is due. */
  async #fill(): Promise<boolean> {
    await this.#claim();
    const { load, slots } = this.#options;
    if (this.#free === 0) return false;
    if (!load.retests) return true;
    const wanted = Array.from({ length: slots * RETESTS_AT_ONCE }, () =>
      this.#requests.retest(
        someProject(this.#random),
        Math.floor(this.#random() * load.configurations),
      ),
    );
    await this.#enqueue(wanted);
    await this.#claim();
    return false;
  }

  async #claim(): Promise<void> {
    const given = await this.#queue.claim({ workerId: this.#workerId, most: this.#free });
    for (const job of given) this.#begin(job);
  }

  #begin({ key, attempt, project }: LeasedJob): void {
    const due = this.#due.get(key);
    if (due === undefined) throw new TypeError(`${key} was given out and had not been due`);
    this.#due.delete(key);
    this.#free--;
    const { lane, ms: dueMs } = due;
    const seconds = this.#service.secondsOf(project, key);
    const atMs = this.#nowMs + Math.max(1, Math.round(seconds * 1000));
    this.#running.add({ atMs, attempt });
    this.#waits[lane].push((this.#nowMs - dueMs) / 1000);
    this.#busyMs[lane].sum += Math.min(atMs, this.#endMs) - this.#nowMs;
    this.#begunSeconds += seconds;
    this.#options.onClaim?.({ key, project, lane, dueMs, atMs: this.#nowMs, seconds });
  }

  async #outcome(): Promise<Simulation> {
    const { slots, load } = this.#options;
    const wholeMs = slots * load.hours * HOUR_MS;
    const left = byLane((): number[] => []);
    for (const { lane, ms } of this.#due.values())
      if (ms <= this.#nowMs) left[lane].push((this.#nowMs - ms) / 1000);
    const lanes = byLane((lane) => ({
      claimed: this.#waits[lane].length,
      waitSeconds: distributionOf(this.#waits[lane]),
      left: left[lane].length,
      leftOldestSeconds: left[lane].reduce((most, one) => Math.max(most, one), 0),
      busyShare: this.#busyMs[lane].sum / wholeMs,
    }));
    const begun = LANES.reduce((sum, lane) => sum + lanes[lane].claimed, 0);
    const meanSeconds = begun === 0 ? 0 : this.#begunSeconds / begun;
    const owed = lanes.manual.left + lanes.priority.left + lanes.rest.left;
    return {
      arrived: this.#arrived,
      coalesced: this.#coalesced,
      states: await statesOf(this.#database),
      lanes,
      busyShare: LANES.reduce((sum, lane) => sum + lanes[lane].busyShare, 0),
      meanSeconds,
      keepsUp: (owed * meanSeconds) / slots <= KEPT_UP_SECONDS,
    };
  }
}

function requestsOf(arrivals: readonly Arrival[]): readonly EnqueueRequest[] {
  return arrivals.map(({ request }) => request);
}

function byLane<Value>(make: (lane: Lane) => Value): Record<Lane, Value> {
  return {
    manual: make("manual"),
    priority: make("priority"),
    rest: make("rest"),
    background: make("background"),
  };
}

/** Counted in the store, not by who simulates. */
async function statesOf(database: Database): Promise<Record<JobState, number>> {
  const rows = await database.read((db) =>
    db
      .selectFrom("queue_job")
      .select(["state", sql<number>`count(*)`.as("count")])
      .groupBy("state")
      .execute(),
  );
  const counts = new Map(rows.map(({ state, count }) => [JOB_STATES[state], count]));
  const of = (state: JobState) => counts.get(state) ?? 0;
  return {
    queued: of("queued"),
    waiting: of("waiting"),
    leased: of("leased"),
    done: of("done"),
    dead: of("dead"),
    cancelled: of("cancelled"),
    superseded: of("superseded"),
  };
}
