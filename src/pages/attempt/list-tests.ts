import type { TestOutcome, TestResult } from "../../model/attempt.ts";
import { isBad } from "./compare-tests.ts";

export const TESTS_A_PAGE = 200;
export const MAX_SEARCH_CHARS = 200;

/** What tests can be narrowed to; `failed` is all that did not pass, errors among it. */
export const TEST_FILTERS = ["failed", "error", "passed", "skipped", "xfailed", "xpassed"] as const;
export type TestFilter = (typeof TEST_FILTERS)[number];

export interface TestsAsked {
  /** Part of an id, in any case; empty for all. */
  readonly text: string;
  readonly outcome: TestFilter | null;
  /** From 1. */
  readonly page: number;
}

export const ALL_TESTS: TestsAsked = { text: "", outcome: null, page: 1 };

export interface ListedTests {
  readonly asked: TestsAsked;
  readonly tests: readonly TestResult[];
  /** How many fit. */
  readonly found: number;
  readonly pages: number;
}

/** One page of those that fit: what failed first, else in the order of the report. */
export function listTests(
  tests: readonly TestResult[],
  asked: TestsAsked,
  aPage = TESTS_A_PAGE,
): ListedTests {
  const text = asked.text.toLowerCase();
  const fits = ({ id, outcome }: TestResult): boolean =>
    isOf(outcome, asked.outcome) && (text === "" || id.toLowerCase().includes(text));
  const bad: TestResult[] = [];
  const rest: TestResult[] = [];
  for (const test of tests) if (fits(test)) (isBad(test) ? bad : rest).push(test);
  const found = bad.length + rest.length;
  const pages = Math.max(1, Math.ceil(found / aPage));
  const page = Math.min(asked.page, pages);
  const from = (page - 1) * aPage;
  const shown = [
    ...bad.slice(from, from + aPage),
    ...rest.slice(Math.max(0, from - bad.length), Math.max(0, from - bad.length + aPage)),
  ].slice(0, aPage);
  return { asked: { ...asked, page }, tests: shown, found, pages };
}

function isOf(outcome: TestOutcome, filter: TestFilter | null): boolean {
  if (filter === null) return true;
  return filter === "failed" ? isBad({ outcome }) : outcome === filter;
}
