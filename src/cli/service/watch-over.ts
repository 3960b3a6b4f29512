import { setTimeout as sleep } from "node:timers/promises";

import { reasonOf } from "../../base/errors.ts";
import type { Database } from "../../store/database.ts";
import { STATE } from "../../store/sql/job-rows.ts";
import { alarmsOf, type Alarm, type AlarmInput } from "./alarms.ts";
import type { FarmFacts, FarmFactsReader } from "./farm-facts.ts";

export interface StandingAlarm extends Alarm {
  /** Ms since 1970. */
  readonly sinceMs: number;
}

export interface WatchOverDeps {
  readonly facts: Pick<FarmFactsReader, "read">;
  readonly database: Pick<Database, "read">;
  readonly leaseMs: number;
  readonly ownHost: string | null;
  readonly watermarkBytes: number;
  readonly onAlarm: (alarm: Alarm) => void;
  readonly onOver: (alarm: Alarm) => void;
  readonly now?: () => number;
}

const EVERY_MS = 30_000;
const DAY_MS = 24 * 3_600_000;

/** Looks at the farm now and then, and keeps what is wrong with it, each with the instant since when. */
export class WatchOver {
  readonly #deps: WatchOverDeps;
  readonly #now: () => number;
  readonly #startedMs: number;
  readonly #standing = new Map<string, StandingAlarm>();
  #houseKeptMs: number;

  constructor(deps: WatchOverDeps) {
    this.#deps = deps;
    this.#now = deps.now ?? Date.now;
    this.#startedMs = this.#now();
    this.#houseKeptMs = this.#startedMs;
  }

  get startedMs(): number {
    return this.#startedMs;
  }

  get alarms(): readonly StandingAlarm[] {
    return [...this.#standing.values()];
  }

  /** Ended leases were looked through. */
  houseKept(): void {
    this.#houseKeptMs = this.#now();
  }

  /** Why the farm does not do its work now; null while it does. */
  async trouble(): Promise<string | null> {
    await this.look();
    return this.alarms.find(({ stopsFarm }) => stopsFarm)?.text ?? null;
  }

  /** @returns how the farm is; null where the store does not answer. */
  async look(): Promise<FarmFacts | null> {
    const nowMs = this.#now();
    const { leaseMs, ownHost, watermarkBytes } = this.#deps;
    let facts: FarmFacts | null = null;
    let storeFault: string | null = null;
    let deadLately = 0;
    try {
      facts = await this.#deps.facts.read();
      deadLately = facts.lanes.some(({ state }) => state === "dead")
        ? await this.#deadSince(nowMs - DAY_MS)
        : 0;
    } catch (thrown) {
      storeFault = reasonOf(thrown);
    }
    this.#note(
      {
        facts,
        storeFault,
        nowMs,
        startedMs: this.#startedMs,
        houseKeptMs: this.#houseKeptMs,
        leaseMs,
        ownHost,
        watermarkBytes,
        deadLately,
      },
      nowMs,
    );
    return facts;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look();
      await sleep(EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #note(input: AlarmInput, nowMs: number): void {
    const now = new Map(alarmsOf(input).map((alarm) => [`${alarm.kind} ${alarm.subject}`, alarm]));
    for (const [key, alarm] of this.#standing)
      if (!now.has(key)) {
        this.#standing.delete(key);
        this.#deps.onOver(alarm);
      }
    for (const [key, alarm] of now) {
      const before = this.#standing.get(key);
      this.#standing.set(key, { ...alarm, sinceMs: before?.sinceMs ?? nowMs });
      if (before === undefined) this.#deps.onAlarm(alarm);
    }
  }

  /** Jobs that were asked for since then, and are dead. */
  async #deadSince(sinceMs: number): Promise<number> {
    const { count } = await this.#deps.database.read((db) =>
      db
        .selectFrom("queue_job")
        .select(({ fn }) => fn.countAll<number>().as("count"))
        .where("state", "=", STATE.dead)
        .where("enqueued_ms", ">=", sinceMs)
        .executeTakeFirstOrThrow(),
    );
    return count;
  }
}
