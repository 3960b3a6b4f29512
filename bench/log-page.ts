import type { CDPSession } from "playwright-core";

import { LiveFeed } from "../src/worker/live-feed.ts";
import { sampleSite } from "../src/web/pages/site.sample.ts";
import { openBrowser, serveApp, visit } from "../test/browser/browser.ts";
import { longLog, storeLog } from "../test/browser/long-log.sample.ts";
import { bar, median, printBars, type Bar } from "./bars.ts";

/**
 * The page of an attempt with a log of 100 MB in a real browser: when it is painted first, what its scripts keep in memory while
 * somebody looks through all of it, how long the browser is kept busy at a time; and how late what a worker hears of its guest
 * stands on the screen of who watches.
 */
const MB = 1e6;
const LOOKS = 3;
const PLACES = 150;
const LINES = 40;

await using site = await sampleSite();
await using served = await serveApp(site.app);
await using browser = await openBrowser();
const bars: Bar[] = [];
const log = longLog(100 * MB);
const ids: string[] = [];
for (let look = 0; look < LOOKS; look++) {
  const id = await site.farm.record({ project: "six" });
  await storeLog(site.farm, id, log);
  ids.push(id);
}

// What a process does once is no page's.
await firstPaint(await site.farm.record({ project: "six" }));
const first: number[] = [];
for (const id of ids) first.push(await firstPaint(id));
bars.push(
  bar("first paint, nobody has looked before", Math.max(...first), "s", { op: "<", than: 1 }),
);
const known = ids[0] ?? "";
const again: number[] = [];
for (let look = 0; look < LOOKS; look++) again.push(await firstPaint(known));
bars.push(bar("first paint, looked at before", Math.max(...again), "s", { op: "<", than: 1 }));
bars.push(...(await lookThrough(known)), ...(await follow()));
printBars(bars, process.argv);

/** Seconds from asking for it. */
async function firstPaint(id: string): Promise<number> {
  await using visited = await visit(browser, `${served.url}/a/${id}`);
  const painted = `new Promise((resolve) => new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
      if (entry.name === "first-contentful-paint") resolve(entry.startTime);
  }).observe({ type: "paint", buffered: true }))`;
  return Number(await visited.page.evaluate(painted)) / 1000;
}

async function lookThrough(id: string): Promise<Bar[]> {
  await using visited = await visit(browser, `${served.url}/a/${id}`);
  const { page } = visited;
  await page.locator(".log-step[open] .log-block .row").last().waitFor();
  await page.evaluate(`globalThis.busy = 0; new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) globalThis.busy = Math.max(globalThis.busy, duration);
  }).observe({ type: "longtask" })`);
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  const heaps: number[] = [];
  for (let at = 1; at <= PLACES; at++) {
    const set = `pane.scrollTop = pane.scrollHeight * ${at / PLACES}`;
    await page.evaluate(
      `{ const pane = document.querySelector(".log-step[open] .log-pane"); ${set}; }`,
    );
    await page.waitForTimeout(150);
    heaps.push(await heapOf(session));
  }
  await session.send("HeapProfiler.collectGarbage");
  return [
    bar("memory of scripts, the most while all is looked through", Math.max(...heaps) / MB, "MB", {
      op: "<",
      than: 100,
    }),
    bar("the same after it was collected", (await heapOf(session)) / MB, "MB"),
    bar(
      "the browser kept busy at a time, at most",
      Number(await page.evaluate("globalThis.busy")) / 1000,
      "s",
      { op: "<", than: 0.5 },
    ),
    bar("rows in the page", await page.locator(".row").count(), "", { op: "<", than: 3000 }),
  ];
}

async function heapOf(session: CDPSession): Promise<number> {
  const { metrics } = await session.send("Performance.getMetrics");
  return metrics.find(({ name }) => name === "JSHeapUsedSize")?.value ?? Number.NaN;
}

async function follow(): Promise<Bar[]> {
  const { live } = site.farm.deps;
  const attempt = site.farm.deps.newId();
  const about = {
    job: null,
    project: "six",
    visibility: "public",
    configuration: "cpython-3.13",
  } as const;
  live.begin({ attempt, ...about });
  const tell = async (id: string, pieces: readonly Parameters<typeof live.publish>[1][]) => {
    for (const piece of pieces) live.publish(id, piece);
  };
  const feed = new LiveFeed({ tell }, attempt);
  await using visited = await visit(browser, `${served.url}/a/${attempt}`);
  const { page } = visited;
  await page.getByText("Live.").waitFor();
  const delays: number[] = [];
  for (let at = 0; at < LINES; at++) {
    const text = `line ${at} of it`;
    const seen = page.evaluate(`new Promise((resolve) => {
      const log = document.querySelector(".log-live pre");
      const look = () => {
        if (!log.textContent.includes(${JSON.stringify(text)})) return;
        observer.disconnect();
        requestAnimationFrame(() => setTimeout(() => resolve(Date.now())));
      };
      const observer = new MutationObserver(look);
      observer.observe(log, { childList: true, subtree: true });
    })`);
    await page.waitForTimeout(20 + 13 * at);
    const saidMs = Date.now();
    feed.log(`${text}\n`);
    delays.push((Number(await seen) - saidMs) / 1000);
  }
  return [
    bar("a line on the screen after a worker heard it, the latest", Math.max(...delays), "s", {
      op: "<",
      than: 1,
    }),
    bar("the same, in the middle", median(delays), "s"),
  ];
}
