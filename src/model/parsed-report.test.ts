import { expect, test } from "vitest";

import { classifyRun } from "./classify-run.ts";
import { sampleEvidence, sampleReport, sampleStep } from "./evidence.sample.ts";
import { reportFromText } from "./parsed-report.ts";

test.each([
  [
    "unittest's words",
    "....\nRan 12 tests in 0.010s\n\nFAILED (failures=1, errors=2, skipped=3)\n",
    { collected: 12, passed: 6, failed: 1, errors: 2, skipped: 3 },
  ],
  ["a last run", "Ran 2 tests in 1s\nOK\nRan 1 test in 0.5s\nOK\n", { collected: 1, passed: 1 }],
  [
    "a summary",
    "=== 3 failed, 10 passed, 1 skipped in 2s ===",
    { collected: 14, passed: 10, failed: 3, skipped: 1 },
  ],
  ["a runner of its own", "All done: 7 tests passed, 0 failed", { collected: 7, passed: 7 }],
])("reads %s", (_what, text, counts) => {
  expect(reportFromText(text)).toMatchObject({ origin: "parsed", complete: false, counts });
});

test("finds nothing where nothing is said", () => {
  expect(reportFromText("compiled 3 files, 2 warnings\n")).toBeNull();
});

test("is never a pass by itself, and a failure only inferred", () => {
  const run = (text: string, code: number) =>
    classifyRun(
      {
        runner: "custom",
        result: sampleStep({ code, text }),
        report: reportFromText(text) ?? sampleReport([]),
        lackingFiles: [],
      },
      sampleEvidence(),
    );
  expect(run("Ran 5 tests in 1s\nOK", 0)).toMatchObject({
    outcome: "error",
    confidence: { kind: "inferred" },
  });
  expect(run("Ran 5 tests in 1s\nFAILED (failures=1)", 1)).toMatchObject({
    outcome: "fail",
    confidence: { kind: "inferred" },
  });
});
