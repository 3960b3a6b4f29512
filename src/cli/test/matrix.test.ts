import fc from "fast-check";
import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";

import { cellsOf } from "./cells.ts";
import { displayWidth } from "./display-width.ts";
import { controlsOf, HOSTILE, hostileAttempt } from "./hostile.sample.ts";
import { renderMatrix, type MatrixCell } from "./matrix.ts";

const CELLS: readonly MatrixCell[] = [
  {
    row: "lmdb 3.0.0",
    column: "cpython-3.13",
    word: "pass",
    detail: "487 passed, 19 skipped",
    tone: "good",
  },
  {
    row: "lmdb 3.0.0",
    column: "cpython-3.15",
    word: "FAIL",
    detail: "removed-api(imp)",
    tone: "bad",
  },
  {
    row: "mine",
    column: "cpython-3.15",
    word: "skip",
    detail: "no-tests, smoke pass",
    tone: "neutral",
  },
];

test("a table of words with their details below", () => {
  expect(renderMatrix(CELLS, { colour: false, columns: 80 })).toBe(
    [
      "            cpython-3.13            cpython-3.15",
      "lmdb 3.0.0  pass                    FAIL",
      "            487 passed, 19 skipped  removed-api(imp)",
      "mine                                skip",
      "                                    no-tests, smoke pass",
      "",
    ].join("\n"),
  );
});

test("wider than the terminal, a list for each package", () => {
  const expected = [
    "lmdb 3.0.0",
    "  cpython-3.13  pass  487 passed, 19 skipped",
    "  cpython-3.15  FAIL  removed-api(imp)",
    "mine",
    "  cpython-3.15  skip  no-tests, smoke pass",
    "",
  ].join("\n");
  expect(renderMatrix(CELLS, { colour: false, columns: 55 })).toBe(expected);
  expect(renderMatrix(CELLS, { colour: false, columns: 56 })).not.toBe(expected);
  expect(renderMatrix(CELLS, { colour: false })).not.toBe(expected);
  expect(renderMatrix(CELLS, { colour: false, columns: 0 })).not.toBe(expected);
});

test("colour is laid over words and changes none of them", () => {
  for (const columns of [40, 80]) {
    const coloured = renderMatrix(CELLS, { colour: true, columns });
    expect(coloured).toContain("\u001b[32mpass\u001b[39m");
    expect(coloured).toContain("\u001b[31mFAIL\u001b[39m");
    expect(coloured).toContain("\u001b[33mskip\u001b[39m");
    expect(stripVTControlCharacters(coloured)).toBe(
      renderMatrix(CELLS, { colour: false, columns }),
    );
  }
});

test("two verdicts in one place stand below each other", () => {
  const twice = CELLS.slice(0, 2).map((cell) => ({ ...cell, column: "cpython-3.13" }));
  expect(renderMatrix(twice, { colour: false })).toBe(
    [
      "            cpython-3.13",
      "lmdb 3.0.0  pass",
      "            487 passed, 19 skipped",
      "lmdb 3.0.0  FAIL",
      "            removed-api(imp)",
      "",
    ].join("\n"),
  );
});

test("a cause of any length is clipped, and nothing makes no matrix", () => {
  const detail = `missing-system-library(${"x".repeat(100)})`;
  const shown = renderMatrix([{ row: "a", column: "b", word: "FAIL", detail, tone: "bad" }], {
    colour: false,
  });
  expect(shown).toContain(`missing-system-library(${"x".repeat(20)}…\n`);
  expect(renderMatrix([], { colour: true, columns: 80 })).toBe("");
});

test("whatever the names, each verdict is shown and nothing is wider than the terminal", () => {
  const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 });
  const cell = fc.record({
    row: name,
    column: name,
    word: fc.constantFrom("pass", "FAIL"),
    detail: fc.string({ unit: "grapheme", maxLength: 60 }),
    tone: fc.constantFrom("good" as const, "bad" as const),
  });
  fc.assert(
    fc.property(fc.array(cell), fc.integer({ min: 80, max: 200 }), (cells, columns) => {
      const lines = renderMatrix(cells, { colour: false, columns }).split("\n");
      expect(Math.max(...lines.map(displayWidth))).toBeLessThanOrEqual(columns);
      const fails = cells.filter(({ word }) => word === "FAIL").length;
      const shown = lines.join("\n").split("FAIL").length - 1;
      expect(shown).toBeGreaterThanOrEqual(fails);
    }),
  );
});

test("no control character of a package's gets through", () => {
  const cells = [
    ...cellsOf([hostileAttempt()]),
    { row: HOSTILE, column: HOSTILE, word: HOSTILE, detail: HOSTILE, tone: "bad" as const },
  ];
  for (const columns of [30, 5000]) {
    expect(controlsOf(renderMatrix(cells, { colour: false, columns }))).toEqual([]);
    const coloured = renderMatrix(cells, { colour: true, columns });
    expect(controlsOf(coloured.replaceAll(/\u001b\[3[19]m/g, ""))).toEqual([]);
  }
});
