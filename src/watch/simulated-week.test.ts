import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { openDatabase } from "../store/open-database.ts";
import { openAdmissionFarm, released } from "./admission-contract.ts";

const HOUR_MS = 3_600_000;
const HOURS = 7 * 24;

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "creamery-week-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("a week of more releases than one host can do: nobody who was named waits, and all of it adds up", async () => {
  await using database = await openDatabase(join(directory, "store.sqlite"));
  const farm = await openAdmissionFarm(database, {
    dependedOnLeast: 1,
    newNamesPerHour: 5,
    delayedMs: 24 * HOUR_MS,
    mostDelayed: 40,
    // A host that does ten jobs an hour where fifteen releases come: the bounds of a small farm.
    bounds: {
      "depended-on": { fullMs: HOUR_MS / 2, smokeMs: HOUR_MS },
      tail: { fullMs: HOUR_MS / 20, smokeMs: HOUR_MS / 6 },
      flood: { fullMs: 0, smokeMs: 0 },
    },
  });
  const worker = await farm.worker();
  await farm.needs("app", "needed");
  await farm.watch("*", "mine");
  const waited = new Map<string, number>();
  let serial = 0;
  let seen = 0;
  for (let hour = 0; hour < HOURS; hour++) {
    const events = Array.from({ length: 4 }, (_, index) => released(`tail-${index}`, `1.${hour}`));
    if (hour % 6 === 0) events.push(released("mine", `1.${hour}`), released("needed", `1.${hour}`));
    // Two hours of spam on the third day.
    const spam = hour === 48 || hour === 49 ? 60 : 1;
    for (let index = 0; index < spam; index++) events.push(released(`new-${++serial}`));
    seen += events.length;
    await farm.see(...events);
    for (const job of await farm.queue.claim({ workerId: worker, most: 10 })) {
      if (job.project === "mine") waited.set(job.version, hour);
      await farm.finish(worker, job);
    }
    farm.clock.nowMs += HOUR_MS;
    await farm.queue.reap();
    await database.write((within) =>
      within.updateTable("worker").set({ seen_ms: farm.clock.nowMs }).execute(),
    );
    await farm.admission.settle(database);
    if (hour % 12 !== 0) continue;
    const { states, seen: counted } = await farm.coverage();
    expect(Object.values(states).reduce((sum, count) => sum + count, 0)).toBe(counted);
    expect(counted).toBe(seen);
  }
  // Each in the hour in which it was seen.
  for (let hour = 0; hour < HOURS; hour += 6) expect(waited.get(`1.${hour}`)).toBe(hour);
  const found = await farm.coverage();
  const of = (name: string) => found.classes.find((one) => one.class === name);
  expect(of("named")).toMatchObject({ seen: 28, states: { full: 28 } });
  expect(of("depended-on")?.states["not-admitted"]).toBe(0);
  expect(of("flood")?.seen).toBeGreaterThan(100);
  expect(of("flood")?.states.full).toBe(0);
  expect(of("flood")?.states["not-admitted"]).toBeGreaterThan(60);
  // Each row says what was decided, and why.
  const rows = await database.read((db) => db.selectFrom("seen_release").selectAll().execute());
  expect(rows).toHaveLength(seen);
  expect(rows.every(({ reason }) => reason.length > 10)).toBe(true);
  const left = rows.filter(({ decision }) => decision === "not-admitted");
  expect(left).toHaveLength(found.states["not-admitted"]);
});
