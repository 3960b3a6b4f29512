import { expect, test } from "vitest";

import { KeptReading } from "./kept-reading.ts";

/** A clock that reading moves on, and a count of what was read. */
function slow(tookMs: number) {
  const state = { nowMs: 0, reads: 0 };
  const kept = new KeptReading<number>(0, () => state.nowMs);
  const ask = (key = "all") =>
    kept.of(key, async () => {
      state.nowMs += tookMs;
      return ++state.reads;
    });
  return { state, ask, kept };
}

test("what is read quickly is read for each who asks", async () => {
  const { ask } = slow(2);
  expect([await ask(), await ask()]).toEqual([1, 2]);
});

test("what takes long is kept for twenty times as long, and the last is given while the next is read", async () => {
  const { state, ask } = slow(100);
  expect(await ask()).toBe(1);
  state.nowMs += 1999;
  expect(await ask()).toBe(1);
  state.nowMs += 1;
  expect(await ask()).toBe(1);
  expect(state.reads).toBe(2);
  expect(await ask()).toBe(2);
});

test("who is given what was read before hears when there is something newer", async () => {
  const { state, kept } = slow(100);
  const told: number[] = [];
  const ask = () =>
    kept.of(
      "all",
      async () => (state.nowMs += 100),
      (ms) => told.push(ms),
    );
  await ask();
  expect(told).toEqual([]);
  state.nowMs += 500;
  await ask();
  state.nowMs += 1500;
  await ask();
  expect(told).toEqual([1500, 100]);
});

test("what is one's own is nobody else's", async () => {
  const { ask } = slow(100);
  expect([await ask("one"), await ask("other"), await ask("one")]).toEqual([1, 2, 1]);
});

test("who asks at once waits for one reading, and a failure is not kept", async () => {
  let reads = 0;
  const kept = new KeptReading<number>(1000, () => 0);
  const failing = () => kept.of("", () => Promise.reject(new Error(`read ${++reads}`)));
  await expect(Promise.all([failing(), failing()])).rejects.toThrow("read 1");
  await expect(failing()).rejects.toThrow("read 2");
  expect(await kept.of("", async () => ++reads)).toBe(3);
});
