import { existsSync } from "node:fs";
import { expect, test } from "vitest";

import { CreameryError } from "../../base/errors.ts";
import { SampleIndex } from "../../index/cache/index-directory.sample.ts";
import { collectIndexDaily } from "./collect-index-loop.ts";
import { NO_PINS, type FarmPins } from "./farm-pins.ts";

const signal = new AbortController().signal;
const HOUR_MS = 3_600_000;
const bounds = { maxBytes: 10_000, graceMs: 2 * HOUR_MS };

function keeper({ directory }: SampleIndex, pins: FarmPins = NO_PINS) {
  const told: string[] = [];
  const collect = collectIndexDaily({ directory, bounds, pins, tell: (line) => told.push(line) });
  return { told, at: (hours: number) => collect(Date.now() + hours * HOUR_MS, signal) };
}

test("once a day it is brought down to its bound, and each hour when it is over it by much", async () => {
  await using index = new SampleIndex();
  const { at, told } = keeper(index);
  await at(0);
  expect(told).toEqual([]);
  const old = index.file("a".repeat(10_500), 100);
  await at(1);
  expect([existsSync(index.pathOf(old)), told]).toEqual([true, []]);
  const more = index.file("b".repeat(600), 90);
  await at(2);
  expect([existsSync(index.pathOf(old)), existsSync(index.pathOf(more))]).toEqual([false, true]);
  expect(told).toEqual(["removed 1 of 10.3 KiB, 0.6 KiB are kept"]);
  const over = index.file("c".repeat(9_900), 80);
  await at(3);
  expect(existsSync(index.pathOf(over))).toBe(true);
  await at(24);
  expect([existsSync(index.pathOf(more)), existsSync(index.pathOf(over))]).toEqual([false, true]);
});

test("where what is pinned can't be known nothing goes, it is told, and the next hour tries again", async () => {
  await using index = new SampleIndex();
  const old = index.file("a".repeat(20_000), 100);
  let isAway = true;
  const { at, told } = keeper(index, async (...asked) => {
    if (isAway) throw new CreameryError("store", "does not answer");
    return await NO_PINS(...asked);
  });
  await at(0);
  expect(existsSync(index.pathOf(old))).toBe(true);
  expect(told).toEqual(["nothing could be collected: does not answer"]);
  isAway = false;
  await at(1);
  expect(existsSync(index.pathOf(old))).toBe(false);
});

test("what is pinned alone and is more than the bound is told with what to change", async () => {
  await using index = new SampleIndex();
  const sha256 = index.file("a".repeat(20_480), 100);
  const { at, told } = keeper(index, async () => ({
    names: new Set([sha256]),
    attempts: 1,
    unreadable: [],
  }));
  await at(0);
  expect(told.join()).toContain(
    "over index.max_gib by 10.2 KiB: pinned by attempts that are kept is 20.0 KiB alone, more than the bound",
  );
});
