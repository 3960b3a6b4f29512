import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { writtenReport } from "../../src/cli/report/report.sample.ts";
import { sampleFarm } from "../../src/web/api/farm.sample.ts";
import { attemptKey } from "../../src/worker/bucket-keys.ts";
import { faultsInAllViews, openBrowser, visit } from "./browser.ts";

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css",
  svg: "image/svg+xml",
  txt: "text/plain; charset=utf-8",
};
const HOSTILE = `1.0"><img src=x onerror=alert(1)><script>alert(2)</script>`;

let browser: Browser;
let directory = "";
let server: Server;
/** From a disk, and from a server that knows nothing of us. */
let bases: string[] = [];
let attempt = "";
beforeAll(async () => {
  browser = await openBrowser();
  await using farm = await sampleFarm();
  await farm.record({ project: "lmdb", version: "1.0", outcome: "pass", cause: null });
  await farm.record({ project: "lmdb", version: HOSTILE });
  attempt = await farm.record({ project: "lmdb", version: "1.1" });
  const log = `== test python -m pytest\n\u001b[31mE   ${HOSTILE}\u001b[0m\n`.repeat(1005);
  await farm.bucket.create(attemptKey(attempt, "log.txt"), Buffer.from(log), {
    signal: new AbortController().signal,
    compression: "zstd",
  });
  directory = mkdtempSync(join(tmpdir(), "creamery-report-"));
  for (const [path, content] of await writtenReport(farm)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), content);
  }
  server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://x").pathname);
    try {
      const content = readFileSync(join(directory, path));
      response.setHeader("content-type", TYPES[path.split(".").at(-1) ?? ""] ?? "text/plain");
      response.end(content);
    } catch {
      response.writeHead(404).end();
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  bases = [pathToFileURL(directory).href, `http://127.0.0.1:${address.port}`];
});
afterAll(async () => {
  server.close();
  server.closeAllConnections();
  rmSync(directory, { recursive: true, force: true });
  await browser.close();
});

/** Asks for style sheets by itself, which the pages' policy lets nobody do. */
const isOfAxe = (fault: string): boolean =>
  fault.includes("preload assets") || fault.includes("'connect-src'");

test("is well in all widths and schemes, from a disk", async () => {
  for (const path of [
    "index.html",
    "projects/index.html",
    "p/lmdb/index.html",
    "p/lmdb/1.1/index.html",
    `a/${attempt}/index.html`,
    `a/${attempt}/log/2/index.html`,
  ]) {
    const faults = await faultsInAllViews(browser, `${bases[0]}/${path}`);
    expect(faults.filter((fault) => !isOfAxe(fault))).toEqual([]);
  }
});

test("leads from its first page to a line of a log, with its own style, and nothing of a package's runs", async () => {
  for (const base of bases)
    for (const javaScriptEnabled of [true, false]) {
      await using visited = await visit(browser, `${base}/index.html`, { javaScriptEnabled });
      const { page, complaints } = visited;
      await page.click("main table a");
      expect(page.url()).toBe(`${base}/p/lmdb/index.html`);
      await page.click(`main a[href*="1.1/"]`);
      expect(page.url()).toBe(`${base}/p/lmdb/1.1/index.html`);
      await page.click(`main a[href*="/${attempt}/"]`);
      expect(page.url()).toMatch(new RegExp(`^${base}/a/${attempt}/index.html(#|$)`, "u"));
      await page.goto(`${base}/a/${attempt}/log/2/index.html#L2001`);
      expect(await page.locator("#L2001").count()).toBe(1);
      const font = await page.evaluate("getComputedStyle(document.body).fontFamily");
      expect(font).toContain("sans-serif");
      expect(complaints).toEqual([]);
    }
});
