import { setTimeout as sleep } from "node:timers/promises";

import type { Database } from "../store/database.ts";
import { probe } from "../store/probe.ts";
import type { Queue, Reaped } from "./queue.ts";

export interface HousekeeperOptions {
  readonly queue: Queue;
  readonly database: Database;
  readonly now?: () => number;
  /** Between looks. */
  readonly everyMs?: number;
  /** Leases were looked through, in vain or not. */
  readonly onRound?: () => void;
  /** Leases were taken back, or jobs are dead. */
  readonly onReaped?: (reaped: Reaped) => void;
  /** The store does not answer: told when it begins, and with null when it answers again. */
  readonly onTrouble?: (fault: unknown) => void;
  /** What else is to be done now and then, with the instant now, ms. */
  readonly hourly?: readonly ((nowMs: number) => Promise<unknown>)[];
}

const EVERY_MS = 5000;
const HOUR_MS = 3_600_000;
/** What watchers saw is kept for so long. */
const EVENTS_MS = 30 * 24 * HOUR_MS;

/**
 * Takes back leases that ended. Not at once when this process begins or the store was away: workers that were alive all the
 * time get the time to say so.
 */
export async function keepHouse(options: HousekeeperOptions, signal: AbortSignal): Promise<void> {
  const { queue, database } = options;
  const now = options.now ?? Date.now;
  const graceMs = (queue.policy.leaseMs * 3) / 4;
  let graceUntilMs = now() + graceMs;
  let lastHourMs = now();
  let troubled = false;
  while (!signal.aborted) {
    try {
      if (troubled) {
        await probe(database);
        troubled = false;
        graceUntilMs = now() + graceMs;
        options.onTrouble?.(null);
      } else if (now() < graceUntilMs) await probe(database);
      else {
        const reaped = await queue.reap();
        if (reaped.requeued.length > 0 || reaped.dead.length > 0) options.onReaped?.(reaped);
      }
      options.onRound?.();
      if (now() - lastHourMs >= HOUR_MS) {
        lastHourMs = now();
        await forgetEvents(database, now() - EVENTS_MS);
        for (const work of options.hourly ?? []) await work(now());
      }
    } catch (thrown) {
      if (!troubled) options.onTrouble?.(thrown);
      troubled = true;
    }
    await sleep(options.everyMs ?? EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function forgetEvents(database: Database, beforeMs: number): Promise<void> {
  await database.write((within) =>
    within.deleteFrom("watch_event").where("seen_ms", "<", beforeMs).execute(),
  );
}
