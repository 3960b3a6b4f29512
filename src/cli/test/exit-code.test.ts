import { describe, expect, test } from "vitest";

import { OUTCOMES } from "../../model/attempt.ts";
import type { AttemptJson } from "../../model/result-json.ts";
import { sampleAttempt } from "../../model/result-json.sample.ts";
import { ALL_CAUSE_KINDS, causeGroup } from "../../model/result-words.ts";
import { standingOf } from "../../model/standing.ts";
import { exitCodeOf } from "./exit-code.ts";

const PASS = sampleAttempt({ outcome: "pass", cause: null });
const SKIP = sampleAttempt({ outcome: "skip", cause: "no-tests" });
const DIFFERS = sampleAttempt({ cause: "machine-difference", confidence: "confirmed(1/2)" });
const FAIL = sampleAttempt();
const FLAKY = sampleAttempt({ confidence: "flaky" });
const FARM = sampleAttempt({ outcome: "error", cause: "agent-lost" });
const DISBELIEVED = sampleAttempt({ outcome: "error", cause: "test-error" });
const cases: readonly [string, AttemptJson[], 0 | 1 | 3][] = [
  ["a pass", [PASS], 0],
  ["a skip", [SKIP], 0],
  ["a difference between machine kinds", [DIFFERS], 0],
  ["all that is sound", [PASS, SKIP, DIFFERS], 0],
  ["a failure", [PASS, FAIL], 1],
  ["a flaky failure", [PASS, FLAKY], 1],
  ["a report that can't be believed", [PASS, DISBELIEVED], 1],
  ["a fault of the farm", [PASS, FARM], 3],
  ["a failure beside a fault of the farm", [FARM, FAIL], 1],
  ["nothing at all", [], 3],
];

describe("the exit code of", () => {
  test.each(cases)("%s", (_, attempts, expected) => {
    expect(exitCodeOf(attempts)).toBe(expected);
  });
});

test("each outcome with each cause has a standing, and only the farm's causes excuse a failure", () => {
  for (const outcome of OUTCOMES) {
    for (const kind of ALL_CAUSE_KINDS) {
      const farm = causeGroup(kind) === "farm" ? "no-verdict" : "unsound";
      const isSound = ["pass", "skip"].includes(outcome) && farm === "unsound";
      const expected = kind === "machine-difference" || isSound ? "sound" : farm;
      expect(standingOf({ outcome, cause: `${kind}(detail)` })).toBe(expected);
    }
  }
});

test("a failure whose cause can't be read stays a failure", () => {
  expect(standingOf({ outcome: "error", cause: "bad-luck" })).toBe("unsound");
  expect(standingOf({ outcome: "fail", cause: null })).toBe("unsound");
});
