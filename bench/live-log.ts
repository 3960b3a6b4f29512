import { setTimeout as sleep } from "node:timers/promises";

import { z } from "zod";

import { packProjects, unittestOf } from "../test/guest/pack-projects.ts";
import { upstreamsOf } from "../test/guest/upstreams-of.ts";
import { openBrowser, visit } from "../test/browser/browser.ts";
import { startUpstream } from "../test/upstream/upstream.ts";
import { bar, median, printBars } from "./bars.ts";
import { RunningFarm } from "./running-farm.ts";

/**
 * From a guest's write to the screen of who watches its log: tests of a real attempt print what time it is, and a browser that has the
 * attempt's page open says when it shows that. As root.
 *
 *     npm run -s bench:live-log -- [--json]
 */
const PROJECT = "creamery-e2e-ticks";
const TICKS = 60;
const PAUSE_SECONDS = 0.25;
const START_MS = 120_000;

const test = unittestOf(
  "import time",
  `for _ in range(${TICKS}):`,
  '    print("tick %d" % (time.time() * 1000), flush=True)',
  `    time.sleep(${PAUSE_SECONDS})`,
);
await using upstream = await startUpstream({
  files: packProjects([{ name: PROJECT, files: { "tests/test_it.py": test } }]),
});
await using farm = await RunningFarm.start({ upstreams: upstreamsOf(upstream.url) }, [PROJECT]);
const attempt = await leased();
await using browser = await openBrowser();
await using visited = await visit(browser, `${farm.url}/a/${attempt}`);
const { page } = visited;
// Seen at the frame after it was put there.
await page.evaluate(`
  globalThis.late = new Map();
  new MutationObserver(() => requestAnimationFrame(() => {
    const seenMs = Date.now();
    for (const [, ms] of document.body.textContent.matchAll(/tick (\\d{13})/g))
      if (!globalThis.late.has(ms)) globalThis.late.set(ms, seenMs - Number(ms));
  })).observe(document.body, { childList: true, subtree: true, characterData: true });
`);
const seen = async () =>
  z.array(z.number()).parse(await page.evaluate("[...globalThis.late.values()]"));
for (let waited = 0; (await seen()).length < TICKS / 2; waited += 200) {
  if (waited > START_MS) throw new Error(`only ${(await seen()).length} lines were shown`);
  await sleep(200);
}
// What was written before the page was open was not waited for.
const late = (await seen()).filter((ms) => ms < 10_000).slice(5);
printBars(
  [
    bar("a line of a guest on the screen, the latest", Math.max(...late) / 1000, "s", {
      op: "<",
      than: 1,
    }),
    bar("the same, in the middle", median(late) / 1000, "s"),
    bar("lines", late.length, ""),
  ],
  process.argv,
);

/** The attempt that runs first. */
async function leased(): Promise<string> {
  const Jobs = z.object({ jobs: z.array(z.object({ attempt: z.string().nullable() })) });
  for (let waited = 0; waited < START_MS; waited += 100) {
    const answer = await fetch(`${farm.url}/api/v1/jobs?state=leased`);
    const [job] = Jobs.parse(await answer.json()).jobs;
    if (job?.attempt !== undefined && job.attempt !== null) return job.attempt;
    await sleep(100);
  }
  throw new Error("nothing was begun");
}
