import { expect, test } from "vitest";

import type { TestOutcome } from "./attempt.ts";
import type { Verdict } from "./classify.ts";
import {
  confirm,
  failingIds,
  idsToConfirm,
  wantsConfirmation,
  type Confirmation,
} from "./confirm.ts";
import { sampleReport } from "./evidence.sample.ts";

const first: Verdict = {
  phase: "test",
  outcome: "fail",
  cause: { kind: "test-failure" },
  confidence: { kind: "unconfirmed" },
};
const report = sampleReport(["failed", "error", "passed"]);
const second = (
  outcomes: readonly TestOutcome[],
  outcome: Verdict["outcome"],
  change: Partial<Confirmation> = {},
): Confirmation => ({
  machine: "container",
  verdict: { ...first, outcome, cause: outcome === "pass" ? null : { kind: "test-failure" } },
  report: sampleReport(outcomes),
  ...change,
});

test("only what did not pass, and what was running at the end, is run again", () => {
  expect(failingIds(report)).toEqual(["t0", "t1"]);
  expect(idsToConfirm({ ...report, unfinished: ["t7", "t1"] })).toEqual(["t0", "t1", "t7"]);
});

test("a suite that took too long is not cleared by its last test, which ends alone", () => {
  const late: Verdict = { ...first, outcome: "killed", cause: { kind: "timeout" } };
  const alone = { ...sampleReport(["passed"]), unfinished: ["t9"] };
  expect(confirm(late, "gvisor", alone, second(["passed"], "pass")).verdict).toEqual(late);
  const hung: Confirmation = { machine: "container", verdict: late, report: null };
  expect(confirm(late, "gvisor", alone, hung).verdict.confidence).toMatchObject({ agreed: 2 });
});

test("a failure of the tests wants confirmation, a limit and a build do not", () => {
  expect(wantsConfirmation(first)).toBe(true);
  expect(wantsConfirmation({ ...first, outcome: "killed", cause: { kind: "oom" } })).toBe(false);
  expect(wantsConfirmation({ ...first, outcome: "killed", cause: { kind: "silent" } })).toBe(true);
  expect(wantsConfirmation({ ...first, phase: "build" })).toBe(false);
});

test("what passes on another machine kind is the farm's to explain", () => {
  const { verdict, differing } = confirm(
    first,
    "gvisor",
    report,
    second(["passed", "passed"], "pass"),
  );
  expect(verdict).toMatchObject({ outcome: "fail", cause: { kind: "machine-difference" } });
  expect(differing).toEqual(["t0", "t1"]);
});

test("what passes the second time on the same kind is flaky", () => {
  expect(
    confirm(first, "container", report, second(["passed", "passed"], "pass")).verdict.confidence,
  ).toEqual({ kind: "flaky" });
});

test("what fails again is confirmed, by the ids that did", () => {
  const { verdict, failing, differing } = confirm(
    first,
    "gvisor",
    report,
    second(["failed", "passed"], "fail"),
  );
  expect(verdict).toMatchObject({
    cause: { kind: "test-failure" },
    confidence: { kind: "confirmed", agreed: 2, runs: 2 },
  });
  expect([failing, differing]).toEqual([["t0"], ["t1"]]);
});

test("a second run that is cut, or leaves one of them out, takes nothing back", () => {
  const cut = second(["passed", "passed"], "error", {
    report: sampleReport(["passed", "passed"], { complete: false }),
  });
  expect(confirm(first, "gvisor", report, cut).verdict).toEqual(first);
  expect(confirm(first, "gvisor", report, second(["passed"], "pass")).verdict).toEqual(first);
});
