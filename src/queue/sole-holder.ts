import { setTimeout as sleep } from "node:timers/promises";

import { z } from "zod";

import type { Database } from "../store/database.ts";

const Held = z.object({ holder: z.string(), untilMs: z.number() });

export interface SoleHolderOptions {
  readonly database: Database;
  /** What only one coordinator of a store does at a time. */
  readonly what: string;
  /** Of this process. */
  readonly holder: string;
  readonly now?: () => number;
  /** Who says nothing for so long holds it no more, ms. */
  readonly leaseMs?: number;
}

const LEASE_MS = 45_000;
const BEATS = 3;

/**
 * Does something while this process is the one of several coordinators that may, and again whenever it becomes that one. `work` ends
 * soon after its signal. Whoever can't ask the store goes on with what it does: what is kept twice is refused there.
 */
export async function whileSole(
  options: SoleHolderOptions,
  work: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const leaseMs = options.leaseMs ?? LEASE_MS;
  const pause = () => sleep(leaseMs / BEATS, undefined, { signal }).catch(() => undefined);
  while (!signal.aborted) {
    if (!(await tryHold(options, leaseMs).catch(() => false))) {
      await pause();
      continue;
    }
    const stop = new AbortController();
    const working = work(AbortSignal.any([signal, stop.signal]));
    while (!signal.aborted && (await tryHold(options, leaseMs).catch(() => true))) await pause();
    stop.abort();
    await working;
  }
  await letGo(options).catch(() => undefined);
}

/** Takes or renews it. @returns false where another process holds it. */
async function tryHold(
  { database, what, holder, now = Date.now }: SoleHolderOptions,
  leaseMs: number,
): Promise<boolean> {
  const name = `holder of ${what}`;
  return await database.write(async (within) => {
    await within
      .insertInto("farm_setting")
      .values({ name, value: JSON.stringify({ holder, untilMs: 0 }) })
      .onConflict((on) => on.column("name").doNothing())
      .execute();
    const row = await within
      .selectFrom("farm_setting")
      .select("value")
      .where("name", "=", name)
      .executeTakeFirstOrThrow();
    const held = Held.parse(JSON.parse(row.value));
    if (held.holder !== holder && held.untilMs > now()) return false;
    // Of two who see it free, the one whose change comes second changes nothing.
    const taken = await within
      .updateTable("farm_setting")
      .set({ value: JSON.stringify({ holder, untilMs: now() + leaseMs }) })
      .where("name", "=", name)
      .where("value", "=", row.value)
      .returning("name")
      .execute();
    return taken.length > 0;
  });
}

/** Another need not wait for the lease to end. */
async function letGo({ database, what, holder }: SoleHolderOptions): Promise<void> {
  await database.write(async (within) => {
    const name = `holder of ${what}`;
    const row = await within
      .selectFrom("farm_setting")
      .select("value")
      .where("name", "=", name)
      .executeTakeFirst();
    if (row === undefined || Held.parse(JSON.parse(row.value)).holder !== holder) return;
    await within
      .updateTable("farm_setting")
      .set({ value: JSON.stringify({ holder, untilMs: 0 }) })
      .where("name", "=", name)
      .where("value", "=", row.value)
      .execute();
  });
}
