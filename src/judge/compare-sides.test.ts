import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

import type { AttemptJson } from "../model/result-json.ts";
import { sampleAttempt } from "../model/result-json.sample.ts";
import type { Change } from "./change.ts";
import { compareSides, wantsAnotherRound, type SideRun } from "./compare-sides.ts";
import { comparisonJsonSchema } from "./comparison-json.ts";

const CHANGE: Change = {
  kind: "release",
  project: "lib",
  a: { kind: "pin", version: "1.0" },
  b: { kind: "pin", version: "2.0" },
  fixed: [],
};
const { evidence } = sampleAttempt();

/** @param results `a:passed b:failed` */
function run(
  change: Partial<AttemptJson>,
  results = "",
  use: {
    readonly installed?: string | null;
    readonly served?: readonly string[];
    readonly unsatisfied?: string;
  } = {},
  given: readonly string[] = [],
): SideRun {
  const { installed = "1.0", served = ["1.0"], unsatisfied = null } = use;
  return {
    attempt: sampleAttempt({
      evidence: {
        ...evidence,
        overlay: {
          releases: [],
          before: null,
          env: {},
          used: [{ project: "lib", installed, served: [...served] }],
          unsatisfied,
        },
      },
      ...change,
    }),
    results: new Map(
      results
        .split(" ")
        .filter((word) => word !== "")
        .map((word) => {
          const [id = "", outcome = ""] = word.split(":");
          return [id, outcome] as const;
        }),
    ),
    given,
  };
}

const good = (results = "t:passed") => run({ outcome: "pass", cause: null }, results);
const bad = (results = "t:failed", change: Partial<AttemptJson> = {}) =>
  run({ outcome: "fail", cause: "test-failure", phase: "test", ...change }, results);
const uncollected = () => bad("", { outcome: "error", cause: "collection-error", tests: null });
const unbuilt = (cause = "build-backend(b)") => bad("", { phase: "build", cause });
const skipped = (cause: string) => run({ outcome: "skip", cause });
const flaky = () => bad("t:failed", { confidence: "flaky" });
const farm = () => run({ outcome: "error", cause: "agent-lost" });
const differs = () => bad("t:failed", { cause: "machine-difference" });

test.each<[string, SideRun[], SideRun[], string, string]>([
  ["passes with both", [good()], [good()], "unchanged", "unconfirmed"],
  ["passes, then fails, twice", [good(), good()], [bad(), bad()], "newly-broken", "confirmed(2/2)"],
  ["fails, then passes, twice", [bad(), bad()], [good(), good()], "fixed", "confirmed(2/2)"],
  ["fails the second time only", [good(), good()], [good(), bad()], "incomparable", "flaky"],
  ["A fails once of twice", [good(), bad()], [bad(), bad()], "incomparable", "flaky"],
  ["what fails at times", [good(), good()], [flaky(), flaky()], "incomparable", "flaky"],
  ["the same failure", [bad()], [bad()], "unchanged", "unconfirmed"],
  ["a failure of the machine kind on both", [differs()], [differs()], "unchanged", "unconfirmed"],
  ["passes, and differs by machine", [good()], [differs()], "unchanged", "unconfirmed"],
  [
    "one more test",
    [bad("t:failed u:passed"), bad("t:failed u:passed")],
    [bad("t:failed u:failed"), bad("t:failed u:failed")],
    "newly-broken",
    "confirmed(2/2)",
  ],
  [
    "one more test, once",
    [bad("t:failed u:passed"), bad("t:failed u:passed")],
    [bad("t:failed u:failed"), bad("t:failed u:passed")],
    "unchanged",
    "confirmed(2/2)",
  ],
  [
    "one test fewer",
    [bad("t:failed u:failed"), bad("t:failed u:failed")],
    [bad("t:failed u:passed"), bad("t:failed u:passed")],
    "changed-failure",
    "confirmed(2/2)",
  ],
  [
    "a test that A did not have",
    [bad("t:failed")],
    [bad("t:failed u:failed")],
    "unchanged",
    "unconfirmed",
  ],
  [
    "tests that fail, then no build",
    [bad(), bad()],
    [unbuilt(), unbuilt()],
    "newly-broken",
    "confirmed(2/2)",
  ],
  [
    "tests of which some pass, then none that could be collected",
    [bad(), bad()],
    [uncollected(), uncollected()],
    "newly-broken",
    "confirmed(2/2)",
  ],
  [
    "no build, then tests that fail",
    [unbuilt(), unbuilt()],
    [bad(), bad()],
    "changed-failure",
    "confirmed(2/2)",
  ],
  [
    "another failure of the build",
    [unbuilt("compiler"), unbuilt("compiler")],
    [unbuilt(), unbuilt()],
    "changed-failure",
    "confirmed(2/2)",
  ],
  [
    "nothing said by either",
    [skipped("no-tests")],
    [skipped("no-tests")],
    "unchanged",
    "unconfirmed",
  ],
  ["nothing said by one", [good()], [skipped("no-tests")], "incomparable", "unconfirmed"],
  [
    "nothing said for two reasons",
    [skipped("no-tests")],
    [skipped("requires-python")],
    "incomparable",
    "unconfirmed",
  ],
  ["the farm's fault", [good(), good()], [farm(), farm()], "incomparable", "confirmed(2/2)"],
  ["the farm's fault, once", [good(), good()], [farm(), good()], "unchanged", "unconfirmed"],
  ["nothing run", [], [], "incomparable", "unconfirmed"],
])("%s", (_what, a, b, verdict, confidence) => {
  expect(compareSides(CHANGE, a, b)).toMatchObject({ verdict, confidence });
});

