import { expect, it } from "vitest";

import { diskOf } from "./oci-guest.ts";

it("adds what all bounded file systems hold", () => {
  expect(diskOf("4096 1000 900\n4096 1000 1000\n")).toEqual({
    diskBytes: 100 * 4096,
    diskFull: false,
  });
});

it("calls the disk full when one of them is, and once full stays so", () => {
  expect(diskOf("4096 25600 0\n4096 25600 25600\n")).toEqual({
    diskBytes: 25600 * 4096,
    diskFull: true,
  });
  expect(diskOf("4096 25600 25600\n", { diskFull: true }).diskFull).toBe(true);
});

it("takes nothing from what is no answer", () => {
  expect(diskOf("stat: cannot read\n1 2\n-4096 1 1\n4096 0 0\n")).toEqual({
    diskBytes: 0,
    diskFull: false,
  });
});
