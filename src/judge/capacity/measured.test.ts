import { expect, test } from "vitest";

import { sampleAttempt } from "../../model/result-json.sample.ts";
import type { StoredAttempt } from "../../store/store.ts";
import { measure } from "./measured.ts";

const base = sampleAttempt();
function limits() {
  if (base.evidence.limits === null) throw new Error("the sample has no counters");
  return base.evidence.limits;
}

function stored(
  id: string,
  seconds: Record<string, number>,
  cpuSeconds: number | null,
  change: Partial<StoredAttempt> = {},
): StoredAttempt {
  return {
    attempt: sampleAttempt({
      id,
      seconds,
      evidence: {
        ...base.evidence,
        limits: cpuSeconds === null ? null : { ...limits(), cpuSeconds },
      },
    }),
    visibility: "public",
    reason: "release",
    of: null,
    startedAt: "2026-11-24T10:00:00.000Z",
    ...change,
  };
}

test("an attempt holds its slot until what confirmed it has ended, which is no attempt of its own", () => {
  const all = [
    stored("a1", { start: 0.2, farm: 0.5, total: 10, confirm: 1, "confirm-test": 2 }, 9),
    stored("a2", { total: 2.5 }, 4, { reason: "confirm", of: "a1" }),
    stored("a3", { total: 1 }, 1, { reason: "confirm", of: "a1" }),
    stored("a4", { total: 3 }, 2),
  ];
  const measured = measure(all);
  expect(measured.map(({ slotSeconds }) => slotSeconds)).toEqual([13, 3]);
  expect(measured.map(({ cpuSeconds }) => cpuSeconds)).toEqual([14, 2]);
  expect(measured[0]?.startSeconds).toBe(0.2);
  expect(measured[0]?.aroundSeconds).toBeCloseTo(0.3);
});

test("what was not counted is not 0", () => {
  const [one] = measure([stored("a1", { total: 3 }, null)]);
  expect(one).toMatchObject({
    cpuSeconds: null,
    slotSeconds: 3,
    startSeconds: 0,
    aroundSeconds: 0,
  });
});
