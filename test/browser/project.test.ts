import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { recordDrawn } from "../../src/pages/project/project.sample.ts";
import { sampleSite, type SampleSite } from "../../src/web/pages/site.sample.ts";
import { faultsInAllViews, openBrowser, serveApp, visit, type Served } from "./browser.ts";

const CONFIGURATIONS = [
  "cpython-2.7",
  ...Array.from({ length: 10 }, (_, minor) => `cpython-3.${minor + 6}`),
  "cpython-3.14t",
  "pypy-3.11",
];

let browser: Browser;
let site: SampleSite;
let served: Served;
beforeAll(async () => {
  browser = await openBrowser();
  site = await sampleSite();
  await recordDrawn(site.farm.database, {
    project: "lmdb",
    configurations: CONFIGURATIONS,
    startMs: site.farm.nowMs - 86_400_000,
    releases: [
      ...Array.from({ length: 40 }, (_, minor) => [`1.${minor}`, "pppppppppp..p"] as const),
      ["2.0", "sspppppppffcp"],
      ["2.1", "ssppp~?kbeffp"],
    ],
    told: { dependencies: [{ name: "cffi", kind: "run" }] },
  });
  await recordDrawn(site.farm.database, {
    project: "kvstore",
    configurations: CONFIGURATIONS,
    startMs: site.farm.nowMs,
    releases: [["c0ffee".padEnd(40, "3"), "pfp"]],
    told: { reason: "push", dependencies: [{ name: "lmdb", kind: "run" }] },
  });
  served = await serveApp(site.app);
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
  await browser.close();
});

test("the pages of a project and of a release are well in all widths and schemes", async () => {
  for (const path of ["/p/lmdb", "/p/lmdb/2.1", "/p/kvstore"])
    expect([path, await faultsInAllViews(browser, `${served.url}${path}`)]).toEqual([path, []]);
});

test("heads of the matrix stay while its cells are moved, and a cell leads to its attempt", async () => {
  await using visited = await visit(browser, `${served.url}/p/lmdb`, {
    viewport: { width: 320, height: 640 },
    javaScriptEnabled: false,
  });
  const { page, complaints } = visited;
  const frame = page.getByRole("region", { name: "How each release of lmdb stands" });
  const cell = frame.getByRole("link", { name: "pass, PyPy 3.11, 1.0" });
  await cell.scrollIntoViewIfNeeded();
  const box = await frame.boundingBox();
  const head = await frame.getByRole("columnheader", { name: "3.11" }).last().boundingBox();
  const row = await frame.getByRole("rowheader", { name: "1.0" }).last().boundingBox();
  expect((head?.y ?? 0) - (box?.y ?? 0)).toBeLessThan(60);
  expect((row?.x ?? 0) - (box?.x ?? 0)).toBeLessThan(10);
  expect(await cell.getAttribute("href")).toMatch(/^\/a\/[0-9a-z]+$/u);
  expect(complaints).toEqual([]);
});

test("the tallest bar of a chart is as tall as the chart, whatever other pages' styles say of bars", async () => {
  await using visited = await visit(browser, `${served.url}/p/lmdb`);
  const chart = visited.page.locator("svg.chart").first();
  const bars = await chart.locator("rect").all();
  const boxes = await Promise.all(bars.map((bar) => bar.boundingBox()));
  const tallest = Math.max(...boxes.map((box) => box?.height ?? 0));
  expect(tallest).toBeCloseTo((await chart.boundingBox())?.height ?? 0, -1);
});

test("a picture of the releases draws in a page of another", async () => {
  for (const path of ["/badge/lmdb.svg", "/p/lmdb/matrix.svg"]) {
    await using visited = await visit(browser, `${served.url}${path}`);
    expect([path, visited.complaints]).toEqual([path, []]);
    const text = String(await visited.page.evaluate("document.documentElement.textContent"));
    expect(text).toContain(
      path.startsWith("/badge") ? "passes on" : "crash, CPython 3.14 free-threaded, 2.0",
    );
  }
});
