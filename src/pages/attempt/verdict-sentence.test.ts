import { expect, test } from "vitest";

import { sampleAttempt } from "../../model/result-json.sample.ts";
import type { AttemptJson } from "../../model/result-json.ts";
import { confidenceWords, verdictSentence } from "./verdict-sentence.ts";

const of = (change: Partial<AttemptJson>) => verdictSentence(sampleAttempt(change));
const tests = { collected: 506, passed: 486, failed: 0, errors: 0, skipped: 20, deselected: 4 };

test("what, where, what came of it, who must act and how sure: in one sentence", () => {
  expect(of({})).toBe(
    "mine 1.0 fails on CPython 3.13: 1 of 3 tests fails; who must act: the package; confirmed: both runs agree.",
  );
  expect(of({ outcome: "pass", cause: null, tests })).toBe(
    "mine 1.0 passes on CPython 3.13: 486 tests passed, 20 skipped, 4 left out.",
  );
  expect(
    of({
      outcome: "killed",
      cause: "timeout",
      confidence: "flaky",
      tests: null,
      configuration: "pypy-3.11",
    }),
  ).toBe(
    "mine 1.0 was ended at a limit on PyPy 3.11: it ran longer than it may; who must act: the package, or the farm's limits; flaky: run again, it did not fail the same way.",
  );
  expect(
    of({ outcome: "skip", cause: "requires-python", confidence: "inferred", tests: null }),
  ).toBe(
    "mine 1.0 was not tested on CPython 3.13: it does not claim to support this Python version.",
  );
});

test("what the farm failed in is no failure, and the farm's to act", () => {
  const text = of({ outcome: "error", cause: "vm-resume", confidence: "unconfirmed", tests: null });
  expect(text).toBe(
    "mine 1.0 got no verdict on CPython 3.13: the farm could not start its machine; who must act: the farm.",
  );
  expect(of({ cause: "machine-difference", confidence: "confirmed(3/3)" })).toMatch(
    /got no verdict .*who must act: the farm; confirmed: all 3 runs agree\.$/u,
  );
});

test("names and causes of hostile packages stay on one line, and short", () => {
  const text = of({
    project: "a\n\u202eb",
    version: "1".repeat(5000),
    cause: `build-backend(${"x\u0007".repeat(500)})`,
  });
  expect(text).not.toMatch(/[\n\u0007\u202e]/u);
  expect(text.length).toBeLessThan(700);
});

test("how sure, of every confidence there is", () => {
  expect(
    ["confirmed(2/2)", "confirmed(2/3)", "flaky", "unconfirmed", "inferred"].map(confidenceWords),
  ).toEqual([
    "confirmed: both runs agree",
    "confirmed: 2 of 3 runs agree",
    "flaky: run again, it did not fail the same way",
    "seen once, and not confirmed by a second run",
    "concluded without running it",
  ]);
});
