import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";

import { CreameryError } from "../base/errors.ts";
import { newAttemptId } from "../store/attempt-id.ts";
import type { Database } from "../store/database.ts";
import { openDatabase } from "../store/open-database.ts";
import { HostFacts, Hosts } from "./hosts.ts";
import { keepHouse } from "./housekeeper.ts";
import { Queue, type Reaped } from "./queue.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "creamery-house-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A queue with one job leased by somebody who says nothing more; its clock is the test's. */
async function abandoned() {
  const clock = { nowMs: 1_000_000 };
  const now = () => clock.nowMs;
  const database = await openDatabase(join(directory, "store.sqlite"));
  const queue = new Queue(database, { newId: () => newAttemptId(), now });
  const hosts = new Hosts(database, now);
  const arrival = { name: "one", boot: "1", slots: 1, facts: HostFacts.parse({}) };
  const { host } = await hosts.arrive(arrival);
  await queue.enqueue([
    {
      id: "r1",
      project: "six",
      visibility: "public",
      word: "six==1.0",
      version: "1.0",
      line: "",
      reason: "release",
      configurations: [{ name: "cpython-3.13", lane: "priority" }],
    },
  ]);
  await queue.claim({ workerId: host.id, most: 1 });
  return { clock, now, database, queue };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(5);
}

test("leases that end are taken back, but not before those who are alive had the time to say so", async () => {
  const { clock, now, database, queue } = await abandoned();
  await using _database = database;
  clock.nowMs += 61_000;
  const stop = new AbortController();
  const reaped: Reaped[] = [];
  const keeping = keepHouse(
    { queue, database, now, everyMs: 10, onReaped: (some) => reaped.push(some) },
    stop.signal,
  );
  await sleep(100);
  expect(reaped).toEqual([]);
  clock.nowMs += 45_000;
  await until(() => reaped.length > 0);
  expect(reaped).toEqual([{ requeued: ["r1-0"], dead: [] }]);
  stop.abort();
  await keeping;
});

test("a store that was away is told of once, and when it is back the grace begins anew", async () => {
  const { clock, now, database, queue } = await abandoned();
  await using inner = database;
  let isAway = false;
  const away: Database = {
    kind: inner.kind,
    label: inner.label,
    read: (work) =>
      isAway ? Promise.reject(new CreameryError("store", "is away")) : inner.read(work),
    write: (work) =>
      isAway ? Promise.reject(new CreameryError("store", "is away")) : inner.write(work),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const reaping = new Queue(away, { newId: () => newAttemptId(), now });
  const stop = new AbortController();
  const [reaped, troubles]: [Reaped[], unknown[]] = [[], []];
  const keeping = keepHouse(
    {
      queue: reaping,
      database: away,
      now,
      everyMs: 10,
      onReaped: (some) => reaped.push(some),
      onTrouble: (fault) => troubles.push(fault),
    },
    stop.signal,
  );
  clock.nowMs += 46_000;
  isAway = true;
  await until(() => troubles.length > 0);
  clock.nowMs += 30_000;
  isAway = false;
  await until(() => troubles.length > 1);
  expect(troubles[1]).toBeNull();
  await sleep(100);
  // Its lease ended while the store was away; it was alive, and says so now.
  expect(reaped).toEqual([]);
  clock.nowMs += 46_000;
  await until(() => reaped.length > 0);
  stop.abort();
  await keeping;
  expect(queue.policy.leaseMs).toBe(60_000);
});

test("what is to be done now and then is done once an hour, and its fault ends nothing", async () => {
  const { clock, now, database, queue } = await abandoned();
  await using _database = database;
  const stop = new AbortController();
  const [done, troubles]: [number[], unknown[]] = [[], []];
  const keeping = keepHouse(
    {
      queue,
      database,
      now,
      everyMs: 10,
      hourly: [
        async (atMs) => {
          done.push(atMs);
          throw new Error("no room");
        },
      ],
      onTrouble: (fault) => troubles.push(fault),
    },
    stop.signal,
  );
  await sleep(50);
  expect(done).toEqual([]);
  for (const hour of [1, 2]) {
    clock.nowMs += 3_600_000;
    await until(() => done.length === hour);
  }
  await until(() => troubles.length >= 2);
  stop.abort();
  await keeping;
});
