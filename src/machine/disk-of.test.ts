import { expect, it } from "vitest";

import { diskOf } from "./disk-of.ts";

const state = (blocks: number, freeBlocks: number) => ({ blockBytes: 4096, blocks, freeBlocks });

it("adds what all bounded file systems hold", () => {
  expect(diskOf([state(1000, 900), state(1000, 1000)])).toEqual({
    diskBytes: 100 * 4096,
    diskFull: false,
  });
});

it("calls the disk full when one of them is, and once full stays so", () => {
  expect(diskOf([state(25600, 0), state(25600, 25600)])).toEqual({
    diskBytes: 25600 * 4096,
    diskFull: true,
  });
  expect(diskOf([state(25600, 25600)], { diskFull: true }).diskFull).toBe(true);
});

it("takes nothing from a file system that is not there, or that has more free than it has", () => {
  expect(diskOf([state(0, 0), state(10_000, 20_000)])).toEqual({ diskBytes: 0, diskFull: false });
});
