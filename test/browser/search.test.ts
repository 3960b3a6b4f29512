import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { sampleSite, type SampleSite } from "../../src/web/pages/site.sample.ts";
import { faultsInAllViews, openBrowser, serveApp, visit, type Served } from "./browser.ts";

let browser: Browser;
let site: SampleSite;
let served: Served;
beforeAll(async () => {
  browser = await openBrowser();
  site = await sampleSite();
  for (const project of ["lmdb", "lmdb-stubs", "attrs"]) await site.farm.record({ project });
  served = await serveApp(site.app);
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
  await browser.close();
});

test("is well in all widths and schemes, with and without anything found", async () => {
  for (const path of ["/search", "/search?q=lmdb", "/search?q=nothing-like-it", "/nowhere"])
    expect(
      (await faultsInAllViews(browser, `${served.url}${path}`)).filter(
        // A page that is not there is told as such to the console.
        (fault) => path !== "/nowhere" || !fault.includes("404"),
      ),
    ).toEqual([]);
});

test("the slash leads to the search from anywhere, and the keyboard does the rest", async () => {
  await using visited = await visit(browser, `${served.url}/search?q=zzz`);
  const { page, complaints } = visited;
  await page.keyboard.press("/");
  await page.keyboard.type("lmdb");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/search?q=lmdb");
  expect(await page.locator("main li").allTextContents()).toEqual(["lmdb", "lmdb-stubs"]);
  expect(complaints).toEqual([]);
});

test("works without scripts", async () => {
  await using visited = await visit(browser, `${served.url}/search`, { javaScriptEnabled: false });
  await visited.page.fill("main input", "attr");
  await visited.page.click("main button");
  await visited.page.waitForURL("**/search?q=attr");
  expect(await visited.page.locator("main li").allTextContents()).toEqual(["attrs"]);
});
