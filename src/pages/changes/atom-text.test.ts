import { expect, test } from "vitest";

import { xmlText } from "./atom-text.ts";

test("a text is one in elements and in attributes, whatever it is made of", () => {
  expect(xmlText(`a & b < c > d "e" 'f'`)).toBe(
    "a &amp; b &lt; c &gt; d &quot;e&quot; &apos;f&apos;",
  );
});

test("what XML 1.0 has no place for is made visible, and nothing else is changed", () => {
  expect(xmlText("\u0000\u001f\ud83d!\ude00\ufffe\uffff")).toBe(
    String.raw`\x00\x1f\ud83d!\ude00\ufffe\uffff`,
  );
  const fine = "line\n\ttab é 漢 \u{1f600} \ufffd";
  expect(xmlText(fine)).toBe(fine);
});
