import { spawnSync } from "node:child_process";

import { expect, test } from "vitest";

import { isOfEnded, PROCESS_NAME } from "./process-name.ts";

test("a file of a process that is at work is no leftover, and one of a process that ended is", () => {
  const { pid } = spawnSync("true");
  expect([`${PROCESS_NAME}-a`, `${process.pid}-a`, "1-a"].map(isOfEnded)).toEqual(
    Array.from({ length: 3 }, () => false),
  );
  expect([`${pid}-a`, `${pid}.123-a`].map(isOfEnded)).toEqual([true, true]);
});

test("one whose number another process has by now has ended: where numbers begin anew with each start that is the next one", () => {
  expect(isOfEnded(`${process.pid}.1-a`)).toBe(true);
});

test("what is named otherwise is nobody's to remove", () => {
  const names = ["note", "-a", "0-a", "12", "12x-a", `${"9".repeat(40)}-a`, "12.3.4-a"];
  expect(names.map(isOfEnded)).toEqual(names.map(() => false));
});
