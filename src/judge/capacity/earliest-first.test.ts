import fc from "fast-check";
import { expect, test } from "vitest";

import { EarliestFirst } from "./earliest-first.ts";

test("the earliest comes first, and nothing before it is due", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 50 })),
      fc.integer({ min: 0, max: 50 }),
      (instants, nowMs) => {
        const events = new EarliestFirst<{ readonly atMs: number }>();
        for (const atMs of instants) events.add({ atMs });
        expect(events.nextMs).toBe(Math.min(...instants, Infinity));
        const taken: number[] = [];
        for (let one = events.takeDue(nowMs); one !== undefined; one = events.takeDue(nowMs))
          taken.push(one.atMs);
        const due = instants.filter((atMs) => atMs <= nowMs).toSorted((one, other) => one - other);
        expect(taken).toEqual(due);
      },
    ),
  );
});
