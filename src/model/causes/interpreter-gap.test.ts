import { expect, test } from "vitest";

import { classify } from "../classify.ts";
import { sampleEvidence, sampleReport, sampleRun, sampleStep } from "../evidence.sample.ts";
import { formatCause } from "../result-words.ts";
import { interpreterGap } from "./interpreter-gap.ts";

const lacks = ["sqlite3", "lzma", "curses", "_gdbm"];

test.each([
  ["the compiled half", "ModuleNotFoundError: No module named '_sqlite3'", "sqlite3"],
  ["the module itself, and one in it", "ImportError: No module named curses.panel", "curses"],
  ["Debian's own words", "ImportError: No module named '_gdbm', please install it", "_gdbm"],
  ["what 3.15 says", "Standard library module '_lzma' was not found", "lzma"],
  [
    "what zipfile makes of it",
    "RuntimeError: Compression requires the (missing) lzma module",
    "lzma",
  ],
])("%s is the interpreter's gap", (_, text, gap) => {
  expect(interpreterGap(text, lacks)).toEqual({ kind: "missing-system-library", detail: gap });
  expect(interpreterGap(text, [])).toBeNull();
});

test("what no build of Python has is none", () => {
  expect(interpreterGap("ModuleNotFoundError: No module named 'pysqlite3'", lacks)).toBeNull();
  expect(interpreterGap("ModuleNotFoundError: No module named 'mine._sqlite3'", lacks)).toBeNull();
});

const message = [
  "Traceback (most recent call last):",
  '  File "/job/venv/lib/python3.10/site-packages/coverage/sqlitedb.py", line 10, in <module>',
  "    import sqlite3",
  '  File "/opt/x/lib/python3.10/sqlite3/dbapi2.py", line 27, in <module>',
  "    from _sqlite3 import *",
  "ModuleNotFoundError: No module named '_sqlite3'",
].join("\n");

function causeWith(gaps: readonly string[], change: Parameters<typeof sampleEvidence>[0]): string {
  const { cause } = classify(sampleEvidence({ ...change, pythonVersion: "3.10.8", lacks: gaps }));
  return cause === null ? "" : formatCause(cause);
}

test.each([
  [
    "tests that all fail of it",
    {
      tests: {
        best: sampleRun({
          result: sampleStep({ code: 1 }),
          report: sampleReport(["failed", "failed"], {}, message),
        }),
        failedStep: null,
      },
    },
    "test-failure",
  ],
  [
    "modules of tests that are not collected",
    {
      tests: {
        best: sampleRun({
          result: sampleStep({ code: 2 }),
          report: sampleReport([], { collectionErrors: [{ id: "tests/test_a.py", message }] }),
        }),
        failedStep: null,
      },
    },
    "missing-dependency-declaration(_sqlite3)",
  ],
  [
    "a runner that can't start",
    {
      tests: {
        best: sampleRun({
          result: sampleStep({ code: 3, text: message }),
          report: sampleReport([]),
        }),
        failedStep: null,
      },
    },
    "missing-dependency-declaration(_sqlite3)",
  ],
  [
    "a main module that can't be imported",
    {
      smoke: {
        ok: false,
        failures: [{ what: "import", name: "mine", top: true, text: message }],
      },
    },
    "missing-dependency-declaration(_sqlite3)",
  ],
  [
    "a backend that asks for it",
    {
      phase: "build",
      failedStep: sampleStep({
        phase: "build",
        code: 1,
        text: "ModuleNotFoundError: No module named '_sqlite3'\nerror: build backend returned an error",
      }),
    },
    "missing-dependency-declaration(_sqlite3)",
  ],
] as const)(
  "%s: the gap is named where it is one, and nothing else is changed",
  (_, change, else_) => {
    expect(causeWith(lacks, change)).toBe("missing-system-library(sqlite3)");
    expect(causeWith([], change)).toBe(else_);
  },
);

test("of failures with nothing else in common the gap takes none", () => {
  const report = sampleReport(["failed", "failed"], {}, message);
  const [first, second] = report.results;
  if (first === undefined || second === undefined) throw new Error("two were made");
  const mixed = { ...report, results: [first, { ...second, message: "AssertionError" }] };
  const best = sampleRun({ result: sampleStep({ code: 1 }), report: mixed });
  expect(causeWith(lacks, { tests: { best, failedStep: null } })).toBe("test-failure");
});