test.each<[string, SideRun[], SideRun[], boolean]>([
  ["a pass on both sides", [good()], [good()], false],
  ["the same failure", [bad()], [bad()], false],
  ["a break", [good()], [bad()], true],
  ["a fix", [bad()], [good()], true],
  ["another failure", [unbuilt("compiler")], [unbuilt()], true],
  ["one more test", [bad("t:failed u:passed")], [bad("t:failed u:failed")], true],
  ["a flaky side", [good()], [flaky()], true],
  ["the farm's fault", [farm()], [good()], true],
  [
    "what can't be had",
    [good()],
    [run({ outcome: "fail" }, "", { unsatisfied: "it needs lib<2" })],
    false,
  ],
  ["a break that was seen twice", [good(), good()], [bad(), bad()], false],
  ["a side that is not there yet", [good()], [], false],
])("after %s, once more: %s", (_what, a, b, wanted) => {
  expect(wantsAnotherRound(CHANGE, a, b)).toBe(wanted);
});

test("who asks for another release is not broken by it, whatever failed", () => {
  const b = run({ outcome: "fail" }, "", { unsatisfied: "it needs lib<2, and there is only 2.0" });
  expect(compareSides(CHANGE, [good()], [b])).toMatchObject({
    verdict: "incomparable",
    why: ["it needs lib<2, and there is only 2.0: can't be had with B"],
    farmFault: false,
  });
});

test("what was used by neither side broke nothing", () => {
  const unused = { installed: null, served: [] };
  const a = run({ outcome: "pass", cause: null }, "t:passed", unused);
  const b = run({ outcome: "fail", cause: "test-failure" }, "t:failed", unused);
  expect(compareSides(CHANGE, [a], [a])).toMatchObject({
    verdict: "unchanged",
    exercised: false,
    why: [expect.stringContaining("not exercised")],
  });
  expect(compareSides(CHANGE, [a, a], [b, b])).toMatchObject({
    verdict: "incomparable",
    exercised: false,
  });
});

test("what the environment itself brought is no use of what the index gave, and is told", () => {
  const own = (served: readonly string[]) =>
    run({ outcome: "pass", cause: null }, "", { installed: "0.9", served });
  expect(compareSides(CHANGE, [own([])], [own([])]).exercised).toBe(false);
  expect(compareSides(CHANGE, [own(["1.0"])], [own(["2.0"])])).toMatchObject({
    exercised: true,
    why: [
      "passes with both",
      "with A the environment itself has lib 0.9",
      "with B the environment itself has lib 0.9",
    ],
  });
});

test("with two dates, what the index gave is what changes", () => {
  const change: Change = { kind: "date", a: "2026-01-01T00:00:00Z", b: null };
  const lock = (digit: string) => ({ ...sampleAttempt().axes, lock: digit.repeat(64) });
  const at = (digit: string, given: string) => ({
    ...run({ outcome: "pass", cause: null, axes: lock(digit) }, "", {}, [given]),
  });
  expect(compareSides(change, [at("1", "x 1.0")], [at("1", "x 1.0")]).exercised).toBe(false);
  expect(compareSides(change, [at("1", "x 1.0")], [at("2", "x 1.1")])).toMatchObject({
    exercised: true,
    moved: ["x 1.0 → 1.1"],
  });
});

test("what moved besides is told, what changes is not", () => {
  const a = run({ outcome: "pass", cause: null }, "", {}, ["lib 1.0", "x 1.0", "y 1.0"]);
  const b = run({ outcome: "pass", cause: null }, "", {}, ["lib 2.0", "x 1.0", "z 3"]);
  expect(compareSides(CHANGE, [a], [b]).moved).toEqual(["y 1.0 → none", "z none → 3"]);
});

test("what a package wrote is bounded, and breaks out of nothing", () => {
  const lines = ["\u001b[2J\n\u202e", "x".repeat(10_000)];
  const b = bad("t:failed", { evidence: { ...bad().attempt.evidence, firstLines: lines } });
  const { why } = compareSides(CHANGE, [good(), good()], [b, b]);
  expect(why.join("")).not.toMatch(/[\u0000-\u001f\u202e]/u);
  expect(Math.max(...why.map((line) => line.length))).toBeLessThanOrEqual(400);
});

test("the published schema is the one of what is printed", () => {
  const published: unknown = JSON.parse(
    readFileSync(new URL("../../docs/compare.schema.json", import.meta.url), "utf8"),
  );
  // To publish a change: print comparisonJsonSchema() into docs/compare.schema.json.
  expect(published).toEqual(JSON.parse(JSON.stringify(comparisonJsonSchema())));
});
