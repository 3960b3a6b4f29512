import { expect, test } from "vitest";

import { AdmissionTable, cycleShare, RetestTable } from "./admission-table.ts";
import { readTable } from "./read-table.ts";

test.each([
  ["3% a day", 0.03],
  ["0.5% a day", 0.005],
  ["100 % a day", 1],
  ["0% a day", null],
  ["101% a day", null],
  ["3%", null],
  ["-3% a day", null],
  ["3% a week", null],
])("%s is a share of %s", (text, share) => {
  expect(cycleShare(text)).toBe(share);
});

test.each([
  ["dependents = 0\n", "must be at least 1"],
  ["[tail]\nfull_hours = 3\nsmoke_hours = 2\n", "is below full_hours"],
  ["[tial]\n", "unknown key"],
])("[admission] %j is refused", (text, reason) => {
  expect(readTable(text, AdmissionTable)).toMatchObject({ problem: { reason } });
});

test.each([
  ["cycle = 'often'\n", "is no share of a day, as `3% a day`"],
  ["budget_jobs_per_hour = -1\n", "must be at least 0"],
])("[retest] %j is refused", (text, reason) => {
  expect(readTable(text, RetestTable)).toMatchObject({ problem: { reason } });
});
