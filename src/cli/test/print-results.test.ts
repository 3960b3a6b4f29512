import { expect, test } from "vitest";

import { sampleAttempt } from "../../model/result-json.sample.ts";
import { textOf } from "./print-results.ts";

const ATTEMPTS = [sampleAttempt()];
const matrices = (text: string) => text.split("cpython-3.13\nmine 1.0  FAIL\n").length - 1;
const PLAIN = { NO_COLOR: "1" };

test("the matrix stands last again where the details have pushed it off the screen", () => {
  const lines = textOf(ATTEMPTS, {}, PLAIN).split("\n").length;
  expect(matrices(textOf(ATTEMPTS, { isTTY: true, columns: 500, rows: lines + 1 }, PLAIN))).toBe(1);
  const pushed = textOf(ATTEMPTS, { isTTY: true, columns: 500, rows: 6 }, PLAIN);
  expect(matrices(pushed)).toBe(2);
  expect(pushed.trimEnd()).toMatch(/FAIL\n.*$/u);
  // Folded lines take rows too.
  expect(
    textOf(ATTEMPTS, { isTTY: true, columns: 20, rows: lines + 1 }, PLAIN).length,
  ).toBeGreaterThan(textOf(ATTEMPTS, { isTTY: true, columns: 20, rows: 1000 }, PLAIN).length);
});

test("what is no terminal has no rows: once is enough", () => {
  expect(matrices(textOf(ATTEMPTS, { rows: 1 }, PLAIN))).toBe(1);
});

test("where all of it is shown is a command, which finds it wherever it is kept", () => {
  expect(textOf(ATTEMPTS, {}, PLAIN)).toContain("  full log: ./creamery log 01h\n");
});
