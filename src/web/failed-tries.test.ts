import { expect, test } from "vitest";

import { FailedTries } from "./failed-tries.ts";

const bounds = { tries: 3, windowMs: 60_000, addresses: 4 };

function fail(tries: FailedTries, address: string, times: number, atMs = 0): void {
  for (let at = 0; at < times; at++) tries.note(address, atMs);
}

test("who fails less often than the bound waits for nothing, who fails so often waits for the window's end", () => {
  const tries = new FailedTries(bounds);
  fail(tries, "192.0.2.1", 2);
  expect(tries.waitSeconds("192.0.2.1", 10_000)).toBe(0);
  fail(tries, "192.0.2.1", 1, 10_000);
  expect(tries.waitSeconds("192.0.2.1", 10_000)).toBe(50);
  expect(tries.waitSeconds("192.0.2.1", 59_999)).toBe(1);
  expect(tries.waitSeconds("192.0.2.1", 60_000)).toBe(0);
  expect(tries.waitSeconds("192.0.2.2", 10_000)).toBe(0);
});

test("a window that is over counts for nothing", () => {
  const tries = new FailedTries(bounds);
  fail(tries, "192.0.2.1", 2);
  fail(tries, "192.0.2.1", 1, 60_000);
  expect(tries.waitSeconds("192.0.2.1", 60_000)).toBe(0);
});

test("the addresses of one network of IPv6 are one sender", () => {
  const tries = new FailedTries(bounds);
  for (const last of ["1", "2", "3"]) tries.note(`2001:db8::${last}`, 0);
  expect(tries.waitSeconds("2001:db8::4", 0)).toBe(60);
});

test("however many fail, so many are remembered: those that failed last", () => {
  const tries = new FailedTries(bounds);
  fail(tries, "192.0.2.200", 3);
  for (let at = 0; at < 100; at++) {
    tries.note(`192.0.2.${at}`, 1);
    tries.note("192.0.2.200", 1);
  }
  expect(tries.size).toBe(4);
  expect(tries.waitSeconds("192.0.2.200", 1)).toBe(60);
});
