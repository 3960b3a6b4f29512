import { expect, test } from "vitest";

import type { CauseKind, TestOutcome } from "./attempt.ts";
import type { Verdict } from "./classify.ts";
import {
  confirm,
  failingIds,
  idsToConfirm,
  wantsConfirmation,
  wantsSameConditions,
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

const passes = second(["passed", "passed"], "pass");
const fails = second(["failed", "failed"], "fail", { machine: "gvisor" });

test("what passes on another machine kind alone is the farm's to explain", () => {
  expect(wantsSameConditions(first, "gvisor", report, passes)).toBe(true);
  const { verdict, differing } = confirm(first, "gvisor", report, passes, fails);
  expect(verdict).toMatchObject({
    outcome: "fail",
    cause: { kind: "machine-difference" },
    confidence: { agreed: 3, runs: 3 },
  });
  expect(differing).toEqual(["t0", "t1"]);
});

test("what passes on its own kind too did not repeat: flaky, and nobody's machine", () => {
  const alone = { ...passes, machine: "gvisor" as const };
  const flaky = { ...first, confidence: { kind: "flaky" } };
  expect(confirm(first, "gvisor", report, passes, alone)).toMatchObject({
    verdict: flaky,
    differing: [],
  });
  // One of two repeats on its own kind: the other one is still a failure.
  const one = second(["failed", "passed"], "fail", { machine: "gvisor" });
  expect(confirm(first, "gvisor", report, passes, one)).toMatchObject({
    verdict: flaky,
    differing: ["t0"],
  });
});

test("without a third run that can be believed nothing is explained", () => {
  const lost: Confirmation = {
    machine: "gvisor",
    verdict: { ...first, outcome: "error", cause: { kind: "agent-lost" } },
    report: null,
  };
  expect(confirm(first, "gvisor", report, passes).verdict).toEqual(first);
  expect(confirm(first, "gvisor", report, passes, lost).verdict).toEqual(first);
});

test("a crash that only the first kind has is explained by it, one that is gone there too is flaky", () => {
  const crash: Verdict = { ...first, outcome: "crash", cause: { kind: "segfault" } };
  const cut = sampleReport(["passed"], { complete: false, unfinished: ["t9"] });
  const crashed: Confirmation = { machine: "gvisor", verdict: crash, report: cut };
  expect(wantsSameConditions(crash, "gvisor", cut, passes)).toBe(true);
  expect(confirm(crash, "gvisor", cut, passes, crashed).verdict.cause?.kind).toBe(
    "machine-difference",
  );
  expect(confirm(crash, "gvisor", cut, passes, { ...passes, machine: "gvisor" }).verdict).toEqual({
    ...crash,
    confidence: { kind: "flaky" },
  });
});

test.each<[string, Verdict["outcome"], CauseKind, Confirmation]>([
  ["a crash by a known failure", "crash", "segfault", second(["failed", "failed"], "fail")],
  [
    "a failure by a run that could not install",
    "fail",
    "test-failure",
    { ...second([], "fail"), report: null },
  ],
  [
    "silence by a lack of memory",
    "killed",
    "silent",
    {
      machine: "container",
      verdict: { ...first, outcome: "killed", cause: { kind: "oom" } },
      report: null,
    },
  ],
])("%s is not confirmed: %s by %s", (_what, outcome, kind, again) => {
  const one: Verdict = { ...first, outcome, cause: { kind } };
  expect(confirm(one, "gvisor", report, again).verdict).toEqual(one);
});

test("what passes the second time on the same kind is flaky", () => {
  expect(
    confirm(first, "container", report, second(["passed", "passed"], "pass")).verdict.confidence,
  ).toEqual({ kind: "flaky" });
});

test("what fails on both kinds is confirmed, what differs stands beside it", () => {
  const other = second(["failed", "passed"], "fail");
  const before = confirm(first, "gvisor", report, other);
  expect(before.verdict).toMatchObject({
    cause: { kind: "test-failure" },
    confidence: { kind: "confirmed", agreed: 2, runs: 2 },
  });
  expect([before.failing, before.differing]).toEqual([["t0"], []]);
  expect(wantsSameConditions(first, "gvisor", report, other)).toBe(true);
  const { verdict, differing } = confirm(first, "gvisor", report, other, fails);
  expect(verdict).toMatchObject({
    cause: { kind: "test-failure" },
    confidence: { kind: "confirmed", agreed: 3, runs: 3 },
  });
  expect(differing).toEqual(["t1"]);
});

test("a second run that is cut, or leaves one of them out, takes nothing back", () => {
  const cut = second(["passed", "passed"], "error", {
    report: sampleReport(["passed", "passed"], { complete: false }),
  });
  expect(confirm(first, "gvisor", report, cut).verdict).toEqual(first);
  expect(confirm(first, "gvisor", report, second(["passed"], "pass")).verdict).toEqual(first);
});
