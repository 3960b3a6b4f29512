import { expect, test } from "vitest";

import type { TestOutcome, TestResult } from "../../model/attempt.ts";
import { compareTests, type ChangedTest } from "./compare-tests.ts";

const ran = (id: string, outcome: TestOutcome, seconds = 0.1): TestResult => ({
  id,
  outcome,
  seconds,
});

function changesOf(before: readonly TestResult[], now: readonly TestResult[]) {
  const changes: Readonly<Record<string, readonly ChangedTest[]>> = {
    ...compareTests(before, now),
  };
  return Object.fromEntries(
    Object.entries(changes)
      .filter(([, tests]) => tests.length > 0)
      .map(([kind, tests]) => [kind, tests.map(({ id }) => id)]),
  );
}

test("each test by what it did then and does now", () => {
  expect(
    changesOf(
      [
        ran("breaks", "passed"),
        ran("errs", "skipped"),
        ran("mended", "failed"),
        ran("meant", "error"),
        ran("stays", "failed"),
        ran("goes", "passed"),
        ran("same", "passed"),
      ],
      [
        ran("breaks", "failed"),
        ran("errs", "error"),
        ran("mended", "passed"),
        ran("meant", "xfailed"),
        ran("stays", "error"),
        ran("same", "passed"),
        ran("comes", "failed"),
      ],
    ),
  ).toEqual({
    newlyFailing: ["breaks", "errs"],
    fixed: ["mended", "meant"],
    stillFailing: ["stays"],
    added: ["comes"],
    gone: ["goes"],
  });
});

test("what is skipped now is not fixed", () => {
  expect(changesOf([ran("a", "failed")], [ran("a", "skipped")])).toEqual({});
});

test("much slower is twice as long and a second more, of what passes both times", () => {
  const pairs = [
    ["a", 1, 2],
    ["b", 1, 1.9],
    ["c", 0.1, 1],
    ["d", 5, 6.5],
    ["e", 10, 21],
  ] as const;
  expect(
    changesOf(
      [...pairs.map(([id, then]) => ran(id, "passed", then)), ran("f", "skipped", 0)],
      [...pairs.map(([id, , now]) => ran(id, "passed", now)), ran("f", "passed", 9)],
    ),
  ).toEqual({ slower: ["a", "e"] });
});
