import { expect, test } from "vitest";

import { ComparisonJson, type ComparedJson } from "../../judge/comparison-json.ts";
import { parseSides } from "../../judge/change.ts";
import { compareSides, type SideRun } from "../../judge/compare-sides.ts";
import { sampleAttempt } from "../../model/result-json.sample.ts";
import { sampleJob } from "../../worker/attempt-job.sample.ts";
import { comparisonJson, exitCodeOfComparison, renderComparison } from "./print-comparison.ts";
import type { Cell } from "./plan-cells.ts";
import type { ComparedCell } from "./run-cells.ts";

const SIDES = parseSides("lib==1.0", "lib==2.0");
const side = { configuration: "cpython-3.13", image: "image", job: null };
const cell: Cell = { key: "k", source: sampleJob("x").source, a: side, b: side, pointless: null };

function run(outcome: "pass" | "fail", cause: string | null): SideRun {
  const { evidence } = sampleAttempt();
  return {
    attempt: sampleAttempt({
      id: `${outcome}1`,
      outcome,
      cause,
      evidence: {
        ...evidence,
        firstLines: ["E   \u001b[31mAssertionError"],
        overlay: {
          releases: [],
          before: null,
          env: {},
          used: [{ project: "lib", installed: "2.0", served: ["2.0"] }],
          unsatisfied: null,
        },
      },
    }),
    results: new Map([["t", outcome === "pass" ? "passed" : "failed"]]),
    given: ["lib 2.0"],
  };
}

function comparedCell(a: readonly SideRun[], b: readonly SideRun[]): ComparedCell {
  const compared = compareSides(SIDES.change, a, b);
  return { cell, from: "sdist", startedAt: "2026-11-29T00:00:00Z", a, b, compared };
}

const [good, bad, lost] = [
  run("pass", null),
  run("fail", "test-failure"),
  run("fail", "agent-lost"),
];
const broken = comparedCell([good, good], [bad, bad]);

test("what is printed keeps to its schema, and says what was used on each side", () => {
  const json = comparisonJson(SIDES, { compared: [broken], left: 2 });
  expect(ComparisonJson.parse(json)).toEqual(json);
  expect(json).toMatchObject({
    a: "lib==1.0",
    changes: "release",
    counts: { "newly-broken": 1, unchanged: 0 },
    left: 2,
    compared: [
      { project: "mine", from: "sdist", a: { runs: [{ used: [{ served: ["2.0"] }] }, {}] } },
    ],
  });
});

test("the table has a word for each, below it what broke and how to run it again", () => {
  const same = comparedCell([good], [good]);
  const json = comparisonJson(SIDES, { compared: [same, broken], left: 1 });
  const text = renderComparison(json, { colour: false });
  expect(text).toContain("A: lib==1.0\nB: lib==2.0\n");
  expect(text).toMatch(/mine 1\.0 {2}same\n/u);
  expect(text).toContain(
    [
      "mine 1.0 cpython-3.13: BROKEN, confirmed(2/2), built from its sdist",
      "  test-failure, fail in test",
      "  1 test passed with A and now fails: t",
      "  E   \\x1b[31mAssertionError",
    ].join("\n"),
  );
  expect(text).toContain("again: ./creamery reproduce fail1\n");
  expect(text).toContain(
    "1 newly-broken, 0 fixed, 0 changed-failure, 1 unchanged, 0 incomparable; 1 did not come to an end\n",
  );
});

test.each<[string, readonly ComparedCell[], 0 | 1 | 3]>([
  ["nothing broken", [comparedCell([good], [good])], 0],
  ["something fixed", [comparedCell([bad, bad], [good, good])], 0],
  ["something broken, whatever the farm did to others", [broken, comparedCell([good], [lost])], 1],
  ["no verdict somewhere", [comparedCell([good], [good]), comparedCell([good], [lost])], 3],
  ["nothing at all", [], 3],
])("the exit code of %s", (_what, compared, code) => {
  expect(exitCodeOfComparison(comparisonJson(SIDES, { compared, left: 0 }))).toBe(code);
});

test("two configurations share a column's name", () => {
  const other = { ...broken, cell: { ...cell, b: { ...side, configuration: "cpython-3.14" } } };
  const json: ComparedJson[] = comparisonJson(SIDES, { compared: [other], left: 0 }).compared;
  expect(json[0]?.b.configuration).toBe("cpython-3.14");
  const text = renderComparison(comparisonJson(SIDES, { compared: [other], left: 0 }), {
    colour: false,
  });
  expect(text).toContain("cpython-3.13 → cpython-3.14");
});
