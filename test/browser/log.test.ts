import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { sampleSite, type SampleSite } from "../../src/web/pages/site.sample.ts";
import { faultsInAllViews, openBrowser, serveApp, visit, type Served } from "./browser.ts";
import { longLog, storeLog } from "./long-log.sample.ts";

const MB = 1e6;
const SMALL = [
  "== set-up: sh -c mkdir\n-- set-up: exit 0 after 0.02 s\n",
  "== test: pytest\n\u001b[31mFAILED\u001b[0m \u001b[1mbold\u001b[0m \u001b[33myellow\u001b[0m \u001b[44mground\u001b[0m\n",
  `${"long ".repeat(300)}\n日本語 😀 é\n<script>alert(1)</script>\n-- test: exit 1 after 2.00 s\n`,
].join("");

let browser: Browser;
let site: SampleSite;
let served: Served;
let small = "";
let long = "";
let lines = 0;
beforeAll(async () => {
  browser = await openBrowser();
  site = await sampleSite();
  small = await site.farm.record({ project: "six" });
  await storeLog(site.farm, small, Buffer.from(SMALL));
  long = await site.farm.record({ project: "attrs" });
  const log = longLog(100 * MB);
  lines = log.toString("latin1").split("\n").length - 1;
  await storeLog(site.farm, long, log);
  served = await serveApp(site.app);
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
  await browser.close();
});

const pane = (page: Page) => page.locator(".log-step[open] .log-pane");
/** Texts of the rows that can be seen in the open step. */
const SEEN = `(() => {
  const pane = document.querySelector(".log-step[open] .log-pane").getBoundingClientRect();
  return [...document.querySelectorAll(".log-step[open] .row")]
    .filter((row) => {
      const { top, bottom } = row.getBoundingClientRect();
      return top >= pane.top && bottom <= pane.bottom;
    })
    .map((row) => row.id);
})()`;
const seen = async (page: Page): Promise<string[]> => {
  const found: unknown = await page.evaluate(SEEN);
  return Array.isArray(found) ? found.map(String) : [];
};
const heapBytes = async (page: Page): Promise<number> => {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  await session.send("HeapProfiler.collectGarbage");
  const { metrics } = await session.send("Performance.getMetrics");
  return metrics.find(({ name }) => name === "JSHeapUsedSize")?.value ?? Number.NaN;
};

/** An attempt that runs. */
function begin() {
  const { live } = site.farm.deps;
  const id = site.farm.deps.newId();
  const about = { job: null, project: "six", visibility: "public", configuration: "c" } as const;
  live.begin({ attempt: id, ...about });
  return {
    id,
    log: (text: string) => live.publish(id, { kind: "log", text }),
    phase: (phase: string) => live.publish(id, { kind: "phase", phase, atMs: 0 }),
    end: () => live.end(id, "fail"),
  };
}

test("is well in all widths and schemes", async () => {
  const running = begin().id;
  for (const path of [`/a/${small}`, `/a/${small}/log/1`, `/a/${running}`])
    expect(
      (await faultsInAllViews(browser, `${served.url}${path}`)).filter(
        // A log of nobody can't be followed.
        (fault) => path !== `/a/${running}` || !fault.includes("404"),
      ),
    ).toEqual([]);
});

test("without scripts each line is within reach", async () => {
  const options = { javaScriptEnabled: false };
  await using visited = await visit(browser, `${served.url}/a/${long}`, options);
  const { page } = visited;
  await page.getByLabel("go to line").fill("654321");
  await page.getByRole("button", { name: "Go", exact: true }).last().click();
  await page.waitForURL(`**/a/${long}/log/328#L654321`);
  expect(await page.locator("#L654321").isVisible()).toBe(true);
  await page.getByRole("link", { name: "Last" }).first().click();
  await page.getByText("FAILED").waitFor();
});

