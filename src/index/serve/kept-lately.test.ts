import { expect, test } from "vitest";

import { keptLately } from "./kept-lately.ts";

const file = { key: "a", sha256: "a" };

test("the disk is asked once in a moment for what is kept, and each time for what is not", async () => {
  let nowMs = 0;
  let there = false;
  let asked = 0;
  const stored = { path: "/files/a", sha256: "a", sizeBytes: 1 };
  const kept = keptLately(
    async () => {
      asked++;
      return there ? stored : null;
    },
    () => nowMs,
  );
  expect([await kept(file), await kept(file), asked]).toEqual([null, null, 2]);
  there = true;
  expect([await kept(file), await kept(file), asked]).toEqual([stored, stored, 3]);
  // Removed since: who sends it finds that out by itself, and after the moment so do we.
  there = false;
  nowMs = 999;
  expect([await kept(file), asked]).toEqual([stored, 3]);
  nowMs = 1000;
  expect([await kept(file), await kept(file), asked]).toEqual([null, null, 5]);
  expect(await kept({ key: "b", sha256: "b" })).toBeNull();
});
