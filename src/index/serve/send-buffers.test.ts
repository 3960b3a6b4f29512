import { expect, test } from "vitest";

import { SendBuffers } from "./send-buffers.ts";

const MANY_BYTES = 30 * 1024 * 1024;

test("what was given back is used again, and what may still be read is not", () => {
  const buffers = new SendBuffers();
  const first = buffers.take(MANY_BYTES);
  buffers.give(first, true);
  expect(buffers.take(MANY_BYTES)).toBe(first);
  buffers.give(first, false);
  expect(buffers.take(MANY_BYTES)).not.toBe(first);
});

test("a small file takes a small one, and of many at once each takes a small one until others are back", () => {
  const buffers = new SendBuffers();
  expect(buffers.take(1000).length).toBe(64 * 1024);
  const taken = Array.from({ length: 64 }, () => buffers.take(MANY_BYTES));
  const bytes = taken.reduce((sum, { length }) => sum + length, 0);
  expect(bytes).toBeLessThan(12 * 1024 * 1024);
  expect(taken[0]?.length).toBe(512 * 1024);
  expect(taken.at(-1)?.length).toBe(64 * 1024);
  for (const buffer of taken) buffers.give(buffer, false);
  expect(buffers.take(MANY_BYTES).length).toBe(512 * 1024);
});

test("no more than a few are kept for later", () => {
  const buffers = new SendBuffers();
  const taken = Array.from({ length: 300 }, () => buffers.take(1000));
  for (const buffer of taken) buffers.give(buffer, true);
  const again = Array.from({ length: 300 }, () => buffers.take(1000));
  expect(again.filter((buffer) => taken.includes(buffer)).length).toBe(192);
});
