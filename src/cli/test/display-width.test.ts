import fc from "fast-check";
import { expect, test } from "vitest";

import { clipToWidth, displayWidth, padToWidth } from "./display-width.ts";

test.each([
  ["plain", 5],
  ["", 0],
  ["試験", 4],
  ["ｱ", 1],
  ["Ａ", 2],
  ["한", 2],
  ["e\u0301", 1],
  ["🐍", 2],
  ["…", 1],
])("%s takes %i columns", (text, columns) => {
  expect(displayWidth(text)).toBe(columns);
});

test.each([
  ["plain", 5, "plain"],
  ["plain", 4, "pla…"],
  ["試験試", 5, "試験…"],
  ["試験試", 4, "試…"],
  ["🐍🐍", 3, "🐍…"],
  ["ab", 1, "…"],
  ["ab", 0, ""],
])("%s in %i columns is %s", (text, columns, expected) => {
  expect(clipToWidth(text, columns)).toBe(expected);
});

test("whatever the text, what is clipped fits and what is padded fills", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.nat(30), (text, columns) => {
      expect(displayWidth(clipToWidth(text, columns))).toBeLessThanOrEqual(columns);
      expect(displayWidth(padToWidth(text, columns))).toBeGreaterThanOrEqual(columns);
      expect(padToWidth(text, columns).startsWith(text)).toBe(true);
    }),
  );
});
