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
  ["what 3.15 says", "ModuleNotFoundError: Standard library module '_lzma' was not found", "lzma"],
  [
    "what zipfile makes of it",
    "RuntimeError: Compression requires the (missing) lzma module",
    "lzma",
  ],
  ["what tarfile makes of it", "tarfile.CompressionError: lzma module is not available", "lzma"],
  [
    "Debian's own words in 3.15",
    "ModuleNotFoundError: Please install the python3-gdbm package for GDBM support.",
    "_gdbm",
  ],
  ["pytest's line", "E   ModuleNotFoundError: No module named '_sqlite3'", "sqlite3"],
  ["pytest's own end", "INTERNALERROR> ImportError: No module named '_sqlite3'", "sqlite3"],
])("%s is the interpreter's gap", (_, text, gap) => {
  expect(interpreterGap(text, lacks)).toEqual({ kind: "missing-system-library", detail: gap });
  expect(interpreterGap(text, [])).toBeNull();
});

test("what no build of Python has is none", () => {
  expect(interpreterGap("ModuleNotFoundError: No module named 'pysqlite3'", lacks)).toBeNull();
  expect(interpreterGap("ModuleNotFoundError: No module named 'mine._sqlite3'", lacks)).toBeNull();
  expect(interpreterGap("ModuleNotFoundError: No module named 'constructor'", lacks)).toBeNull();
});

test.each([
  ["3.13, by its name of 2.7", "No module named 'gdbm'", ["tkinter", "_gdbm"], null],
  ["3.12, one in a package of that name", "No module named 'dbm.sqlite3'", ["_gdbm", "_dbm"], null],
  ["3.12, the compiled half of one in it", "No module named '_dbm'", ["_gdbm", "_dbm"], "_dbm"],
  [
    "2.7, its Tkinter",
    "No module named _tkinter, please install the python-tk package",
    ["Tkinter", "gdbm"],
    "Tkinter",
  ],
  ["2.7, its gdbm", "No module named gdbm", ["Tkinter", "gdbm"], "gdbm"],
  ["2.7, the later name", "No module named tkinter", ["Tkinter", "gdbm"], null],
] as const)("a name stands for what the version has by it: %s", (_, said, gaps, gap) => {
  expect(interpreterGap(`ImportError: ${said}`, gaps)?.detail ?? null).toBe(gap);
});

const message = [
  "Traceback (most recent call last):",
  '  File "/job/venv/lib/python3.10/site-packages/coverage/sqlitedb.py", line 10, in <module>',
  "    import sqlite3",
  '  File "/opt/x/lib/python3.10/sqlite3/dbapi2.py", line 27, in <module>',
  "    from _sqlite3 import *",
  "ModuleNotFoundError: No module named '_sqlite3'",
].join("\n");

function causeWith(
  gaps: readonly string[],
  change: Parameters<typeof sampleEvidence>[0],
  pythonVersion = "3.10.8",
): string {
  const { cause } = classify(sampleEvidence({ ...change, pythonVersion, lacks: gaps }));
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

const NOTE = "no GUI: No module named 'tkinter'";
const TKINTER = "ModuleNotFoundError: No module named 'tkinter'";
const DURING =
  "\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n";

function frame(line: string): string {
  return `  File "/job/venv/lib/python3.13/site-packages/mine/__init__.py", line 2, in <module>\n    ${line}\n`;
}

const build = (...lines: readonly string[]) => ({
  phase: "build" as const,
  failedStep: sampleStep({
    phase: "build",
    code: 1,
    text: [...lines, "error: build backend returned an error"].join("\n"),
  }),
});
const imported = (text: string) => ({
  smoke: { ok: false, failures: [{ what: "import", name: "mine", top: true, text }] as const },
});
const failing = (text: string) => ({
  tests: {
    best: sampleRun({
      result: sampleStep({ code: 1 }),
      report: sampleReport(["failed", "passed"], {}, text),
    }),
    failedStep: null,
  },
});

test.each([
  [
    "a build that noted one, and failed of a file",
    build(
      "optional dependency tkinter: no [No module named 'tkinter']",
      "Traceback (most recent call last):",
      "FileNotFoundError: [Errno 2] No such file or directory: 'VERSION'",
    ),
    "build-backend(setuptools.build_meta)",
  ],
  [
    "a build that noted one, and failed of another module",
    build(
      "UserWarning: turtle demo skipped: No module named 'tkinter'",
      "Traceback (most recent call last):",
      "ModuleNotFoundError: No module named 'numpy'",
    ),
    "missing-dependency-declaration(numpy)",
  ],
  [
    "a conftest beside one",
    {
      tests: {
        best: sampleRun({
          result: sampleStep({
            code: 4,
            text: `TkAgg, ${NOTE}\nImportError while loading conftest '/job/src/tests/conftest.py'.\ntests/conftest.py:1: in <module>\n    import requests\nE   ModuleNotFoundError: No module named 'requests'\n`,
          }),
          report: sampleReport([]),
        }),
        failedStep: null,
      },
    },
    "missing-dependency-declaration(requests)",
  ],
  [
    "an import that caught one, and failed of what is gone",
    imported(
      `Traceback (most recent call last):\n${frame("import tkinter")}${TKINTER}${DURING}${frame("import distutils")}ModuleNotFoundError: No module named 'distutils'\n`,
    ),
    "removed-api(distutils)",
  ],
  [
    "an import that caught one, and another of what is not in the release",
    imported(
      `Traceback (most recent call last):\n${frame("import tkinter")}${TKINTER}${DURING}${frame("from mine import gui")}ImportError: cannot import name 'gui' from 'mine'\n`,
    ),
    "import-error",
  ],
  [
    "a test that read of one",
    failing(
      `Traceback (most recent call last):\n  File "x.py", line 2\n    assert out == ''\nAssertionError: assert "warning: ${NOTE}" == ''`,
    ),
    "test-failure",
  ],
  [
    "a test that compared the words of one",
    failing(
      `E   AssertionError: assert 'Traceback' == ''\nE     - Traceback\nE     - ${TKINTER}\n`,
    ),
    "test-failure",
  ],
] as const)("a gap that nothing failed of is none: %s", (_, change, cause) => {
  expect(causeWith(["tkinter", "_gdbm"], change, "3.13.5")).toBe(cause);
  expect(causeWith([], change, "3.13.5")).toBe(cause);
});

test.each([
  ["ImportError: mine needs a GUI, which this Python has not\n", "import-error"],
  ["mine.errors.SetUpError: no GUI\n", "import-error"],
  ["mine.NoGui: none\n", "import-error"],
])("what has no cause of its own (%j) has that of what it came out of", (raised, cause) => {
  const chain = `Traceback (most recent call last):\n${frame("import tkinter")}${TKINTER}${DURING}${frame("raise")}${raised}`;
  expect(causeWith(["tkinter"], imported(chain), "3.13.5")).toBe("missing-system-library(tkinter)");
  expect(causeWith([], imported(chain), "3.13.5")).toBe(cause);
  expect(causeWith(["tkinter"], failing(chain), "3.13.5")).toBe("missing-system-library(tkinter)");
});

test("what a process of a build's own could not import is never an undeclared dependency", () => {
  const change = build(TKINTER, "subprocess.CalledProcessError: Command 'x' returned 1");
  expect(causeWith(["tkinter"], change, "3.13.5")).toBe("missing-system-library(tkinter)");
  expect(causeWith([], change, "3.13.5")).toBe("missing-dependency-declaration(tkinter)");
});
