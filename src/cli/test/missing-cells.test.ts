import { expect, test } from "vitest";

import { ResultJson } from "../../model/result-json.ts";
import { sampleAttempt } from "../../model/result-json.sample.ts";
import { cellsOf } from "./cells.ts";
import { exitCodeOf } from "./exit-code.ts";
import { renderJunit } from "../../pages/attempt/junit.ts";
import type { MissingCell } from "../../model/missing-cell.ts";
import { missingJson } from "./missing-cells.ts";
import { textOf } from "./print-results.ts";

const CELL: MissingCell = {
  project: "mine",
  version: "1.0",
  source: { kind: "release", sha256: "a".repeat(64) },
  configuration: "cpython-3.12",
  image: "2026.11.2+0f3a9c21",
  reason:
    "maven org.example:cpython:3.12.1:linux-x86_64: this host has no Maven (mvn) to fetch it with",
  nextStep: "install maven, then `./creamery image build --force`",
  asked: true,
};
const PASS = sampleAttempt({ outcome: "pass", cause: null });
const AFTER = sampleAttempt({ ...PASS, configuration: "pypy-3.11" });
const BEFORE = sampleAttempt({ ...PASS, configuration: "cpython-3.9" });
const PLAIN = { NO_COLOR: "1" };

test("what can't be run is a cell in its version's column, and below it stand what, why and what next", () => {
  const text = textOf([BEFORE, PASS, AFTER], {}, PLAIN, [CELL]);
  const [, names = "", words = ""] = text.split("\n");
  expect(names.trim().split(/\s+/u)).toEqual([
    "cpython-3.9",
    "cpython-3.12",
    "cpython-3.13",
    "pypy-3.11",
  ]);
  expect(words.trim().split(/\s+/u)).toEqual(["mine", "1.0", "pass", "missing", "pass", "pass"]);
  expect(text).toContain(
    [
      "mine 1.0 cpython-3.12: missing, not run: image 2026.11.2+0f3a9c21 was made without it",
      "  why: maven org.example:cpython:3.12.1:linux-x86_64: this host has no Maven (mvn) to fetch it with",
      "  next: install maven, then `./creamery image build --force`",
      "",
    ].join("\n"),
  );
});

test("where nothing else was asked for, the cell is there alone", () => {
  expect(textOf([], {}, PLAIN, [CELL])).toMatch(/cpython-3\.12\n.*missing\n.*not in this image\n/u);
});

test("a tree's cell is in the row that its name and version have once it is built", () => {
  const source = { kind: "tree", sha256: "b".repeat(64) } as const;
  const built = sampleAttempt({ ...PASS, project: "real-name", version: "2.0", source });
  const cell = { ...CELL, project: "directory", version: "", source };
  const text = textOf([built], {}, PLAIN, [cell]);
  expect(text).toContain("real-name 2.0 cpython-3.12: missing");
  expect(text).not.toContain("directory");
});

test("two sources of one release are told apart, wherever they are missing", () => {
  const sdist = { ...CELL, source: { kind: "sdist", sha256: "b".repeat(64) } as const };
  const rows = (attempts: Parameters<typeof cellsOf>[0], missing: readonly MissingCell[]) =>
    cellsOf(attempts, missing).map(({ row }) => row);
  expect(rows([], [CELL, sdist])).toEqual(["mine 1.0 (release)", "mine 1.0 (sdist)"]);
  expect(rows([PASS], [sdist]).toSorted()).toEqual(["mine 1.0 (release)", "mine 1.0 (sdist)"]);
  expect(rows([PASS], [CELL])).toEqual(["mine 1.0", "mine 1.0"]);
});

test.each([
  ["named", [PASS], true, 3],
  ["named, beside a failure", [sampleAttempt()], true, 1],
  ["there because of `all`", [PASS], false, 0],
  ["there because of `all`, and nothing else is", [], false, 3],
] as const)("the exit code where it is %s", (_, attempts, asked, code) => {
  expect(exitCodeOf(attempts, [{ ...CELL, asked }])).toBe(code);
});

test.each([
  [true, "error", 'errors="1"'],
  [false, "skipped", 'skipped="1"'],
] as const)("JUnit's readers see it (asked for: %s) as %s", (asked, element, count) => {
  const xml = renderJunit([], null, [{ ...CELL, asked }]);
  expect(xml).toContain(`<testsuite name="mine 1.0 / cpython-3.12"`);
  expect(xml).toContain(`><${element} message="not in image 2026.11.2+0f3a9c21: maven`);
  expect(xml).toContain(count);
});

test("what a hostile name or reason holds breaks no line", () => {
  const cell = { ...CELL, project: "a\nb", reason: "\u001b[31mred\nnext: rm" };
  const text = textOf([], {}, PLAIN, [cell]);
  expect(text).not.toContain("\u001b");
  expect(text.split("\n").filter((line) => line.startsWith("  next:"))).toHaveLength(1);
});

test("the JSON has it, and one of before it had any is read all the same", () => {
  const result = ResultJson.parse({ schema: 1, attempts: [], missing: [missingJson(CELL)] });
  expect(result.missing[0]).toMatchObject({ configuration: "cpython-3.12", reason: CELL.reason });
  expect(result.missing[0]).not.toHaveProperty("asked");
  expect(ResultJson.parse({ schema: 1, attempts: [] }).missing).toEqual([]);
});
