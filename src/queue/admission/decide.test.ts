import fc from "fast-check";
import { expect, test } from "vitest";

import {
  ADMISSION_POLICY,
  ADMISSIONS,
  RELEASE_CLASSES,
  type AdmissionPolicy,
} from "./admission-policy.ts";
import { classOf, decide, type Load, type NewNames, type ReleaseFacts } from "./decide.ts";

const HOUR_MS = 3_600_000;

const load: fc.Arbitrary<Load> = fc.record({
  backlogMs: fc.oneof(fc.integer({ min: 0, max: 50 * HOUR_MS }), fc.constant(1e15)),
  delayed: fc.oneof(fc.integer({ min: 0, max: 20_000 }), fc.constant(1e9)),
});
/** Any that configuration lets through: a higher class has no narrower bounds. */
const policy: fc.Arbitrary<AdmissionPolicy> = fc
  .record({
    bounds: fc.array(fc.integer({ min: 0, max: 30 * HOUR_MS }), { minLength: 6, maxLength: 6 }),
    mostDelayed: fc.integer({ min: 0, max: 10_000 }),
    dependedOnLeast: fc.integer({ min: 1, max: 20 }),
  })
  .map(({ bounds, ...rest }) => {
    const [full, smoke] = [bounds.slice(0, 3), bounds.slice(3)].map((part) =>
      part.toSorted((one, other) => other - one),
    );
    const of = (place: number) => ({
      fullMs: full?.[place] ?? 0,
      smokeMs: Math.max(full?.[place] ?? 0, smoke?.[place] ?? 0),
    });
    return {
      ...ADMISSION_POLICY,
      ...rest,
      bounds: { "depended-on": of(0), tail: of(1), flood: of(2) },
    };
  });
const facts: fc.Arbitrary<ReleaseFacts> = fc.record({
  isNamed: fc.boolean(),
  dependents: fc.nat({ max: 50 }),
  isNewName: fc.boolean(),
});
const newNames: fc.Arbitrary<NewNames> = fc.record({
  lastHour: fc.nat({ max: 2000 }),
  usualHour: fc.option(fc.double({ min: 0, max: 500, noNaN: true })),
});

test("under the same load a higher class is never treated worse than a lower one", () => {
  fc.assert(
    fc.property(load, policy, (now, rules) => {
      const ranks = RELEASE_CLASSES.map((one) =>
        ADMISSIONS.indexOf(decide(one, "", now, rules).admission),
      );
      for (const [place, rank] of ranks.entries())
        expect(rank).toBeGreaterThanOrEqual(ranks[place - 1] ?? 0);
    }),
  );
});

test("what is watched by name is queued whole, whatever else there is to do", () => {
  fc.assert(
    fc.property(facts, newNames, load, policy, (of, names, now, rules) => {
      const named = classOf({ ...of, isNamed: true }, names, rules);
      expect(decide(named, "", now, rules)).toMatchObject({ class: "named", admission: "queued" });
    }),
  );
});

test("more to do never brings a release further, and each has one of four ends and a reason", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...RELEASE_CLASSES),
      load,
      load,
      policy,
      (one, now, more, rules) => {
        const before = decide(one, "why", now, rules);
        const after = decide(
          one,
          "why",
          { backlogMs: now.backlogMs + more.backlogMs, delayed: now.delayed + more.delayed },
          rules,
        );
        expect(ADMISSIONS).toContain(before.admission);
        expect(before.reason.length).toBeGreaterThan(5);
        expect(ADMISSIONS.indexOf(after.admission)).toBeGreaterThanOrEqual(
          ADMISSIONS.indexOf(before.admission),
        );
      },
    ),
  );
});

test("what is known, named or needed is no part of a flood", () => {
  fc.assert(
    fc.property(facts, newNames, policy, (of, names, rules) => {
      for (const known of [
        { ...of, isNewName: false },
        { ...of, isNamed: true },
        { ...of, dependents: rules.dependedOnLeast },
      ])
        expect(classOf(known, names, rules)).not.toBe("flood");
    }),
  );
});

test("new names are a flood beyond what is usual, and while nothing is known of that beyond the bound", () => {
  const of = { isNamed: false, dependents: 0, isNewName: true };
  const at = (lastHour: number, usualHour: number | null) =>
    classOf(of, { lastHour, usualHour }, ADMISSION_POLICY);
  expect(at(60, null)).toBe("tail");
  expect(at(61, null)).toBe("flood");
  expect(at(299, 100)).toBe("tail");
  expect(at(301, 100)).toBe("flood");
});
