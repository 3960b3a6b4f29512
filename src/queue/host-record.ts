import type { Kysely } from "kysely";

import type { Within } from "../store/database.ts";
import type { Tables } from "../store/schema.ts";
import { judgeHost, type HostRecord } from "./judge-host.ts";

/** So many ends of leases are remembered of each host, and for so long. */
const REMEMBERED = 50;
const REMEMBERED_MS = 24 * 3_600_000;
const KEY = "finishes ";

interface End {
  readonly atMs: number;
  readonly isFault: boolean;
}

/** A host that was taken out of service, and why. */
export interface HostOut {
  readonly host: string;
  readonly reason: string;
}

/**
 * Notes how a lease of a host ended, within the transaction that ends it. A host that fails far more often than the fleet is out
 * of service from then on, until an operator resumes it: what it runs goes on, it is given nothing more.
 */
export async function noteEnd(
  within: Within,
  workerId: number,
  isFault: boolean,
  nowMs: number,
): Promise<HostOut | null> {
  const name = `${KEY}${workerId}`;
  const row = await within
    .selectFrom("farm_setting")
    .select("value")
    .where("name", "=", name)
    .executeTakeFirst();
  const ends = [...endsIn(row?.value ?? "", nowMs), { atMs: nowMs, isFault }].slice(-REMEMBERED);
  const value = textOf(ends);
  await within
    .insertInto("farm_setting")
    .values({ name, value })
    .onConflict((on) => on.column("name").doUpdateSet({ value }))
    .execute();
  return isFault ? await judge(within, workerId, nowMs) : null;
}

/** What was is no reason any more: an operator has looked at the host. */
export async function forgetEnds(within: Within, workerId: number): Promise<void> {
  await within.deleteFrom("farm_setting").where("name", "=", `${KEY}${workerId}`).execute();
}

async function judge(within: Within, workerId: number, nowMs: number): Promise<HostOut | null> {
  const hosts = await within.selectFrom("worker").select(["id", "name", "state"]).execute();
  const own = hosts.find(({ id }) => id === workerId);
  // What an operator drains stays what the operator said.
  if (own?.state !== "active") return null;
  const records = await hostRecords(within, hosts, nowMs);
  const recordOf = ({ id, name: host }: (typeof hosts)[number]) =>
    records.get(id) ?? { host, finishes: 0, faults: 0 };
  // Who is out of service already says nothing of how the others are.
  const others = hosts.filter(({ id, state }) => id !== workerId && state !== "out-of-service");
  const reason = judgeHost(recordOf(own), others.map(recordOf));
  if (reason === null) return null;
  await within
    .updateTable("worker")
    .set({ state: "out-of-service", reason })
    .where("id", "=", workerId)
    .execute();
  return { host: own.name, reason };
}

function countOf(host: string, ends: readonly End[]): HostRecord {
  return { host, finishes: ends.length, faults: ends.filter(({ isFault }) => isFault).length };
}

/** How the leases of each host ended in the last day, by its number in the store: at most the last so many of each. */
export async function hostRecords(
  db: Kysely<Tables>,
  hosts: readonly { readonly id: number; readonly name: string }[],
  nowMs: number,
): Promise<ReadonlyMap<number, HostRecord>> {
  const rows = await db
    .selectFrom("farm_setting")
    .selectAll()
    .where("name", "like", `${KEY}%`)
    .execute();
  const texts = new Map(rows.map(({ name, value }) => [name, value]));
  return new Map(
    hosts.map(({ id, name }) => [id, countOf(name, endsIn(texts.get(`${KEY}${id}`) ?? "", nowMs))]),
  );
}

/** `o` or `f` and the instant, s since 1970 in base 36, for each. */
function textOf(ends: readonly End[]): string {
  return ends
    .map(({ atMs, isFault }) => `${isFault ? "f" : "o"}${Math.floor(atMs / 1000).toString(36)}`)
    .join(" ");
}

function endsIn(text: string, nowMs: number): readonly End[] {
  return text
    .split(" ")
    .filter((word) => word !== "")
    .map((word) => ({ isFault: word.startsWith("f"), atMs: parseInt(word.slice(1), 36) * 1000 }))
    .filter(({ atMs }) => nowMs - atMs < REMEMBERED_MS);
}
