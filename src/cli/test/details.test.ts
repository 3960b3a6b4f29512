import { expect, test } from "vitest";

import type { AttemptJson } from "../../model/result-json.ts";
import { sampleAttempt } from "../../model/result-json.sample.ts";
import { renderDetails } from "./details.ts";
import { controlsOf, hostileAttempt } from "./hostile.sample.ts";

const { evidence } = sampleAttempt();
const QUIET = { ...evidence, refused: [], failing: [], firstLines: [] };

test("of a pass: counts, what was installed, the rung, the seconds, and where to go on", () => {
  const attempt = sampleAttempt({
    project: "lmdb",
    version: "3.0.0",
    outcome: "pass",
    cause: null,
    tests: { collected: 506, passed: 487, failed: 0, errors: 0, skipped: 19, deselected: 0 },
    plan: { rung: "B0+C3", command: "python -m pytest", rejected: [] },
    seconds: {
      start: 0.2,
      venv: 0.31,
      scan: 0.04,
      install: 0.6,
      farm: 0.5,
      test: 25.9,
      total: 27.31,
    },
    evidence: QUIET,
  });
  expect(renderDetails([attempt], false)).toBe(
    "lmdb 3.0.0 cpython-3.13 gvisor: pass, 506 collected: 487 passed, 19 skipped; wheel; rung B0+C3; 27.3 s (start 0.2, venv 0.3, install 0.6, test 25.9, farm 0.5)\n  log: ./creamery log 01h; again: ./creamery reproduce 01h\n",
  );
});

test("what an experiment gave it is told", () => {
  const file = { filename: "b-2-py3-none-any.whl", sha256: "a".repeat(64) };
  const overlay = {
    releases: [
      { project: "a", version: "1", file: null },
      { project: "b", version: "2", file },
    ],
    before: "2026-01-01T00:00:00Z",
    env: { MODE: "old" },
    used: [],
    unsatisfied: null,
  };
  const attempt = sampleAttempt({ outcome: "pass", evidence: { ...QUIET, overlay } });
  expect(renderDetails([attempt], false)).toContain(
    "\n  experiment: given a==1, b by b-2-py3-none-any.whl, the index of before 2026-01-01T00:00:00Z, MODE=old alone\n",
  );
  const nothing = { ...overlay, releases: [], before: null, env: {} };
  const quiet = sampleAttempt({ outcome: "pass", evidence: { ...QUIET, overlay: nothing } });
  expect(renderDetails([quiet], false)).not.toContain("experiment");
});

test("of a failure all that is needed next", () => {
  const failing = ["a", "b", "c", "d", "e", "f"].map((name) => ({
    id: `tests/test_a.py::test_${name}`,
    outcome: "failed" as const,
    message: "AssertionError",
  }));
  const attempt = sampleAttempt({
    tests: { collected: 20, passed: 3, failed: 9, errors: 1, skipped: 4, deselected: 2 },
    evidence: {
      ...evidence,
      failing,
      differing: ["tests/test_a.py::test_z"],
      firstLines: Array.from({ length: 20 }, (_, index) => `line ${index + 1}`),
      contradictions: ["the runner finished twice"],
      refused: [
        { target: "files.example:443", kind: "connect", count: 1 },
        { target: "b.example", kind: "dns", count: 3 },
      ],
      attempts: ["open /etc/passwd", "mkdir /x"],
    },
  });
  expect(renderDetails([attempt], false)).toBe(
    [
      "mine 1.0 cpython-3.13 gvisor: FAIL, 20 collected: 3 passed, 9 failed, 1 error, 4 skipped, 3 xfailed or xpassed, 2 deselected; wheel; rung B1+C3; 2.0 s (install 0.5, test 1.3, farm 0.3)",
      "  cause: test-failure, confirmed(2/2), decided in test",
      "  failing:",
      "    tests/test_a.py::test_a",
      "    tests/test_a.py::test_b",
      "    tests/test_a.py::test_c",
      "    tests/test_a.py::test_d",
      "    tests/test_a.py::test_e",
      "    and 5 more",
      "  passed where it was confirmed:",
      "    tests/test_a.py::test_z",
      "  first lines:",
      ...Array.from({ length: 12 }, (_, index) => `    line ${index + 1}`),
      "  contradiction: the runner finished twice",
      "  refused connections: files.example:443 (connect, once), b.example (dns, 3 times)",
      "  attempted writes: open /etc/passwd, mkdir /x",
      "  full log: ./creamery log 01h",
      "  report: ./creamery log 01h report.json",
      "  again: ./creamery reproduce 01h",
      "",
    ].join("\n"),
  );
});

test("of what never came as far as tests, what there is", () => {
  const attempt = sampleAttempt({
    version: "",
    phase: "build",
    cause: "missing-system-library(lzo/lzo1x.h)",
    confidence: "unconfirmed",
    installed: null,
    plan: { rung: null, command: null, rejected: [] },
    tests: null,
    smoke: null,
    seconds: {},
    log: null,
    report: null,
    evidence: QUIET,
  });
  expect(renderDetails([attempt], false)).toBe(
    [
      "mine cpython-3.13 gvisor: FAIL, no test ran; nothing installed; no time taken",
      "  cause: missing-system-library(lzo/lzo1x.h), unconfirmed, decided in build",
      "  again: ./creamery reproduce 01h",
      "",
    ].join("\n"),
  );
});

