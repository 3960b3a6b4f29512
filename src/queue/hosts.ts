import { z } from "zod";

import type { Database } from "../store/database.ts";
import { forgetEnds } from "./host-record.ts";

export const HOST_STATES = ["active", "draining", "out-of-service"] as const;
export type HostState = (typeof HOST_STATES)[number];

/** What a host says of itself when it comes, and with each heartbeat. */
export const HostFacts = z.looseObject({
  /** Of Creamery, `0.1.0`. */
  version: z.string().max(100).default(""),
  machine: z.string().max(40).default(""),
  image: z.string().max(120).default(""),
  cores: z.number().int().nonnegative().default(0),
  memoryFreeBytes: z.number().nonnegative().default(0),
  diskFreeBytes: z.number().nonnegative().default(0),
  running: z.number().int().nonnegative().default(0),
});
export type HostFacts = z.infer<typeof HostFacts>;

/** A host that takes jobs: the coordinator's own, or a worker elsewhere. */
export interface Host {
  readonly id: number;
  readonly name: string;
  /** Of its process: another one holds none of this one's leases. */
  readonly boot: string;
  readonly state: HostState;
  /** Why it is draining or out of service. */
  readonly reason: string | null;
  readonly slots: number;
  readonly seenMs: number;
  readonly facts: HostFacts;
}

export interface Arrival {
  readonly name: string;
  readonly boot: string;
  readonly slots: number;
  readonly facts: HostFacts;
}

/** The hosts that take jobs, as the store knows them. */
export class Hosts {
  readonly #database: Database;
  readonly #now: () => number;

  constructor(database: Database, now: () => number = Date.now) {
    this.#database = database;
    this.#now = now;
  }

  /**
   * A worker has started. What an operator decided of it stays: it may be draining.
   * @returns `before`: the host as it was, whose leases nobody renews any more when its boot is another.
   */
  async arrive({
    name,
    boot,
    slots,
    facts,
  }: Arrival): Promise<{ host: Host; before: Host | null }> {
    return this.#database.write(async (within) => {
      const known = await within
        .selectFrom("worker")
        .selectAll()
        .where("name", "=", name)
        .executeTakeFirst();
      const change = { boot, slots, facts: JSON.stringify(facts), seen_ms: this.#now() };
      await within
        .insertInto("worker")
        .values({ name, state: "active", reason: null, ...change })
        .onConflict((on) => on.column("name").doUpdateSet(change))
        .execute();
      const row = await within
        .selectFrom("worker")
        .selectAll()
        .where("name", "=", name)
        .executeTakeFirstOrThrow();
      return { host: hostOf(row), before: known === undefined ? null : hostOf(known) };
    });
  }

  async seen(id: number, facts: HostFacts): Promise<void> {
    await this.#database.write((within) =>
      within
        .updateTable("worker")
        .set({ seen_ms: this.#now(), facts: JSON.stringify(facts) })
        .where("id", "=", id)
        .execute(),
    );
  }

  /** What a host is judged by begins anew when it is resumed. @returns false where there is no such host. */
  async setState(name: string, state: HostState, reason: string | null): Promise<boolean> {
    return await this.#database.write(async (within) => {
      const changed = await within
        .updateTable("worker")
        .set({ state, reason })
        .where("name", "=", name)
        .returning("id")
        .execute();
      if (state === "active") for (const { id } of changed) await forgetEnds(within, id);
      return changed.length > 0;
    });
  }

  async byName(name: string): Promise<Host | null> {
    const rows = await this.#database.read((db) =>
      db.selectFrom("worker").selectAll().where("name", "=", name).execute(),
    );
    return rows.map(hostOf)[0] ?? null;
  }

  async all(): Promise<readonly Host[]> {
    const rows = await this.#database.read((db) =>
      db.selectFrom("worker").selectAll().orderBy("name").execute(),
    );
    return rows.map(hostOf);
  }
}

interface Row {
  readonly id: number;
  readonly name: string;
  readonly boot: string;
  readonly state: string;
  readonly reason: string | null;
  readonly slots: number;
  readonly seen_ms: number;
  readonly facts: string;
}

const AState = z.enum(HOST_STATES);

function hostOf({ seen_ms: seenMs, state, facts, ...row }: Row): Host {
  return {
    ...row,
    seenMs,
    state: AState.parse(state),
    facts: HostFacts.parse(JSON.parse(facts)),
  };
}
