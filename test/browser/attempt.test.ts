import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { sampleAttempt } from "../../src/model/result-json.sample.ts";
import { keep, keepReport, LOCK } from "../../src/web/pages/attempt.sample.ts";
import { sampleSite, type SampleSite } from "../../src/web/pages/site.sample.ts";
import { faultsInAllViews, openBrowser, serveApp, visit, type Served } from "./browser.ts";

let browser: Browser;
let site: SampleSite;
let served: Served;
let failed: string;
beforeAll(async () => {
  browser = await openBrowser();
  site = await sampleSite();
  served = await serveApp(site.app);
  const ran = (at: number, broken: boolean) => ({
    id: `tests/test_a.py::TestOfSomething::test_${at}_with_a_long_name[parameter-${at}]`,
    outcome:
      at % 50 === 3
        ? ("skipped" as const)
        : broken && at % 90 === 1
          ? ("failed" as const)
          : ("passed" as const),
    seconds: at / 100,
    ...(at % 50 === 3 || (broken && at % 90 === 1)
      ? { message: `E   ${"assert ".repeat(40)}` }
      : {}),
  });
  const tests = (broken: boolean) => Array.from({ length: 450 }, (_, at) => ran(at, broken));
  const old = await site.farm.record({ version: "0.9", outcome: "pass", cause: null });
  await keepReport(site, old, tests(false).slice(5));
  failed = await site.farm.record({
    seconds: {
      start: 0.2,
      venv: 0.5,
      install: 2,
      examine: 0.4,
      test: 9,
      evidence: 0.2,
      farm: 1,
      total: 13,
      confirm: 3,
    },
    evidence: {
      ...sampleAttempt().evidence,
      firstLines: [`E   ${"assert ".repeat(60)}`],
      smoke: [{ what: "script", name: "a-script", text: "x".repeat(300) }],
      limits: {
        memoryPeakBytes: 2e8,
        oomKills: 0,
        pidsRefused: 0,
        cpuSeconds: 9,
        diskBytes: 1e6,
        diskFull: false,
      },
      lock: "kept",
    },
  });
  await keepReport(site, failed, tests(true));
  await keep(site, failed, "log.txt", "all of it\n");
  await keep(site, failed, "pylock.toml", LOCK);
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
  await browser.close();
});

function begin(): string {
  const attempt = site.farm.deps.newId();
  site.farm.deps.live.begin({
    attempt,
    job: null,
    project: "mine",
    visibility: "public",
    configuration: "pypy-3.11",
  });
  return attempt;
}

test("is well in all widths and schemes, also while it runs", async () => {
  for (const path of [`/a/${failed}`, `/a/${begin()}`])
    expect(await faultsInAllViews(browser, `${served.url}${path}`)).toEqual([]);
});

test("its tests are searched and leafed through by the keyboard alone, without scripts", async () => {
  await using visited = await visit(browser, `${served.url}/a/${failed}`, {
    javaScriptEnabled: false,
  });
  const { page } = visited;
  await page.focus("#test");
  await page.keyboard.type("_with_");
  await page.keyboard.press("Tab");
  await page.keyboard.type("passed");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\?test=_with_&outcome=passed#tests$/u);
  await page.click("text=Next page");
  await page.waitForURL(/outcome=passed&page=2#tests$/u);
  expect(await page.locator(".tests tbody tr").count()).toBe(200);
});

test("a page of an attempt that runs tells of its phases and its end, and leads to what came of it", async () => {
  const attempt = begin();
  await using visited = await visit(browser, `${served.url}/a/${attempt}`);
  const { page, complaints } = visited;
  const { live } = site.farm.deps;
  live.publish(attempt, { kind: "phase", phase: "build", atMs: 0 });
  await page.waitForSelector(".log-state >> text=phase build");
  await site.farm.record({ id: attempt, version: "2.0" });
  expect(await page.textContent(".lead:visible")).toContain("is being tested");
  live.end(attempt, "fail");
  await page.waitForSelector(".log-state >> text=It has ended: fail.");
  expect(await page.locator(".lead:visible").allTextContents()).toEqual([
    expect.stringContaining("has come to its end"),
  ]);
  await page.click(".log-ended");
  await page.waitForSelector("h1 >> text=mine 2.0");
  expect(complaints).toEqual([]);
});
