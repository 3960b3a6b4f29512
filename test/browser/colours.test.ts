import { html } from "hono/html";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";

import { liveSite } from "../../src/pages/shell/site.ts";
import { documentOf } from "../../src/pages/shell/document.ts";
import { NOBODY } from "../../src/pages/shell/page.ts";
import { LOOKS, SIGNS, verdictMark, wordOf } from "../../src/pages/shell/words.ts";
import { sampleSite, type SampleSite } from "../../src/web/pages/site.sample.ts";
import { openBrowser, serveApp, visit, type Served } from "./browser.ts";

/**
 * How colours look to who sees few of them: in linear RGB, severity 1 (Machado, Oliveira and Fernandes 2009), and to who sees
 * none.
 */
const SIGHTS: Readonly<Record<string, readonly (readonly [number, number, number])[]>> = {
  usual: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
  achromatopsia: [
    [0.2126, 0.7152, 0.0722],
    [0.2126, 0.7152, 0.0722],
    [0.2126, 0.7152, 0.0722],
  ],
};

let browser: Browser;
let site: SampleSite;
let served: Served;
beforeAll(async () => {
  browser = await openBrowser();
  site = await sampleSite();
  const context = {
    site: liveSite(null),
    viewer: NOBODY,
    within: { allPublic: true, private: [], public: [] },
    nowMs: 0,
    here: null,
    told: null,
  };
  const main = html`<h1>Looks</h1><p>text <span class="soft">soft</span> <a href="/">link</a></p><p>${LOOKS.map(verdictMark)}</p>`;
  const text = await documentOf({ title: "Looks", section: null, main }, context);
  const { app } = site;
  // The page's own style, of the farm.
  served = await serveApp({
    fetch: (request, ...more) =>
      new URL(request.url).pathname === "/looks"
        ? new Response(text, { headers: { "content-type": "text/html; charset=utf-8" } })
        : app.fetch(request, ...more),
  });
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
  await browser.close();
});

test("each look has a sign and a word that no other has", () => {
  expect(new Set(LOOKS.map((look) => SIGNS[look])).size).toBe(LOOKS.length);
  expect(new Set(LOOKS.map(wordOf)).size).toBe(LOOKS.length);
});

test.each(["light", "dark"] as const)(
  "verdicts and texts can be read by who sees few colours, in the %s scheme",
  async (colorScheme) => {
    await using visited = await visit(browser, `${served.url}/looks`, { colorScheme });
    const shown = z
      .array(z.object({ what: z.string(), text: z.string(), ground: z.string() }))
      .parse(
        await visited.page.evaluate(`
          [...document.querySelectorAll("main .verdict, main p, main .soft, main a")].map((element) => {
            let under = element;
            while (getComputedStyle(under).backgroundColor === "rgba(0, 0, 0, 0)") under = under.parentElement;
            return {
              what: element.className || element.tagName,
              text: getComputedStyle(element).color,
              ground: getComputedStyle(under).backgroundColor,
            };
          })`),
      );
    expect(shown.length).toBeGreaterThan(LOOKS.length);
    const faint = Object.keys(SIGHTS).flatMap((sight) =>
      shown.flatMap(({ what, text, ground }) => {
        const seen = contrast(seenAs(sight, text), seenAs(sight, ground));
        return seen < 4.5 ? [`${what} to ${sight}: ${seen.toFixed(2)}`] : [];
      }),
    );
    expect(faint).toEqual([]);
  },
);

/** Linear RGB, 0 to 1. @param colour `rgb(1, 2, 3)` */
function seenAs(sight: string, colour: string): readonly number[] {
  const linear = [...colour.matchAll(/[0-9.]+/gu)].slice(0, 3).map(([text]) => {
    const part = Number(text) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  const [red = 0, green = 0, blue = 0] = linear;
  return (SIGHTS[sight] ?? []).map(([one, two, three]) =>
    Math.min(1, Math.max(0, one * red + two * green + three * blue)),
  );
}

/** WCAG 2.2's, 1 to 21. */
function contrast(one: readonly number[], other: readonly number[]): number {
  const light = (colour: readonly number[]): number => {
    const [red = 0, green = 0, blue = 0] = colour;
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
  };
  const [low = 1, high = 1] = [light(one), light(other)].toSorted((left, right) => left - right);
  return high / low;
}
