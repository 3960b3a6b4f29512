import fc from "fast-check";
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { z } from "zod";

import { OUTCOMES, type TestOutcome, type TestResult } from "../../model/attempt.ts";
import { sampleAttempt } from "../../model/result-json.sample.ts";
import { exitCodeOf } from "./exit-code.ts";
import { controlsOf, HOSTILE, hostileAttempt } from "./hostile.sample.ts";
import { renderJunit, splitId, type JunitAttempt } from "../../pages/attempt/junit.ts";

const TEST_OUTCOMES = [
  "passed",
  "failed",
  "error",
  "skipped",
  "xfailed",
  "xpassed",
] as const satisfies readonly TestOutcome[];

const result = (id: string, outcome: TestOutcome, message?: string): TestResult => ({
  id,
  outcome,
  seconds: 0.5,
  ...(message === undefined ? {} : { message }),
});

test("a testsuite for each attempt, a testcase for each result", () => {
  const results = [
    result("tests/test_a.py::TestB::test_c[1::2]", "passed"),
    result("tests/test_a.py::test_b", "failed", "assert 1 < 2\nmore & more"),
    result("module.Class.test", "skipped", "no numpy"),
  ];
  expect(renderJunit([{ attempt: sampleAttempt(), results }])).toBe(
    [
      '<?xml version="1.0" encoding="UTF-8"?>',
      '<testsuites name="creamery" tests="3" failures="1" errors="0" skipped="1">',
      '<testsuite name="mine 1.0 / cpython-3.13" tests="3" failures="1" errors="0" skipped="1" time="2.050">',
      "<properties>",
      '<property name="id" value="01h"/>',
      '<property name="image" value="2026.11.1+0f3a9c21"/>',
      '<property name="machine" value="gvisor"/>',
      '<property name="rung" value="B1+C3"/>',
      '<property name="outcome" value="fail"/>',
      '<property name="cause" value="test-failure"/>',
      '<property name="confidence" value="confirmed(2/2)"/>',
      "</properties>",
      '<testcase classname="tests/test_a.py::TestB" name="test_c[1::2]" time="0.500"/>',
      '<testcase classname="tests/test_a.py" name="test_b" time="0.500"><failure message="assert 1 &lt; 2">assert 1 &lt; 2\nmore &amp; more</failure></testcase>',
      '<testcase classname="module.Class" name="test" time="0.500"><skipped message="no numpy">no numpy</skipped></testcase>',
      "</testsuite>",
      "</testsuites>",
      "",
    ].join("\n"),
  );
});

test.each([
  ["tests/test_a.py::test_b", "tests/test_a.py", "test_b"],
  ["tests/test_a.py::TestB::test_c[a::b.c]", "tests/test_a.py::TestB", "test_c[a::b.c]"],
  ["module.Class.test", "module.Class", "test"],
  ["module.Class.test [i=1.5]", "module.Class", "test [i=1.5]"],
  ["tests/test_a.py", "tests/test_a.py", "tests/test_a.py"],
  ["alone", "alone", "alone"],
  ["::x", "::x", "::x"],
  ["x::", "x::", "x::"],
  ["", "", ""],
])("the id %j is split into %j and %j", (id, classname, name) => {
  expect(splitId(id)).toEqual({ classname, name });
});

test("a failure that no test carries is a testcase of its own", () => {
  const built = sampleAttempt({ phase: "build", cause: "compiler", confidence: "unconfirmed" });
  const xml = renderJunit([{ attempt: built, results: [result("a.b", "passed")] }]);
  expect(xml).toContain(
    '<testcase classname="mine 1.0 / cpython-3.13" name="creamery" time="0.000"><error message="fail in build: compiler (unconfirmed)">fail in build: compiler (unconfirmed)\nE   AssertionError</error></testcase>',
  );
  expect(xml).toContain('tests="2" failures="0" errors="1"');
});

test("what passed where it was confirmed is shown as skipped, as the exit code is 0", () => {
  const attempt = sampleAttempt({ cause: "machine-difference", confidence: "confirmed(1/2)" });
  const xml = renderJunit([{ attempt, results: [result("a.b", "failed", "assert 0")] }]);
  expect(xml).toContain('tests="1" failures="0" errors="0" skipped="1"');
  expect(xml).toContain('<skipped message="machine-difference: assert 0">');
});

test("no control character of a package's gets through", () => {
  const results = [result(HOSTILE, "failed", HOSTILE), result(`a::${HOSTILE}`, "skipped")];
  const xml = renderJunit([{ attempt: hostileAttempt(), results }]);
  expect(controlsOf(xml)).toEqual([]);
  expect(xml).not.toContain("]]>");
  expect(xml).toContain(String.raw`\ufffe\ud800`);
});

