import { expect, test } from "vitest";

import { sampleMeasured } from "./measured.sample.ts";
import { sharedGuest } from "./shared-guest.ts";

test("of the starts of k guests all but one are saved", () => {
  const attempts = [
    sampleMeasured({ slotSeconds: 8, startSeconds: 0.2, aroundSeconds: 0.4 }),
    sampleMeasured({ slotSeconds: 12, startSeconds: 0, aroundSeconds: 0.6 }),
  ];
  const saved = sharedGuest(attempts, 4);
  // 0.2 s of starts, 1.0 s around, 20 s in all, three of four saved.
  expect(saved.savedShare).toBeCloseTo((0.2 * 0.75) / 20);
  expect(saved.mostSavedShare).toBeCloseTo((1.2 * 0.75) / 20);
  expect(saved.meanStartSeconds).toBeCloseTo(0.1);
  // The pool's guest was not waited for: it says nothing of a start.
  expect(saved.startSeconds).toBe(0.2);
});

test("one interpreter in a guest saves nothing, and nothing measured is nothing saved", () => {
  expect(sharedGuest([sampleMeasured()], 1)).toMatchObject({ savedShare: 0, mostSavedShare: 0 });
  expect(sharedGuest([], 9)).toMatchObject({ savedShare: 0, startSeconds: 0 });
});
