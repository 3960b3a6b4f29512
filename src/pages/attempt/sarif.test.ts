import { expect, test } from "vitest";
import { z } from "zod";

import type { TestOutcome, TestResult } from "../../model/attempt.ts";
import { sampleAttempt } from "../../model/result-json.sample.ts";
import type { AttemptJson } from "../../model/result-json.ts";
import { renderSarif } from "./sarif.ts";

/** What SARIF 2.1.0 (OASIS) requires of all that is in ours; nothing else may be there. */
const Message = z.strictObject({ text: z.string().min(1) });
const Uri = z
  .string()
  .refine((uri) => new URL(uri, "file:///tree/").href.startsWith("file:///tree/"))
  .refine((uri) => /^[\w./%+@~-]+$/u.test(uri));
const Location = z.strictObject({
  physicalLocation: z
    .strictObject({
      artifactLocation: z.strictObject({ uri: Uri, uriBaseId: z.literal("SRCROOT") }),
      region: z.strictObject({ startLine: z.int().positive() }).optional(),
    })
    .optional(),
  logicalLocations: z
    .array(
      z.strictObject({
        fullyQualifiedName: z.string().min(1),
        kind: z.enum(["function", "module"]),
      }),
    )
    .min(1),
});
const Result = z.strictObject({
  ruleId: z.string().min(1),
  ruleIndex: z.literal(0),
  level: z.enum(["none", "note", "warning", "error"]),
  message: Message,
  locations: z.array(Location).length(1),
  partialFingerprints: z.record(z.string(), z.string()),
});
const Sarif = z.strictObject({
  $schema: z.url(),
  version: z.literal("2.1.0"),
  runs: z.tuple([
    z.strictObject({
      tool: z.strictObject({
        driver: z.strictObject({
          name: z.literal("Creamery"),
          version: z.string(),
          semanticVersion: z.string(),
          rules: z.tuple([z.strictObject({ id: z.string().min(1), shortDescription: Message })]),
        }),
      }),
      automationDetails: z.strictObject({ id: z.string() }),
      invocations: z.tuple([
        z.strictObject({
          executionSuccessful: z.boolean(),
          toolExecutionNotifications: z
            .array(z.strictObject({ level: z.literal("error"), message: Message }))
            .optional(),
        }),
      ]),
      results: z.array(Result),
      properties: z.record(z.string(), z.union([z.string(), z.number()])),
    }),
  ]),
});

function runOf(change: Partial<AttemptJson>, tests: readonly TestResult[] = []) {
  const text = renderSarif(sampleAttempt(change), tests, { version: "0.1.0" });
  return Sarif.parse(JSON.parse(text)).runs[0];
}

const ran = (id: string, outcome: TestOutcome, message?: string): TestResult => ({
  id,
  outcome,
  seconds: 0,
  ...(message === undefined ? {} : { message }),
});

test("a result for each test that did not pass, at the line where it failed", () => {
  const { results, tool } = runOf({}, [
    ran(
      "tests/test_a.py::TestA::test_b[x::y]",
      "failed",
      "E   assert 1\n\ntests/test_a.py:7: in f\ntests/test_a.py:12: AssertionError",
    ),
    ran("tests/test a.py::test_c", "error"),
    ran("module.Class.test", "failed", "no"),
    ran("tests/test_a.py::test_d", "passed"),
  ]);
  expect(
    results.map(({ ruleId, locations: [place] }) => [ruleId, place?.physicalLocation]),
  ).toEqual([
    [
      "test-failure",
      {
        artifactLocation: { uri: "tests/test_a.py", uriBaseId: "SRCROOT" },
        region: { startLine: 12 },
      },
    ],
    ["test-failure", { artifactLocation: { uri: "tests/test%20a.py", uriBaseId: "SRCROOT" } }],
    ["test-failure", undefined],
  ]);
  expect(tool.driver.rules[0].id).toBe("test-failure");
});

test("one result for what kept tests from running", () => {
  const { results } = runOf({ cause: "build-backend(setuptools)", phase: "build", tests: null });
  expect(results.map(({ ruleId, message }) => [ruleId, message.text.split("\n")[0]])).toEqual([
    ["build-backend", expect.stringContaining("its build with setuptools fails")],
  ]);
});

test("a pass, and what the farm has to explain, are no result; what the farm failed in is told of the run", () => {
  const failed = [ran("t.py::a", "failed")];
  expect(runOf({ outcome: "pass", cause: null }).results).toEqual([]);
  expect(runOf({ cause: "machine-difference" }, failed).results).toEqual([]);
  const farms = runOf({ outcome: "error", cause: "vm-resume" }, failed);
  expect(farms.results).toEqual([]);
  expect(farms.invocations[0].executionSuccessful).toBe(false);
  expect(farms.invocations[0].toolExecutionNotifications?.[0]?.message.text).toContain("the farm");
});

test("an id of any kind names no file outside of the tree, and none that is no file's name", () => {
  const ids = [
    "/etc/passwd.py::a",
    "../../a.py::a",
    "a/../../b.py::a",
    "https://host.example/a.py::a",
    "a\\b.py::a",
    "a\n.py::a",
    "\ud800.py::a",
    "a.txt::a",
    "",
    "a//b.py::x",
  ];
  const { results } = runOf(
    {},
    ids.map((id) => ran(id === "" ? " " : id, "failed")),
  );
  expect(
    results.flatMap(({ locations }) =>
      locations.flatMap(({ physicalLocation }) => physicalLocation ?? []),
    ),
  ).toEqual([]);
});

test("a suite that fails everywhere is bounded, and what is left out is counted", () => {
  const tests = Array.from({ length: 5003 }, (_, at) =>
    ran(`t.py::n${at}`, "failed", "x".repeat(3000)),
  );
  const { results, properties } = runOf({}, tests);
  expect([results.length, properties["leftOut"]]).toEqual([5000, 3]);
});
