import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { ChangeRecorder } from "../../src/store/sql/change-recorder.sample.ts";
import { SAMPLE_START_MS } from "../../src/web/api/farm.sample.ts";
import { sampleSite, type SampleSite } from "../../src/web/pages/site.sample.ts";
import { faultsInAllViews, openBrowser, serveApp, visit, type Served } from "./browser.ts";

let browser: Browser;
let site: SampleSite;
let served: Served;
beforeAll(async () => {
  browser = await openBrowser();
  site = await sampleSite();
  const recorder = new ChangeRecorder(site.farm.database, SAMPLE_START_MS - 5 * 3_600_000);
  for (const project of [
    "pandas",
    "scikit-learn",
    "a-project-with-a-rather-long-name-for-a-window",
  ])
    for (const configuration of ["cpython-3.13", "pypy-3.11"])
      await recorder.breaks({ project, configuration, why: "numpy 2.4 is new" });
  await recorder.breaks({ project: "cryptography", cause: "dependency-build(cffi)" });
  recorder.atMs += 3_600_000;
  await recorder.pass({ project: "lmdb", version: "1.7.2" });
  await recorder.record({ project: "lmdb", version: "1.7.3", outcome: "crash", cause: "segfault" });
  await recorder.pass({ project: "pandas", version: "2.4.1" });
  served = await serveApp(site.app);
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
  await browser.close();
});

test("is well in all widths and schemes, with and without anything that changed", async () => {
  for (const path of ["/changes", "/changes?kind=changed", "/changes?root=numpy+2.4"])
    expect(await faultsInAllViews(browser, `${served.url}${path}`)).toEqual([]);
});

test("a root is unfolded by the keyboard, and leads to both attempts; filters work without scripts", async () => {
  await using visited = await visit(browser, `${served.url}/changes`, { javaScriptEnabled: false });
  const { page } = visited;
  const folded = page.getByRole("link", { name: "scikit-learn" }).first();
  expect(await folded.isVisible()).toBe(false);
  await page.locator("summary").focus();
  await page.keyboard.press("Enter");
  expect(await folded.isVisible()).toBe(true);
  expect(await page.locator("details .turn a").count()).toBe(12);
  await page.selectOption("#kind", "fixed");
  await page.click("main form button");
  await page.waitForURL("**/changes?days=7&kind=fixed&configuration=");
  expect(await page.locator(".lead").textContent()).toBe("In the last 7 days 1 project was fixed.");
});

test("stays as the farm is: what was opened stays open, at the root that it was opened of", async () => {
  await using visited = await visit(browser, `${served.url}/changes`);
  const { page, complaints } = visited;
  await visited.followed();
  await page.locator("summary").click();
  const before = await page.locator(".root-list > li").count();
  const recorder = new ChangeRecorder(site.farm.database, SAMPLE_START_MS - 60_000);
  for (const project of ["x", "y", "z"]) await recorder.breaks({ project, why: "attrs 26 is new" });
  site.farm.deps.live.changed({
    kind: "job",
    key: "k",
    project: "x",
    visibility: "public",
    configuration: "cpython-3.13",
    state: "done",
    attempt: null,
  });
  await page.getByRole("heading", { name: "Since attrs 26" }).waitFor();
  expect(await page.locator(".root-list > li").count()).toBe(before + 1);
  const open = page.locator(".root-list > li:has(details[open])");
  expect(await open.locator("h3").allTextContents()).toEqual(["Since numpy 2.4"]);
  expect(complaints).toEqual([]);
});

test("shows what changed soon where what is dear to read was kept, and not half a minute later", async () => {
  let elapsedMs = 0;
  let reads = 0;
  await using dear = await sampleSite({ pages: { elapsedMs: () => elapsedMs } });
  const { database } = dear.farm;
  const read = database.read.bind(database);
  database.read = async (ask) => {
    reads++;
    elapsedMs += 100;
    return await read(ask);
  };
  await using at = await serveApp(dear.app);
  await using visited = await visit(browser, `${at.url}/changes`);
  const { page } = visited;
  await visited.followed();
  const recorder = new ChangeRecorder(database, SAMPLE_START_MS - 60_000);
  for (const project of ["x", "y", "z"]) await recorder.breaks({ project, why: "attrs 26 is new" });
  const before = reads;
  const asked = page.waitForResponse((response) => response.url().endsWith("/changes"));
  dear.farm.deps.live.changed({
    kind: "attempt",
    id: "a",
    project: "x",
    visibility: "public",
    configuration: "cpython-3.13",
    outcome: "fail",
  });
  // It was kept: nothing was read for this answer.
  expect(Number((await asked).headers()["creamery-newer-in"])).toBeGreaterThan(0);
  expect(reads).toBe(before);
  elapsedMs += 1_000_000;
  await page.getByRole("heading", { name: "Since attrs 26" }).waitFor({ timeout: 45_000 });
});
