import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { sampleManifest } from "../../src/image/manifest.sample.ts";
import { arrive } from "../../src/web/api/farm.sample.ts";
import { comparisonKey } from "../../src/judge/comparison-id.ts";
import { sampleCompared, sampleComparison } from "../../src/judge/comparison-json.sample.ts";
import { VERDICTS } from "../../src/judge/compare-sides.ts";
import { sampleSite, type SampleSite } from "../../src/web/pages/site.sample.ts";
import { faultsInAllViews, openBrowser, serveApp, visit, type Served } from "./browser.ts";

const COMPARISON = "0".repeat(16);
const IMAGES = ["2026.11.1+00000001", "2026.11.2+00000002"] as const;

let browser: Browser;
let site: SampleSite;
let served: Served;
beforeAll(async () => {
  browser = await openBrowser();
  site = await sampleSite();
  const { farm } = site;
  for (const project of ["lmdb", "attrs", `a${"-very-long-name".repeat(6)}`])
    await farm.enqueue(project);
  await arrive(farm, "one");
  for (const [at, id] of IMAGES.entries()) {
    const directory = join(farm.deps.imagesDir, id);
    await mkdir(directory, { recursive: true });
    const interpreters = at === 0 ? ["cpython-2.7", "cpython-3.13"] : ["cpython-3.13"];
    await writeFile(
      join(directory, "manifest.json"),
      JSON.stringify(sampleManifest(id, { interpreters, tools: { uv: `0.9.${at}` } })),
    );
    await writeFile(join(directory, "tree.jsonl"), "");
  }
  await farm.record({ project: "six" });
  const comparison = sampleComparison({
    compared: VERDICTS.map((verdict) => sampleCompared({ verdict })),
  });
  await farm.bucket.create(comparisonKey(COMPARISON), Buffer.from(JSON.stringify(comparison)), {
    signal: new AbortController().signal,
    compression: "gzip",
  });
  served = await serveApp(site.app);
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
  await browser.close();
});

test("the queue, the hosts and the images are well in all widths and schemes", async () => {
  const [a, b] = IMAGES.map(encodeURIComponent);
  for (const path of ["/queue", "/queue?state=dead", "/hosts", "/images", `/images?a=${a}&b=${b}`])
    expect(await faultsInAllViews(browser, `${served.url}${path}`), path).toEqual([]);
});

test("what the farm says of itself, and comparisons, are well in all widths and schemes", async () => {
  for (const path of ["/about", "/compare", `/compare/${COMPARISON}`])
    expect(await faultsInAllViews(browser, `${served.url}${path}`), path).toEqual([]);
});

test("a job that is queued appears by itself, and nothing moves; without scripts its form works", async () => {
  await using visited = await visit(browser, `${served.url}/queue`);
  const { page, complaints } = visited;
  await visited.followed();
  await site.farm.enqueue("six");
  site.farm.deps.live.changed({
    kind: "attempt",
    id: "none",
    project: "six",
    visibility: "public",
    configuration: "cpython-3.13",
    outcome: "pass",
  });
  await page.locator(".jobs").getByRole("link", { name: "six", exact: true }).waitFor();
  expect([await visited.shift(), complaints]).toEqual([0, []]);

  await using plain = await visit(browser, `${served.url}/queue`, { javaScriptEnabled: false });
  expect(await plain.page.getByRole("button", { name: "Pause" }).count()).toBe(0);
  await plain.page.getByLabel("Project").fill("LMDB");
  await plain.page.getByLabel("State").selectOption("queued");
  await plain.page.getByRole("button", { name: "Show" }).click();
  await plain.page.waitForURL(/state=queued/u);
  expect(await plain.page.locator(".jobs tbody tr").count()).toBe(1);
});
