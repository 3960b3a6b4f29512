import { expect, test } from "vitest";

import { arrivalsOf, PUBLIC_INDEX, Requests, type Load } from "./arrivals.ts";
import { seeded } from "./seeded.ts";

const HOUR_MS = 3_600_000;
const drawn = (load: Partial<Load> = {}, seed = 1) => {
  const whole = { ...PUBLIC_INDEX, ...load };
  return arrivalsOf(whole, new Requests(whole), 0, seeded(seed));
};
const quiet = { massRelease: 0, manualPerHour: 0, pushShare: 0 };

test("a seed gives the same day, another one another", () => {
  expect(drawn()).toEqual(drawn());
  expect(drawn({}, 2)).not.toEqual(drawn());
});

test("they come in the order of time, each request its own, none after the end", () => {
  const day = drawn({ hours: 6 });
  const instants = day.map(({ atMs }) => atMs);
  expect(instants).toEqual(instants.toSorted((one, other) => one - other));
  expect(instants.at(-1)).toBeLessThanOrEqual(6 * HOUR_MS);
  expect(new Set(day.map(({ request }) => request.id)).size).toBe(day.length);
});

test("the public index's rate is 8 to 10 releases a minute", () => {
  const days = [1, 2, 3, 4].map((seed) => drawn(quiet, seed).length / 1440);
  for (const perMinute of days) {
    expect(perMinute).toBeGreaterThan(8);
    expect(perMinute).toBeLessThan(10);
  }
});

test("a mass release is two thousand projects within a minute, on top of the rest", () => {
  const without = drawn({ ...quiet, releasesPerMinute: 0.001 });
  const day = drawn({ ...quiet, releasesPerMinute: 0.001, massRelease: 2000 });
  const mass = day.filter(({ request }) => request.project.startsWith("mass-"));
  expect(mass).toHaveLength(2000);
  expect(day.length - mass.length).toBe(without.length);
  expect(new Set(mass.map(({ request }) => request.project)).size).toBe(2000);
  const instants = mass.map(({ atMs }) => atMs);
  expect(Math.min(...instants)).toBeGreaterThanOrEqual(14 * HOUR_MS);
  expect(Math.max(...instants)).toBeLessThanOrEqual(14 * HOUR_MS + 60_000);
});

test("there are bursts: a Poisson process of single releases would have no minute like these", () => {
  const perMinute = Map.groupBy(drawn(quiet), ({ atMs }) => Math.floor(atMs / 60_000));
  const counts = [...perMinute.values()].map((own) => own.length);
  const variance = counts.reduce((sum, one) => sum + (one - 9) ** 2, 0) / 1440;
  expect(variance).toBeGreaterThan(3 * 9);
  const projects = [...perMinute.values()].map((own) => own.map(({ request }) => request.project));
  expect(Math.max(...projects.map((own) => new Set(own).size))).toBeGreaterThan(30);
  const again = Map.groupBy(drawn(quiet), ({ request }) => request.project);
  const versions = [...again.values()].map((own) => own.map(({ request }) => request.version));
  expect(versions.filter((own) => own.length > 2).length).toBeGreaterThan(100);
  for (const own of versions) expect(own).toEqual(own.map((_, index) => `1.${index + 1}`));
});

test("a release is wanted in all configurations, the priority ones first; a push and a person want fewer", () => {
  const requests = new Requests({ ...PUBLIC_INDEX, configurations: 5, priorityConfigurations: 2 });
  const lanes = (configurations: readonly { readonly lane: string }[]) =>
    configurations.map(({ lane }) => lane);
  expect(lanes(requests.release("p").configurations)).toEqual([
    "priority",
    "priority",
    "rest",
    "rest",
    "rest",
  ]);
  expect(lanes(requests.push("p").configurations)).toEqual(["priority", "priority"]);
  expect(lanes(requests.manual("p").configurations)).toEqual(["manual", "manual", "manual"]);
  expect(lanes(requests.retest("p", 4).configurations)).toEqual(["background"]);
  const one = new Requests({ ...PUBLIC_INDEX, configurations: 1 });
  expect(one.manual("p").configurations).toEqual([{ name: "c0", lane: "manual" }]);
});
