import { once } from "node:events";
import { Server } from "node:http";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

import { serve } from "@hono/node-server";
import type { Hono } from "hono";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { z } from "zod";

import type { Authenticated } from "../../src/web/authenticate.ts";

/** Debian's own Chromium. */
const CHROMIUM = "/usr/bin/chromium";
/** For it to start from a cold disk, and for whatever is waited for on a page: no test here is a timed one. */
const PATIENCE_MS = 120_000;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What of WCAG 2.2 AA a program can check. */
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

const Violations = z.array(
  z.object({
    id: z.string(),
    help: z.string(),
    nodes: z.array(z.object({ html: z.string(), failureSummary: z.string().default("") })),
  }),
);

/** Adds up how far things moved that nobody had touched. */
const MEASURE_SHIFT = `
new PerformanceObserver((list) => {
  for (const { hadRecentInput, value } of list.getEntries())
    if (!hadRecentInput) globalThis.shifted = (globalThis.shifted ?? 0) + value;
}).observe({ type: "layout-shift", buffered: true });
`;

export const openBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: CHROMIUM,
    timeout: PATIENCE_MS,
    // As root, and within guests and containers, there is no sandbox to be had.
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });

export interface Served extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
}

/** Answers on a port that the system gives. */
export async function serveApp(app: Pick<Hono<Authenticated>, "fetch">): Promise<Served> {
  const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" });
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    [Symbol.asyncDispose]: async () => {
      if (server instanceof Server) server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

export interface Visit extends AsyncDisposable {
  readonly page: Page;
  /** What the browser complained of: errors of scripts, of the policy, of loads. */
  readonly complaints: string[];
  /** Waits until the page follows the farm's events: what changed before is told to nobody. */
  followed(): Promise<void>;
  /** How far the page moved by itself since it was loaded (cumulative layout shift). */
  shift(): Promise<number>;
}

/** One page in a fresh context: no cookies, nothing cached. */
export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    ...options,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => {
    complaints.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  if (options.javaScriptEnabled !== false) await page.addInitScript({ content: MEASURE_SHIFT });
  const following = followedBy(page);
  // Most pages follow nothing, or are closed before.
  following.catch(() => undefined);
  await page.goto(url);
  return {
    page,
    complaints,
    followed: () => following,
    shift: async () => Number(await page.evaluate("globalThis.shifted ?? 0")),
    [Symbol.asyncDispose]: () => context.close(),
  };
}

/** Waits until a page that begins to follow the farm's events does so. */
export async function followedBy(page: Page): Promise<void> {
  await page.waitForResponse((response) => response.url().endsWith("/api/v1/events"));
}

/** What axe finds wrong with a page, a line each; nothing where it is well. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  // By the debugging protocol: the page's own policy lets no script of another in.
  await page.evaluate(AXE);
  const options = { runOnly: { type: "tag", values: RULES }, resultTypes: ["violations"] };
  const found = await page.evaluate(
    `axe.run(document, ${JSON.stringify(options)}).then(({ violations }) => violations)`,
  );
  return Violations.parse(found).flatMap(({ id, help, nodes }) =>
    nodes.map(
      ({ html, failureSummary }) => `${id}: ${help}: ${html.slice(0, 200)} ${failureSummary}`,
    ),
  );
}

/** How many pixels a page is wider than its window: 0 where nothing of it moves sideways. */
export async function overhang(page: Page): Promise<number> {
  return Number(await page.evaluate("document.documentElement.scrollWidth - innerWidth"));
}

/** Widths and schemes that every page is looked at in. */
export const VIEWS = [
  {
    name: "narrow, light",
    options: { viewport: { width: 320, height: 640 }, colorScheme: "light" },
  },
  { name: "narrow, dark", options: { viewport: { width: 320, height: 640 }, colorScheme: "dark" } },
  {
    name: "wide, light",
    options: { viewport: { width: 1600, height: 900 }, colorScheme: "light" },
  },
  { name: "wide, dark", options: { viewport: { width: 1600, height: 900 }, colorScheme: "dark" } },
] as const satisfies readonly { name: string; options: BrowserContextOptions }[];

/** What is wrong with a page in each of the views: accessibility, complaints of the browser, width. */
export async function faultsInAllViews(
  browser: Browser,
  url: string,
  more: BrowserContextOptions = {},
): Promise<string[]> {
  const faults: string[] = [];
  for (const { name, options } of VIEWS) {
    await using visited = await visit(browser, url, { ...options, ...more });
    const found = [
      ...(await accessibilityFaults(visited.page)),
      ...visited.complaints,
      ...((await overhang(visited.page)) > 0 ? ["it is wider than its window"] : []),
    ];
    faults.push(...found.map((fault) => `${name}: ${fault}`));
  }
  return faults;
}