describe("a log of 100 MB", () => {
  test("is looked through in place, in bounded memory, and nothing of the page moves", async () => {
    await using visited = await visit(browser, `${served.url}/a/${long}`);
    const { page, complaints } = visited;
    // The step that failed is open at its end.
    await page.locator(`#L${lines}`).waitFor();
    expect(await seen(page)).toContain(`L${lines}`);
    const heaps: number[] = [];
    for (let at = 1; at <= 40; at++) {
      // No browser draws all of it at once.
      if (at === 20) await page.getByRole("button", { name: "Earlier lines" }).click();
      await pane(page).evaluate(`(pane) => { pane.scrollTop = pane.scrollHeight * ${at / 41}; }`);
      await expect.poll(async () => (await seen(page)).length).toBeGreaterThan(10);
      if (at % 10 === 0) heaps.push(await heapBytes(page));
    }
    await page.getByRole("button", { name: "Later lines" }).click();
    await page.locator("#L750004").waitFor();
    expect(Math.max(...heaps)).toBeLessThan(100 * MB);
    expect(await page.locator(".row").count()).toBeLessThan(3000);
    expect(await visited.shift()).toBeLessThan(0.01);
    expect(complaints).toEqual([]);
  });

  test("is there at once, before it was read whole, and comes whole by itself", async () => {
    const fresh = await site.farm.record({ project: "attrs" });
    await storeLog(site.farm, fresh, longLog(30 * MB));
    await using visited = await visit(browser, `${served.url}/a/${fresh}`);
    const { page, complaints } = visited;
    await page.getByLabel("Find in the log").fill("typed meanwhile");
    await page
      .locator('.log-panel[data-panel=""] .log-step[open] .log-block .row')
      .last()
      .waitFor();
    expect(await page.getByText("is still being read").count()).toBe(0);
    expect(await page.getByLabel("Find in the log").inputValue()).toBe("typed meanwhile");
    expect(complaints).toEqual([]);
  });

  test("opens at the line that the address names, and gives addresses of lines", async () => {
    await using visited = await visit(browser, `${served.url}/a/${long}#L654321`);
    const { page, complaints } = visited;
    await page.locator("#L654321.is-target").waitFor();
    expect(await seen(page)).toContain("L654321");
    await page.locator("#L654325 a").click();
    await page.waitForURL(/#L654325$/u);
    expect(await page.locator(".is-target").getAttribute("id")).toBe("L654325");
    expect(complaints).toEqual([]);
  });

  test("is looked through for words, one place after the other", async () => {
    await using visited = await visit(browser, `${served.url}/a/${long}`);
    const { page } = visited;
    await page.getByLabel("Find in the log").fill("module_3.py");
    await page.keyboard.press("Enter");
    await page.locator("#L8.is-target").waitFor();
    await page.getByLabel("Find in the log").press("Enter");
    await page.locator("#L1008.is-target").waitFor();
    await page.getByLabel("Find in the log").fill("nothing like it");
    await page.keyboard.press("Enter");
    await page.getByText("That does not stand in this log").waitFor();
    await page.getByRole("link", { name: "Show them in the log" }).click();
    await page.locator(`#L${lines - 2}.is-target`).waitFor();
    expect(visited.complaints).toEqual([]);
  });
});

describe("the log of an attempt that runs", () => {
  test("grows as it is written, as text in its colours, and says what comes of it", async () => {
    const run = begin();
    run.log("before anybody looked\n");
    await using visited = await visit(browser, `${served.url}/a/${run.id}`);
    const { page, complaints } = visited;
    const log = page.locator(".log-live pre");
    await log.getByText("before anybody looked").waitFor();
    run.phase("test");
    await page.getByText("Live, in phase test.").waitFor();
    run.log("half a ");
    await log.getByText("half a").waitFor();
    run.log("line\n10%\r100%\n\u001b[31;1mred\u001b[0m <img src=x onerror=alert(1)>\u202e\n");
    await log.getByText("half a line").waitFor();
    await log.getByText("onerror=alert(1)>\\u202e").waitFor();
    expect(await log.locator(".ansi-red.ansi-bold").textContent()).toBe("red");
    expect((await log.textContent()) ?? "").not.toContain("10%");
    expect(await log.locator("img").count()).toBe(0);
    run.end();
    await page.getByText("It has ended: fail.").waitFor();
    expect(await page.getByRole("link", { name: "Show the result" }).isVisible()).toBe(true);
    expect(complaints).toEqual([]);
  });

  test("is held where who reads holds it, and follows only who is at its end", async () => {
    const run = begin();
    await using visited = await visit(browser, `${served.url}/a/${run.id}`);
    const { page } = visited;
    const log = page.locator(".log-live pre");
    run.log(Array.from({ length: 300 }, (_, at) => `line ${at}\n`).join(""));
    await log.getByText("line 299").waitFor();
    const atEnd = () =>
      page.evaluate(
        `(() => { const pane = document.querySelector(".log-live .log-pane"); return pane.scrollTop + pane.clientHeight >= pane.scrollHeight - 1; })()`,
      );
    await expect.poll(atEnd).toBe(true);
    await page.getByRole("button", { name: "Pause" }).click();
    run.log("while it is held\n");
    run.phase("lint");
    await page.getByText("Live, in phase lint.").waitFor();
    expect(await log.getByText("while it is held").count()).toBe(0);
    await page.getByRole("button", { name: "Pause" }).click();
    await log.getByText("while it is held").waitFor();
    await page.evaluate(`document.querySelector(".log-live .log-pane").scrollTop = 0`);
    run.log("later\n");
    await log.getByText("later").waitFor();
    expect(await atEnd()).toBe(false);
    expect(await visited.shift()).toBeLessThan(0.01);
  });

  test("is bounded, and says what is not shown", async () => {
    const run = begin();
    await using visited = await visit(browser, `${served.url}/a/${run.id}`);
    const { page } = visited;
    for (let at = 0; at < 40; at++) run.log(`flood ${at}\n`.repeat(500));
    run.log("the last\n");
    await page.locator(".log-live pre").getByText("the last").waitFor();
    expect(await page.locator(".log-live .row").count()).toBeLessThanOrEqual(5000);
    await page.getByText("earlier ones are not").waitFor();
  });

  test("goes on where the connection was lost", async () => {
    const run = begin();
    let isFirst = true;
    const lossWasSeen = Promise.withResolvers<void>();
    await using visited = await visit(browser, "about:blank");
    const { page } = visited;
    await page.route("**/log/live", async (route) => {
      if (!isFirst) {
        await lossWasSeen.promise;
        return route.continue();
      }
      isFirst = false;
      const body = `retry: 300\n\nevent: log\nid: 0-1\ndata: {"text":"first\\n"}\n\n`;
      return route.fulfill({ contentType: "text/event-stream", body });
    });
    await page.goto(`${served.url}/a/${run.id}`);
    await page.locator(".log-live pre").getByText("first").waitFor();
    await page.getByText("The connection was lost").waitFor();
    lossWasSeen.resolve();
    run.log("second\n");
    await page.locator(".log-live pre").getByText("second").waitFor();
    await page.getByText("Live.").waitFor();
    expect(await page.locator(".log-live .row").count()).toBe(2);
  });
});
