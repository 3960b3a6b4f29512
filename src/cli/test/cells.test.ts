import { describe, expect, test } from "vitest";

import { OUTCOMES } from "../../model/attempt.ts";
import type { AttemptJson } from "../../model/result-json.ts";
import { sampleAttempt } from "../../model/result-json.sample.ts";
import { ALL_CAUSE_KINDS } from "../../model/result-words.ts";
import { countsOf } from "../../model/attempt-words.ts";
import { cellsOf, wordOf } from "./cells.ts";
import { exitCodeOf } from "./exit-code.ts";

const TESTS = { collected: 506, passed: 487, failed: 0, errors: 0, skipped: 19, deselected: 0 };

const cases: readonly [Partial<AttemptJson>, string, string][] = [
  [{ outcome: "pass", cause: null, tests: TESTS }, "pass good", "487 passed, 19 skipped"],
  [{ outcome: "fail" }, "FAIL bad", "test-failure"],
  [{ outcome: "crash", cause: "segfault" }, "CRASH bad", "segfault"],
  [{ outcome: "killed", cause: "oom" }, "KILLED bad", "oom"],
  [{ outcome: "error", cause: "test-error" }, "error bad", "test-error"],
  [{ outcome: "skip", cause: "no-tests", tests: null }, "skip neutral", "no-tests, smoke pass"],
  [
    { outcome: "skip", cause: "tests-not-in-sdist", tests: null, smoke: "fail" },
    "skip neutral",
    "tests-not-in-sdist, smoke fail",
  ],
  [
    { outcome: "skip", cause: "requires-python", smoke: null, confidence: "inferred" },
    "skip neutral",
    "requires-python",
  ],
  [{ outcome: "fail", confidence: "flaky" }, "flaky bad", "test-failure"],
  [
    {
      outcome: "fail",
      cause: "machine-difference",
      tests: { collected: 506, passed: 486, failed: 1, errors: 0, skipped: 19, deselected: 40 },
    },
    "differs neutral",
    "1 of 506: machine-difference",
  ],
  [{ outcome: "error", cause: "agent-lost" }, "farm neutral", "agent-lost"],
  [{ outcome: "error", cause: null }, "error bad", "no cause is known"],
];

describe("a cell of", () => {
  test.each(cases)("%j is %s: %s", (change, wordAndTone, detail) => {
    const [cell] = cellsOf([sampleAttempt(change)]);
    expect(`${cell?.word} ${cell?.tone}`).toBe(wordAndTone);
    expect(cell?.detail).toBe(detail);
  });
});

test("rows are releases, columns configurations", () => {
  const cells = cellsOf([
    sampleAttempt({ project: "lmdb", version: "3.0.0" }),
    sampleAttempt({ version: "", configuration: "pypy-3.11" }),
  ]);
  expect(cells.map(({ row, column }) => [row, column])).toEqual([
    ["lmdb 3.0.0", "cpython-3.13"],
    ["mine", "pypy-3.11"],
  ]);
});

test("a tree and the release of the same version have rows of their own", () => {
  const tree = sampleAttempt({ source: { kind: "tree", sha256: "b".repeat(64) } });
  const rows = cellsOf([sampleAttempt(), tree]).map(({ row }) => row);
  expect(rows).toEqual(["mine 1.0 (release)", "mine 1.0 (tree)"]);
});

test("counts name what there is", () => {
  expect(countsOf({ ...TESTS, failed: 2, errors: 1 })).toBe(
    "487 passed, 2 failed, 1 error, 19 skipped",
  );
  expect(countsOf({ ...TESTS, passed: 0, skipped: 0, errors: 2 })).toBe("2 errors");
});

test("red is what makes the exit code 1, green what passed", () => {
  for (const outcome of OUTCOMES) {
    for (const cause of [null, ...ALL_CAUSE_KINDS]) {
      for (const confidence of ["unconfirmed", "flaky"]) {
        const attempt = sampleAttempt({ outcome, cause, confidence });
        const { word, tone } = wordOf(attempt);
        expect(tone === "bad").toBe(exitCodeOf([attempt]) === 1);
        expect(tone === "good").toBe(word === "pass");
      }
    }
  }
});
