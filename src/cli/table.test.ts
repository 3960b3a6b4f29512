import { expect, test } from "vitest";

import { agoText, durationText, renderTable } from "./table.ts";

test("columns are as wide as they need to be, wide letters counted, long cells cut", () => {
  expect(
    renderTable(
      ["a", "b"],
      [
        ["日本", "x"],
        ["y", "\u001b[1m"],
      ],
    ),
  ).toBe("a     b\n日本  x\ny     \\x1b[1m\n");
  const [, row = ""] = renderTable(["a"], [["z".repeat(500)]]).split("\n");
  expect(row.length).toBe(60);
});

test.each([
  [0, "0 s"],
  [119, "119 s"],
  [120, "2 min"],
  [7199, "119 min"],
  [7200, "2 h"],
  [3 * 86_400, "3 d"],
])("%i seconds are %s", (seconds, text) => {
  expect(durationText(seconds)).toBe(text);
});

test("what is to come is told as such", () => {
  expect(agoText("2026-11-24T10:00:00Z", Date.UTC(2026, 10, 24, 9))).toBe("in 60 min");
});
