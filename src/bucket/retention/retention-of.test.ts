import { expect, test } from "vitest";

import { DEFAULT_RETENTION, type RetainedAttempt } from "./retention-facts.ts";
import { pinText, retentionOf, type Retention } from "./retention-of.ts";

const NOW = Date.UTC(2026, 10, 29);
const DAY = 24 * 3_600_000;
const policy = { ...DEFAULT_RETENTION, days: 30, newest: 1 };

/** Ids in the order of time. */
function attempt(daysAgo: number, change: Partial<RetainedAttempt> = {}): RetainedAttempt {
  return {
    id: `a${String(1000 - daysAgo).padStart(4, "0")}`,
    project: "lmdb",
    configuration: "cpython-3.13",
    startedMs: NOW - daysAgo * DAY,
    isCanary: false,
    isComparable: true,
    isNamedBaseline: false,
    sourceSha256: null,
    ...change,
  };
}

function decided(attempts: readonly RetainedAttempt[], change: Partial<typeof policy> = {}) {
  const retention = retentionOf(attempts, { ...policy, ...change }, NOW);
  return attempts.map(({ id }) => word(retention.get(id)));
}

function word(retention: Retention | undefined): string {
  if (retention === undefined) return "nothing";
  return retention.keeps === "lock" ? "lock" : retention.because.kind;
}

test("the newest result, what it is compared with, and the last days are pinned; of the rest the lock is kept", () => {
  expect(decided([attempt(40), attempt(50), attempt(60)])).toEqual(["newest", "baseline", "lock"]);
  expect(decided([attempt(1), attempt(29), attempt(31), attempt(32)])).toEqual([
    "newest",
    "days",
    "baseline",
    "lock",
  ]);
  expect(decided([attempt(40), attempt(50), attempt(60)], { newest: 2 })).toEqual([
    "newest",
    "newest",
    "baseline",
  ]);
  expect(decided([attempt(40), attempt(50)], { baselines: false })).toEqual(["newest", "lock"]);
});

test("each project has its own on each configuration", () => {
  const others = [
    attempt(40),
    attempt(41, { project: "attrs" }),
    attempt(42, { configuration: "pypy-3.11" }),
    attempt(43, { configuration: "pypy-3.11", project: "attrs" }),
  ];
  expect(decided(others)).toEqual(["newest", "newest", "newest", "newest"]);
});

test("a failure of the farm's is neither a newest result nor a baseline, and is kept like any other for some days", () => {
  const faults = { isComparable: false };
  expect(
    decided([
      attempt(1, faults),
      attempt(40, faults),
      attempt(41),
      attempt(42, faults),
      attempt(43),
    ]),
  ).toEqual(["days", "lock", "newest", "lock", "baseline"]);
});

test("canaries and named baselines stay, with what they are compared with", () => {
  const rows = [
    attempt(40),
    attempt(50),
    attempt(60),
    attempt(70, { isCanary: true }),
    attempt(80),
    attempt(90),
    attempt(95, { isNamedBaseline: true }),
  ];
  expect(decided(rows)).toEqual([
    "newest",
    "baseline",
    "lock",
    "canary",
    "baseline",
    "lock",
    "named-baseline",
  ]);
  expect(decided(rows, { canaries: false })[3]).toBe("lock");
});

test("a baseline is the next older one that can be compared with, as the store finds it", () => {
  const retention = retentionOf(
    [attempt(40), attempt(50, { isComparable: false }), attempt(60)],
    policy,
    NOW,
  );
  expect(retention.get(attempt(60).id)).toEqual({
    keeps: "whole",
    because: { kind: "baseline", of: attempt(40).id },
  });
  expect(pinText({ kind: "baseline", of: "a1" }, policy)).toBe("the baseline of a1");
  expect(pinText({ kind: "days" }, policy)).toBe("of the last 30 days");
});

test("a time that is none, or that is to come, counts as young", () => {
  const odd = { isComparable: false };
  expect(decided([attempt(-3, odd), attempt(90, { ...odd, startedMs: Number.NaN })])).toEqual([
    "days",
    "days",
  ]);
});
