import { describe, expect, test } from "vitest";

import { Room, roomFacts } from "./room.ts";
import { Watermark } from "./watermark.ts";

const GIB = 1024 ** 3;

describe("a watermark", () => {
  test("is passed downwards at once and upwards only well above it", () => {
    const mark = new Watermark(10);
    expect([11, 10, 9, 10, 19, 20, 11, 9].map((free) => mark.isBelow(free))).toEqual([
      false,
      false,
      true,
      true,
      true,
      false,
      false,
      true,
    ]);
  });
});

describe("room for one more attempt", () => {
  const facts = { memoryFreeBytes: 8 * GIB, diskFreeBytes: 50 * GIB };
  const room = (watermarkBytes?: number) =>
    new Room(
      {
        memoryBytes: 4 * GIB,
        directories: [],
        ...(watermarkBytes === undefined ? {} : { watermarkBytes }),
      },
      () => facts,
    );

  test("is there with memory and disk", () => {
    expect(room().lack()).toBeNull();
  });

  test("is not there with less memory than an attempt may take, and is again with it", () => {
    const one = room();
    facts.memoryFreeBytes = 4 * GIB - 1;
    expect(one.lack()).toMatch(/memory are free/u);
    facts.memoryFreeBytes = 4 * GIB;
    expect(one.lack()).toBeNull();
  });

  test("claims wait below the watermark that was set, and go on alone", () => {
    const one = room(10 * GIB);
    facts.diskFreeBytes = 10 * GIB - 1;
    expect(one.lack()).toMatch(/^10\.0 GiB of disk are free: claims wait below 10\.0 GiB/u);
    facts.diskFreeBytes = 15 * GIB;
    expect(one.lack()).not.toBeNull();
    facts.diskFreeBytes = 20 * GIB;
    expect(one.lack()).toBeNull();
    facts.diskFreeBytes = 15 * GIB;
    expect(one.lack()).toBeNull();
  });

  test("is looked for on the fullest of the disks", () => {
    const all = roomFacts(["/", "/proc"]);
    // proc(5) has no room at all.
    expect(all.diskFreeBytes).toBe(0);
    expect(all.memoryFreeBytes).toBeGreaterThan(0);
  });
});
