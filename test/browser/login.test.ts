import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { arrive } from "../../src/web/api/farm.sample.ts";
import { sampleSite, type SampleSite } from "../../src/web/pages/site.sample.ts";
import { faultsInAllViews, openBrowser, serveApp, visit, type Served } from "./browser.ts";

let browser: Browser;
let site: SampleSite;
let served: Served;
let key = "";
beforeAll(async () => {
  browser = await openBrowser();
  site = await sampleSite();
  key = await site.farm.enqueue("lmdb");
  await site.farm.enqueue("attrs");
  await arrive(site.farm, "one");
  served = await serveApp(site.app);
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
  await browser.close();
});

const token = async (): Promise<string> =>
  (await site.farm.token(["operate", "enqueue"])).replace("Bearer ", "");

/** What a browser of somebody who is logged in begins with. */
async function loggedIn(): Promise<BrowserContextOptions["storageState"]> {
  await using visited = await visit(browser, `${served.url}/login`);
  await visited.page.fill("#token", await token());
  await visited.page.click("main button");
  await visited.page.waitForURL(`${served.url}/`);
  return await visited.page.context().storageState();
}

/** Goes on with the tabulator until what is meant has the focus. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let steps = 0; steps < 80; steps++) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate("document.activeElement.textContent.trim()");
    if (focused === name) return;
  }
  throw new Error(`the tabulator does not lead to ${name}`);
}

test("the way in, the questions and the forms are well in all widths and schemes", async () => {
  const state = await loggedIn();
  expect(await faultsInAllViews(browser, `${served.url}/login?to=/queue`)).toEqual([]);
  const paths = ["/login", "/queue", `/queue/${key}/cancel`, "/queue/add", "/watched", "/hosts"];
  for (const path of [...paths, "/hosts/one/drain"])
    expect(
      await faultsInAllViews(browser, `${served.url}${path}`, { storageState: state }),
    ).toEqual([]);
});

test("somebody logs in and cancels a job by the keyboard alone, and is told what was done", async () => {
  await using visited = await visit(browser, `${served.url}/queue`);
  const { page, complaints } = visited;
  await tabTo(page, "Log in");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/login?to=%2Fqueue");
  await page.locator("#main").focus();
  await page.keyboard.press("Tab");
  await page.keyboard.type(await token());
  await page.keyboard.press("Enter");
  await page.waitForURL(`${served.url}/queue`);
  expect(await page.locator("[role=status].told").textContent()).toBe("You are logged in.");
  await tabTo(page, "Cancel lmdb on CPython 3.13");
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/queue/${key}/cancel`);
  await tabTo(page, "Cancel the job");
  await page.keyboard.press("Enter");
  await page.waitForURL(`${served.url}/queue`);
  expect(await page.locator(".told").textContent()).toBe("The job is cancelled.");
  await tabTo(page, "Retry lmdb on CPython 3.13");
  await page.keyboard.press("Enter");
  await page.getByText("The job is queued again.").waitFor();
  await tabTo(page, "Log out");
  await page.keyboard.press("Enter");
  await page.getByText("You are logged out.").waitFor();
  expect(await page.locator(".who").textContent()).toBe("Log in");
  expect(complaints).toEqual([]);
});

test("a token that is not good is told so where it was typed, without scripts too", async () => {
  await using visited = await visit(browser, `${served.url}/login`, { javaScriptEnabled: false });
  const { page } = visited;
  await page.fill("#token", "a guess");
  await page.click("main button");
  expect(await page.locator("[role=alert]").textContent()).toContain("mistyped or cut");
  expect(await page.inputValue("#token")).toBe("");
  expect(await page.getAttribute("#token", "aria-describedby")).toContain("wrong");
  await page.fill("#token", await token());
  await page.click("main button");
  await page.waitForURL(`${served.url}/`);
});

test("another site's form is refused, although the browser would send it", async () => {
  const state = await loggedIn();
  await using visited = await visit(browser, `${served.url}/login`, {
    storageState: state,
    javaScriptEnabled: true,
  });
  const { page } = visited;
  const form = `<form method="post" action="${served.url}/queue/${key}/cancel"><button>Win</button></form>`;
  await page.route("http://evil.example/", (route) =>
    route.fulfill({ contentType: "text/html", body: form }),
  );
  await page.goto("http://evil.example/");
  await page.click("button");
  await page.waitForURL(`**/queue/${key}/cancel`);
  // Its cookie stays at home: whoever is sent so is nobody.
  expect(await page.locator("h1").textContent()).toBe("Log in first");
});
