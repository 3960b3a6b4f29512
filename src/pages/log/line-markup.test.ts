import { describe, expect, test } from "vitest";

import { markupOf } from "../shell/html.ts";
import { coloured, lineRows } from "./line-markup.ts";

const shown = (text: string) => markupOf(coloured(text));

describe("a line of a log", () => {
  test("keeps its colours, by classes of ours", async () => {
    expect(await shown("a \u001b[31;1mred\u001b[0m b")).toBe(
      'a <span class="ansi-red ansi-bold">red</span> b',
    );
    expect(await shown("\u001b[38;5;208morange\u001b[38;2;10;200;10mgreen\u001b[41mground")).toBe(
      '<span class="ansi-yellow">orange</span><span class="ansi-green">green</span><span class="ansi-red-ground">ground</span>',
    );
  });

  test("is inert, whatever a package wrote", async () => {
    const markup = await shown(`\u001b[31m<script>"'&\u001b[0m\u202e\u0007\u001b]0;title\u0007<b>`);
    expect(markup).toBe(
      '<span class="ansi-red">&lt;script&gt;&quot;&#39;&amp;</span>\\u202e\\x07&lt;b&gt;',
    );
  });

  test("shows as text what is no colour, and no more than a hundred colours", async () => {
    expect(await shown("\u001b[999mx\u001b[1")).not.toMatch(/[\u0000-\u001f]/u);
    const many = await shown("\u001b[31ma\u001b[32mb".repeat(500));
    expect(many.match(/<span/gu)).toHaveLength(100);
    expect(many.replaceAll(/<[^>]*>/gu, "")).toBe("ab".repeat(500));
  });

  test("has a number that leads to it, and is cut with a note of how much", async () => {
    const markup = await markupOf(
      lineRows([{ number: 7, text: "é".repeat(2500), cutBytes: 1000 }]),
    );
    expect(markup).toContain('<span class="row" id="L7"><a href="#L7"');
    expect(markup).toContain(`${"é".repeat(2000)}<i`);
    expect(markup).toContain("2,000 bytes left out");
  });

  test("is cut short where there are many that are long", async () => {
    const lines = Array.from({ length: 2000 }, (_, at) => ({
      number: at + 1,
      text: "\u0001".repeat(2000),
      cutBytes: 0,
    }));
    expect((await markupOf(lineRows(lines))).length).toBeLessThan(6e6);
  });
});
