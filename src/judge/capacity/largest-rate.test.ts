import { expect, test } from "vitest";

import { largestRate } from "./largest-rate.ts";

// Each attempt takes two minutes.
const service = {
  mu: Math.log(120),
  sigmaOfProjects: 0,
  sigmaWithin: 0,
  skippedShare: 0,
  skippedSeconds: 0,
  longestSeconds: 1800,
};
const rateOf = (slots: number, configurations: number) =>
  largestRate({
    configurations,
    priorityConfigurations: 1,
    slots,
    service,
    seed: 3,
    byDivision: slots / configurations / 2,
    hours: 2,
    signal: new AbortController().signal,
  });

test("about what division gives, and as much more as there are more slots", async () => {
  const [few, many, spread] = [await rateOf(4, 1), await rateOf(12, 1), await rateOf(12, 3)];
  // Pushes and people want their share too.
  expect(few / 2).toBeGreaterThan(0.6);
  expect(few / 2).toBeLessThan(1.15);
  expect(many / few).toBeGreaterThan(2);
  expect(many / few).toBeLessThan(4);
  expect(spread / many).toBeGreaterThan(0.25);
  expect(spread / many).toBeLessThan(0.5);
});
