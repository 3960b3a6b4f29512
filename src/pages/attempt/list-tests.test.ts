import { expect, test } from "vitest";

import type { TestResult } from "../../model/attempt.ts";
import { ALL_TESTS, listTests } from "./list-tests.ts";

const tests: TestResult[] = Array.from({ length: 25 }, (_, at) => ({
  id: `tests/${at % 2 === 0 ? "Even" : "odd"}.py::test_${at}`,
  outcome: at === 20 ? "failed" : at === 23 ? "error" : at === 3 ? "skipped" : "passed",
  seconds: 0,
}));
const numbers = (found: readonly TestResult[]) =>
  found.map(({ id }) => Number(id.split("_").at(-1)));

test("what failed comes first, then the report's order, and each test is on one page", () => {
  const pages = [1, 2, 3].map((page) => listTests(tests, { ...ALL_TESTS, page }, 10));
  expect(numbers(pages[0]?.tests ?? [])).toEqual([20, 23, 0, 1, 2, 3, 4, 5, 6, 7]);
  expect(pages.map(({ tests: shown }) => shown.length)).toEqual([10, 10, 5]);
  expect(new Set(pages.flatMap(({ tests: shown }) => numbers(shown))).size).toBe(25);
});

test("failures that fill more than a page are all found", () => {
  const failed = tests.map((one) => ({ ...one, outcome: "failed" as const }));
  const last = { id: "last_99", outcome: "passed" as const, seconds: 0 };
  const pages = [1, 2, 3].map((page) => listTests([...failed, last], { ...ALL_TESTS, page }, 12));
  expect(pages.map(({ tests: shown }) => shown.length)).toEqual([12, 12, 2]);
});

test("narrowed by a part of the name in any case, and by outcome", () => {
  expect(listTests(tests, { ...ALL_TESTS, text: "EVEN.PY" }).found).toBe(13);
  expect(numbers(listTests(tests, { ...ALL_TESTS, outcome: "failed" }).tests)).toEqual([20, 23]);
  expect(numbers(listTests(tests, { ...ALL_TESTS, outcome: "error" }).tests)).toEqual([23]);
  expect(
    numbers(listTests(tests, { ...ALL_TESTS, text: "odd", outcome: "skipped" }).tests),
  ).toEqual([3]);
});

test("a page behind the last one is the last one", () => {
  const { asked, tests: shown } = listTests(tests, { ...ALL_TESTS, page: 900 }, 10);
  expect([asked.page, shown.length]).toEqual([3, 5]);
});
