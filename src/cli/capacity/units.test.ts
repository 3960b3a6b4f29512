import { expect, test } from "vitest";

import { countText, dollarsText, secondsText, shareText, tableText } from "./units.ts";

test.each([
  [0, "0 s"],
  [0.178, "0.18 s"],
  [5.86, "5.9 s"],
  [42.4, "42 s"],
  [125, "2 min"],
  [7199, "120 min"],
  [12_240, "3.4 h"],
  [200_000, "2.3 d"],
])("%d seconds are %s", (seconds, text) => {
  expect(secondsText(seconds)).toBe(text);
});

test.each([
  [0, "$0"],
  [0.000249, "$0.00025"],
  [0.3765, "$0.38"],
  [3.5, "$3.50"],
  [1374.6, "$1,375"],
])("%d dollars are %s", (dollars, text) => {
  expect(dollarsText(dollars)).toBe(text);
});

test("shares below a tenth have a digit more, counts their commas", () => {
  expect([0, 0.007, 0.12].map(shareText)).toEqual(["0%", "0.7%", "12%"]);
  expect(countText(12_960.4)).toBe("12,960");
});

test("a table's first column is to the left, the others to the right, and no line ends in blanks", () => {
  expect(
    tableText([
      ["", "x"],
      ["abc", "100"],
      ["d", ""],
    ]),
  ).toBe("         x\n  abc  100\n  d\n");
});
