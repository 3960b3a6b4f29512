import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { sampleSite, type SampleSite } from "../../src/web/pages/site.sample.ts";
import {
  faultsInAllViews,
  followedBy,
  openBrowser,
  serveApp,
  visit,
  type Served,
} from "./browser.ts";

let browser: Browser;
let site: SampleSite;
let served: Served;
beforeAll(async () => {
  browser = await openBrowser();
  site = await sampleSite();
  for (let at = 0; at < 30; at++) await recorded(`${at}.0`);
  served = await serveApp(site.app);
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
  await browser.close();
});

/** A verdict comes, and the farm tells so. */
async function recorded(version: string): Promise<string> {
  const { farm } = site;
  farm.nowMs += 1000;
  const id = await farm.record({ project: "six", version });
  const owner = { project: "six", visibility: "public", configuration: "cpython-3.13" } as const;
  farm.deps.live.changed({ kind: "attempt", id, ...owner, outcome: "fail" });
  return id;
}

test("the farm's first page is well in all widths and schemes", async () => {
  expect(await faultsInAllViews(browser, `${served.url}/`)).toEqual([]);
});

test("a verdict that comes appears by itself: nothing moves, and who was at another stays at it", async () => {
  await using visited = await visit(browser, `${served.url}/`);
  const { page, complaints } = visited;
  await visited.followed();
  const link = page.getByRole("link", { name: "29.0", exact: true });
  await link.focus();
  const scrolled = () => page.evaluate("scrollY");
  await page.evaluate("scrollTo(0, 200)");
  await recorded("30.0");
  await page.getByRole("link", { name: "30.0", exact: true }).waitFor();
  expect(await page.locator(":focus").textContent()).toBe("29.0");
  expect(await page.locator(".verdict-list li").count()).toBe(20);
  expect([await scrolled(), await visited.shift()]).toEqual([200, 0]);
  expect(complaints).toEqual([]);
  // What measures it does notice.
  await page.evaluate(
    "document.querySelector('.verdict-list').before(document.createElement('hr'))",
  );
  await expect.poll(() => visited.shift()).toBeGreaterThan(0);
});

test("what would go while somebody is at it stays until they leave it", async () => {
  await using visited = await visit(browser, `${served.url}/`);
  const { page } = visited;
  await visited.followed();
  const last = page.locator(".verdict-list li").last().getByRole("link").first();
  await last.focus();
  await recorded("31.0");
  await page.waitForResponse((response) => response.url() === `${served.url}/`);
  await page.waitForTimeout(500);
  expect(await page.getByRole("link", { name: "31.0", exact: true }).count()).toBe(0);
  await page.locator("main").focus();
  await page.getByRole("link", { name: "31.0", exact: true }).waitFor();
});

test("it is paused by its button, in all pages of the tab, and goes on by it", async () => {
  await using visited = await visit(browser, `${served.url}/`);
  const { page } = visited;
  await page.getByRole("button", { name: "Pause live updates" }).press("Enter");
  expect(await page.getByRole("status").textContent()).toBe("Paused");
  await page.reload();
  const asked: string[] = [];
  page.on("request", (request) => {
    // The browser fetches the icon when it likes, and that tells nothing of what is new.
    if (!request.url().includes("/assets/")) asked.push(request.url());
  });
  await recorded("32.0");
  await page.waitForTimeout(3000);
  expect(asked).toEqual([]);
  const following = followedBy(page);
  await page.getByRole("button", { name: "Resume live updates" }).press("Enter");
  await following;
  await recorded("33.0");
  await page.getByRole("link", { name: "33.0", exact: true }).waitFor();
});

test("that the farm is gone is said, and it goes on when the farm is back", async () => {
  const own = await serveApp(site.app);
  await using visited = await visit(browser, `${own.url}/`);
  const { page } = visited;
  await page.getByRole("button", { name: "Pause live updates" }).waitFor();
  await own[Symbol.asyncDispose]();
  await page.getByRole("status").getByText("may be out of date").waitFor();
  expect(await page.locator(".verdict-list li").count()).toBe(20);
});
