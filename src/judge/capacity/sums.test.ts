import { expect, test } from "vitest";

import { sampleMeasured } from "./measured.sample.ts";
import {
  costOf,
  fleetFor,
  noteSum,
  NOTE_RELEASES_PER_DAY,
  notePricePerHour,
  releasesKeptUpWith,
} from "./sums.ts";

test("a core with one slot comes to as many attempts as fit into its hour", () => {
  const cost = costOf(
    [
      sampleMeasured({ slotSeconds: 5, cpuSeconds: 4 }),
      sampleMeasured({ slotSeconds: 15, cpuSeconds: 8 }),
    ],
    1,
  );
  expect(cost).toMatchObject({ attemptsPerCoreHour: 360, boundBy: "slots", coresBusy: 0.6 });
  expect(cost.slotSeconds).toMatchObject({ mean: 10, median: 5, p90: 15, max: 15 });
});

test("more slots help until the processors are busy", () => {
  const attempts = [sampleMeasured({ slotSeconds: 10, cpuSeconds: 6 })];
  expect(costOf(attempts, 2)).toMatchObject({ attemptsPerCoreHour: 600, boundBy: "processors" });
  const lighter = [sampleMeasured({ slotSeconds: 10, cpuSeconds: 4 })];
  expect(costOf(lighter, 2)).toMatchObject({ attemptsPerCoreHour: 720, boundBy: "slots" });
});

test("attempts whose processor time was not counted say nothing of processors", () => {
  const attempts = [
    sampleMeasured({ slotSeconds: 10, cpuSeconds: 5 }),
    sampleMeasured({ slotSeconds: 30, cpuSeconds: null }),
  ];
  expect(costOf(attempts, 1)).toMatchObject({
    coresBusy: 0.5,
    attemptsPerCoreHour: 180,
    cpuSeconds: { count: 1, mean: 5 },
  });
});

test("hosts are whole, with a fifth to spare", () => {
  // 9 x 1440 x 9 = 116640 attempts a day, 4860 an hour; at 360 a core-hour 13.5 cores; / 0.8 / 8 = 2.1.
  const fleet = fleetFor(360, {
    releasesPerMinute: 9,
    configurations: 9,
    coresPerHost: 8,
    dollarsPerHour: 0.5,
  });
  expect(fleet).toMatchObject({ attemptsPerDay: 116_640, coresBusy: 13.5, hosts: 3 });
  expect(fleet.dollarsPerMonth).toBeCloseTo(3 * 0.5 * 730.5);
  expect(fleet.dollarsPerAttempt).toBeCloseTo(0.5 / (8 * 360));
  const little = { releasesPerMinute: 0.01, configurations: 1, coresPerHost: 8, dollarsPerHour: 1 };
  expect(fleetFor(360, little).hosts).toBe(1);
});

test("what cores keep up with is what they come to, over configurations and minutes", () => {
  // 8 x 360 attempts an hour, 48 a minute, in 4 configurations 12 releases.
  expect(releasesKeptUpWith(360, 8, 4)).toBe(12);
});

test("the note's sum agrees with itself", () => {
  expect(NOTE_RELEASES_PER_DAY).toBe(1350);
  const theirs = noteSum();
  expect(theirs.hoursForADay).toBe(3.25);
  expect(theirs.timesADay).toBe(7);
  // 8 cores x 3.25 h x 3600 s over 1350.
  expect(theirs.coreSecondsPerAttempt).toBeCloseTo(69.33, 2);
  // 275 / (1350 / 3.25 x 730.5).
  expect(theirs.dollarsPerAttempt).toBeCloseTo(0.000906, 6);
});

test("the note's sum with a rate of ours", () => {
  // 1350 / (8 x 360) h.
  const ours = noteSum(360);
  expect(ours.hoursForADay).toBeCloseTo(0.46875);
  expect(ours.timesADay).toBe(51);
  expect(ours.coreSecondsPerAttempt).toBe(10);
});

test("a host of half as many cores costs half of the note's price", () => {
  expect(notePricePerHour(8) * 730.5).toBeCloseTo(275);
  expect(notePricePerHour(4)).toBeCloseTo(notePricePerHour(8) / 2);
});