test("of a skip its reason and the smoke result, which is no count of tests", () => {
  const skip = (change: Partial<AttemptJson>) =>
    sampleAttempt({
      outcome: "skip",
      cause: "no-tests",
      tests: null,
      plan: { rung: null, command: null, rejected: [] },
      seconds: { total: 2.04 },
      evidence: QUIET,
      ...change,
    });
  const failed = [{ what: "script" as const, name: "mine", text: "exit 1" }];
  expect(
    renderDetails(
      [
        skip({}),
        skip({ smoke: "fail", evidence: { ...QUIET, smoke: failed } }),
        skip({ cause: "requires-python", smoke: null, installed: null }),
      ],
      false,
    ),
  ).toBe(
    [
      "mine 1.0 cpython-3.13 gvisor: skip, no-tests, smoke pass; wheel; 2.0 s",
      "mine 1.0 cpython-3.13 gvisor: skip, no-tests, smoke fail (script mine); wheel; 2.0 s",
      "mine 1.0 cpython-3.13 gvisor: skip, requires-python; nothing installed; 2.0 s",
    ]
      .map((line) => `${line}\n  log: ./creamery log 01h; again: ./creamery reproduce 01h\n`)
      .join(""),
  );
});

test("a pass says too what it tried to reach", () => {
  const attempt = sampleAttempt({ outcome: "pass", cause: null, seconds: { total: 1 } });
  expect(renderDetails([attempt], false)).toMatch(
    /: pass, .*\n {2}refused connections: files\.example:443 \(connect, once\)\n {2}log: /,
  );
});

test("a test that was running when all ended is named, and is no contradiction", () => {
  const contradictions = ["a.py::test_x began and never ended", "the runner never said anything"];
  const text = renderDetails([sampleAttempt({ evidence: { ...evidence, contradictions } })], false);
  expect(text).toContain(
    "  was running: a.py::test_x\n  contradiction: the runner never said anything\n",
  );
  expect(text).not.toContain("never ended");
});

test.each(["pass", "fail"] as const)(
  "a command of somebody's own that did not count: %s",
  (outcome) => {
    const rejected = [
      { rung: "override", why: "line 3: tool.creamery.comand: unknown key" },
      { rung: "B2", why: "no tox.ini" },
    ];
    const plan = { rung: "B0", command: "pytest", rejected };
    const text = renderDetails([sampleAttempt({ outcome, plan })], false);
    expect(text).toContain("  note: override: line 3: tool.creamery.comand: unknown key\n");
    expect(text).not.toContain("tox.ini");
  },
);

test("the word alone is coloured", () => {
  expect(renderDetails([sampleAttempt()], true)).toMatch(
    /^mine 1\.0 cpython-3\.13 gvisor: \u001b\[31mFAIL\u001b\[39m, 3 collected/,
  );
});

test("no control character of a package's gets through, and no line that it made up", () => {
  const text = renderDetails([hostileAttempt()], false);
  expect(controlsOf(text)).toEqual([]);
  expect(text).not.toMatch(/^next/m);
  expect(text.match(/\\x1b\[2J/g)?.length).toBeGreaterThan(10);
  const coloured = renderDetails([hostileAttempt()], true);
  expect(controlsOf(coloured.replaceAll(/\u001b\[3[19]m/g, ""))).toEqual([]);
});

test("nothing grows without a bound", () => {
  const long = "x".repeat(100_000);
  const attempt = sampleAttempt({
    evidence: {
      ...evidence,
      firstLines: Array<string>(100).fill(long),
      failing: Array.from({ length: 100 }, () => ({ id: long, outcome: "failed", message: "" })),
      contradictions: Array<string>(100).fill(long),
      refused: Array.from({ length: 100 }, () => ({ target: long, kind: "dns", count: 1 })),
      attempts: Array<string>(100).fill(long),
    },
  });
  expect(renderDetails([attempt], false).length).toBeLessThan(20_000);
});

test("who built an interpreter that is not Debian's, and what it lacks, stand beside its results", () => {
  const sample = sampleAttempt();
  const attempt = sampleAttempt({
    outcome: "pass",
    cause: null,
    axes: { ...sample.axes, interpreter: "cpython-3.10.8", builder: "other" },
    evidence: { ...sample.evidence, gaps: ["sqlite3", "lzma"] },
  });
  const line = "  interpreter: cpython-3.10.8, built by other, lacks sqlite3, lzma\n";
  expect(renderDetails([attempt], false)).toContain(line);
  // Of Debian's own only where a gap is to blame.
  const blamed = { ...sample.evidence, gaps: ["tkinter"] };
  expect(renderDetails([sampleAttempt({ evidence: blamed })], false)).not.toContain("interpreter:");
  const cause = "missing-system-library(tkinter)";
  expect(renderDetails([sampleAttempt({ evidence: blamed, cause })], false)).toContain(
    "  interpreter: cpython-3.13.5, built by debian, lacks tkinter\n",
  );
});
