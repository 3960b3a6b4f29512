import { expect, test } from "vitest";

import { FaultTeller } from "./fault-teller.ts";

test("a fault that comes again and again is told once a minute", () => {
  const told: string[] = [];
  let now = 0;
  const faults = new FaultTeller(
    (line) => told.push(line),
    () => now,
  );
  for (const at of [0, 1000, 59_999, 60_000]) {
    now = at;
    faults.tell("one");
  }
  faults.tell("two");
  expect(told).toEqual(["one", "one", "two"]);
});
