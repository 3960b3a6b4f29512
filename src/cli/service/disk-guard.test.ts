import { expect, test } from "vitest";

import { DiskGuard } from "./disk-guard.ts";

test("what the farm takes in stops below its watermark and goes on alone above twice that, each told once", () => {
  let free = 5;
  const told: boolean[] = [];
  const guard = new DiskGuard({
    directories: [],
    watermarkBytes: 4,
    onChange: (reason) => told.push(reason === null),
    freeBytes: () => free,
  });
  const can = [5, 3, 3, 7, 8, 5, 3].map((now) => {
    free = now;
    return guard.lack() === null;
  });
  expect(can).toEqual([true, false, false, false, true, true, false]);
  expect(told).toEqual([false, true, false]);
});
