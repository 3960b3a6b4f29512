import { expect, test } from "vitest";

import { roundMs, Rounds } from "./rounds.ts";

test("a short list has a round of five seconds, a long one as many as its requests need", () => {
  expect(roundMs(1, 4)).toBe(5000);
  expect(roundMs(20, 4)).toBe(5000);
  expect(roundMs(21, 4)).toBe(5250);
  expect(roundMs(45_000, 4)).toBe(11_250_000);
});

test("each name has one turn in a round, and turns are evenly apart", () => {
  const names = Array.from({ length: 100 }, (_, index) => `p${index}`);
  const rounds = new Rounds(names, 10_000, 0);
  const seen = new Map<string, number[]>();
  for (let now = 0; now < 30_000; now += 50) {
    const taken = rounds.take(now, 10);
    expect(taken.length).toBeLessThanOrEqual(1);
    for (const name of taken) seen.set(name, [...(seen.get(name) ?? []), now]);
  }
  expect(seen.size).toBe(100);
  for (const turns of seen.values()) {
    expect(turns).toHaveLength(3);
    expect(new Set(turns.map((now) => now % 10_000)).size).toBe(1);
  }
});

test("after a pause those that are late come at once but no more than asked for, none of them twice", () => {
  const rounds = new Rounds(["a", "b", "c", "d"], 4000, 0);
  const first = rounds.take(100_000, 3);
  const rest = rounds.take(100_000, 3);
  expect([...first, ...rest].toSorted()).toEqual(["a", "b", "c", "d"]);
  expect(rounds.take(100_000, 3)).toEqual([]);
  expect(rounds.nextDue()).toBe(102_000);
});

test("who is to be looked at again is, out of turn and first", () => {
  const rounds = new Rounds(["a", "b"], 4000, 0);
  rounds.take(3999, 2);
  rounds.again("b", 4100);
  rounds.again("gone", 9000);
  expect(rounds.nextDue()).toBe(4100);
  expect(rounds.take(4099, 2)).toEqual([]);
  expect(rounds.take(4100, 2)).toEqual(["b"]);
  expect(new Rounds([], 1000, 0).nextDue()).toBe(Infinity);
});