// What Python's own reader finds in each document; null where it is no XML.
const READER = `
import json, sys
import xml.etree.ElementTree as ET
def read(text):
    try:
        root = ET.fromstring(text.encode("utf-8"))
    except (ET.ParseError, UnicodeError):
        return None
    def said(e):
        return [int(e.get(k)) for k in ("tests", "failures", "errors", "skipped")]
    def held(e):
        return [len(list(e.iter(k))) for k in ("testcase", "failure", "error", "skipped")]
    return {"said": said(root), "held": held(root),
            "suites": [{"said": said(s), "held": held(s), "names": [c.get("name") for c in s.iter("testcase")]}
                       for s in root.findall("testsuite")]}
print(json.dumps([read(text) for text in json.load(sys.stdin)]))
`;
const numbers = z.array(z.number());
const Readings = z.array(
  z
    .object({
      said: numbers,
      held: numbers,
      suites: z.array(z.object({ said: numbers, held: numbers, names: z.array(z.string()) })),
    })
    .nullable(),
);

function readAll(documents: readonly string[]): z.infer<typeof Readings> {
  const input = JSON.stringify(documents);
  const output = execFileSync("python3", ["-c", READER], {
    input,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  return Readings.parse(JSON.parse(output));
}

test("whatever the ids hold it is XML, its counts agree, and it is red wherever the exit code is not 0", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({
      unit: fc.constantFrom(...Array.from(HOSTILE), "\ud800", "\udfff", "::", ".", "[", "]]>"),
    }),
  );
  const attempt = fc
    .record({
      project: fc.string({ unit: "binary", minLength: 1 }),
      outcome: fc.constantFrom(...OUTCOMES),
      cause: fc.oneof(
        fc.constantFrom("test-failure", "machine-difference", "agent-lost", "no-tests"),
        text.map((detail) => `build-backend(${detail})`),
      ),
    })
    .map(({ project, outcome, cause }) =>
      sampleAttempt({ project, outcome, cause: outcome === "pass" ? null : cause }),
    );
  const results = fc.array(
    fc.record({
      id: text,
      outcome: fc.constantFrom(...TEST_OUTCOMES),
      seconds: fc.double({ min: 0, max: 1e7, noNaN: true }),
      message: text,
    }),
    { maxLength: 6 },
  );
  const attempts = fc.array(fc.record({ attempt, results }), { maxLength: 4 });
  const samples: JunitAttempt[][] = fc.sample(attempts, 400);
  const readings = readAll(samples.map((one) => renderJunit(one)));
  expect(readings).toHaveLength(samples.length);
  for (const [index, given] of samples.entries()) {
    const reading = readings[index] ?? null;
    expect(reading, JSON.stringify(given)).not.toBeNull();
    if (reading === null) continue;
    expect(reading.said).toEqual(reading.held);
    expect(reading.suites).toHaveLength(given.length);
    for (const [at, suite] of reading.suites.entries()) {
      const count = given[at]?.results.length ?? 0;
      expect(suite.said).toEqual(suite.held);
      expect(suite.names.filter((name) => name !== "creamery")).toHaveLength(count);
    }
    const [, failures = 0, errors = 0] = reading.said;
    const isSound = given.length === 0 || exitCodeOf(given.map((one) => one.attempt)) === 0;
    expect(isSound || failures + errors > 0, JSON.stringify(given)).toBe(true);
  }
});

test("the reader takes what is no XML for none", () => {
  expect(readAll(["<a>\u001b</a>", "<a>&</a>"])).toEqual([null, null]);
});

test.each([
  ["def test():\n>   assert 1 == 2\nE   assert 1 == 2\n\na.py:2: AssertionError", "assert 1 == 2"],
  [
    "def test():\nE   KeyError: 'x'\n\nduring it:\nE   ValueError: y\nE    +  where z",
    "ValueError: y",
  ],
  ["Traceback:\n  File 'x'\na.b.OddError: 1\n\nExpected\nmine.Failure: 2\nmore", "mine.Failure: 2"],
  ["went wrong\nsomehow", "went wrong"],
])("the message of a failure is the line that says it: %j", (message, line) => {
  const attempt = sampleAttempt({ outcome: "fail" });
  const xml = renderJunit([{ attempt, results: [result("a::b", "failed", message)] }]);
  expect(/<failure message="([^"]*)"/u.exec(xml)?.[1]).toBe(line);
});

test("a report of a run that was ended early is red", () => {
  const attempt = sampleAttempt({ outcome: "pass", cause: null });
  const xml = renderJunit([{ attempt, results: [result("a::b", "passed")] }], "interrupted by <x>");
  expect(xml).toContain(
    '<testsuites name="creamery" tests="2" failures="0" errors="1" skipped="0">',
  );
  expect(xml).toContain('<error message="interrupted by &lt;x&gt;">');
});

test("what there is no room for is counted, and what failed is not left out for what passed", () => {
  const results = [
    ...Array.from({ length: 50 }, (_, index) => result(`a::passed${index}`, "passed")),
    result("a::failed", "failed", "assert 0"),
  ];
  const xml = renderJunit([{ attempt: sampleAttempt(), results }], null, [], 1000);
  expect(xml).toContain('name="failed"');
  const kept = [...xml.matchAll(/<testcase /gu)].length;
  expect(xml).toContain(`${results.length - kept + 1} more are in the attempt's report`);
  expect(kept).toBeLessThan(20);
});
