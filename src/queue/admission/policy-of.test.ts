import { expect, test } from "vitest";

import { CreameryError } from "../../base/errors.ts";
import { RETEST_POLICY } from "../retests/retest-policy.ts";
import { ADMISSION_POLICY } from "./admission-policy.ts";
import { admissionPolicyOf, retestPolicyOf } from "./policy-of.ts";

const HOUR_MS = 3_600_000;

test("an empty table is what is usual", () => {
  expect(admissionPolicyOf({})).toEqual(ADMISSION_POLICY);
  expect(retestPolicyOf({})).toEqual(RETEST_POLICY);
});

test("one bound alone takes the other along", () => {
  expect(admissionPolicyOf({ depended_on: { full_hours: 48 } }).bounds["depended-on"]).toEqual({
    fullMs: 48 * HOUR_MS,
    smokeMs: 48 * HOUR_MS,
  });
  expect(admissionPolicyOf({ tail: { smoke_hours: 0.75 } }).bounds.tail).toEqual({
    fullMs: 0.75 * HOUR_MS,
    smokeMs: 0.75 * HOUR_MS,
  });
});

test("a lower class is never to be treated better than a higher one", () => {
  const refused = () => admissionPolicyOf({ tail: { full_hours: 20, smoke_hours: 20 } });
  expect(refused).toThrow(CreameryError);
  expect(refused).toThrow(/lets more of tail in than of depended-on/u);
});

test("a cycle is switched on by its share, and age off by 0", () => {
  expect(retestPolicyOf({ cycle: "3% a day", age_days: 0 })).toMatchObject({
    cycleShare: 0.03,
    ageMs: null,
  });
});
