import { expect, test } from "vitest";

import { meanOf } from "./distribution.ts";
import { sampleMeasured } from "./measured.sample.ts";
import { cutMean, fitService, ServiceTimes } from "./service-times.ts";

const walls = [2, 2.5, 3, 3, 3.5, 4, 4, 5, 6, 8, 10, 15, 20, 40, 125];
const attempts = walls.flatMap((slotSeconds, index) => [
  sampleMeasured({ project: `p${index}`, slotSeconds }),
  sampleMeasured({ project: `p${index}`, slotSeconds: slotSeconds * 1.2 }),
]);
const measuredMean = meanOf(attempts.map(({ slotSeconds }) => slotSeconds));

test("what is drawn has the mean that was measured", () => {
  const times = new ServiceTimes(fitService(attempts), 5);
  const drawn = Array.from({ length: 30_000 }, (_, index) =>
    times.secondsOf(`p${index}`, `j${index}`),
  );
  expect(meanOf(drawn) / measuredMean).toBeGreaterThan(0.93);
  expect(meanOf(drawn) / measuredMean).toBeLessThan(1.07);
});

test("few take much of the time", () => {
  const times = new ServiceTimes(fitService(attempts), 5);
  const drawn = Array.from({ length: 10_000 }, (_, index) => times.secondsOf(`p${index}`, "j"));
  const sorted = drawn.toSorted((one, other) => other - one);
  const sum = (values: readonly number[]) => values.reduce((total, one) => total + one, 0);
  expect(sum(sorted.slice(0, 1000)) / sum(sorted)).toBeGreaterThan(0.4);
  expect(sorted[0]).toBeLessThanOrEqual(1800);
});

test("attempts of one project are of its size", () => {
  const times = new ServiceTimes(fitService(attempts), 5);
  const logsOf = (project: string) =>
    Array.from({ length: 50 }, (_, index) =>
      Math.log(times.secondsOf(project, `${project}-${index}`)),
    );
  const spread = (values: readonly number[]) =>
    Math.sqrt(meanOf(values.map((value) => (value - meanOf(values)) ** 2)));
  const projects = Array.from({ length: 200 }, (_, index) => logsOf(`q${index}`));
  const within = meanOf(projects.map(spread));
  const between = spread(projects.map(meanOf));
  expect(between).toBeGreaterThan(4 * within);
  expect(within).toBeGreaterThan(0);
});

test("a seed draws the same, whatever is asked first", () => {
  const model = fitService(attempts);
  const [one, other] = [new ServiceTimes(model, 5), new ServiceTimes(model, 5)];
  other.secondsOf("later", "j9");
  expect(other.secondsOf("p", "j1")).toBe(one.secondsOf("p", "j1"));
  expect(new ServiceTimes(model, 6).secondsOf("p", "j1")).not.toBe(one.secondsOf("p", "j1"));
});

test("what never ran is drawn as often as it was, and takes no part in the sizes", () => {
  const withSkips = [...attempts, ...attempts.map((one) => ({ ...one, slotSeconds: 0.1 }))];
  const model = fitService(withSkips);
  expect(model).toMatchObject({ skippedShare: 0.5, mu: fitService(attempts).mu });
  expect(model.skippedSeconds).toBeCloseTo(0.1);
  const times = new ServiceTimes(model, 5);
  const drawn = Array.from({ length: 2000 }, (_, index) => times.secondsOf("p", `j${index}`));
  const skipped = drawn.filter((seconds) => Math.abs(seconds - 0.1) < 1e-9).length;
  expect(skipped).toBeGreaterThan(900);
  expect(skipped).toBeLessThan(1100);
});

test("limits cut the mean", () => {
  expect(cutMean(0, 1, 1e9)).toBeCloseTo(Math.exp(0.5), 3);
  expect(cutMean(0, 1, 1)).toBeLessThan(1);
  expect(cutMean(Math.log(7), 0, 1800)).toBeCloseTo(7);
});
