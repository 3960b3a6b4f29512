import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { sampleAttempt } from "../../src/model/result-json.sample.ts";
import { attemptKey } from "../../src/worker/bucket-keys.ts";
import { sampleSite, type SampleSite } from "../../src/web/pages/site.sample.ts";
import { openBrowser, serveApp, visit, type Served } from "./browser.ts";
import { crawl } from "./crawl.ts";

/** Each would set `pwned`, open a dialog, load something or leave an element, if anything but text came of it. */
const CORPUS = [
  `<script>globalThis.pwned=1;alert(1)</script>`,
  `"><img src=x onerror="globalThis.pwned=2">`,
  `'><svg onload=alert(3)>`,
  `</title><script>alert(4)</script>`,
  `</textarea></pre></code><iframe srcdoc="<script>parent.pwned=5</script>">`,
  `javascript:globalThis.pwned=6//`,
  `" autofocus onfocus=alert(7) x="`,
  `\u2028\u2029\u202Egnp.exe\u202C\u0000\u0007\u001B[31mred\u001B]8;;javascript:alert(8)\u0007link\u001B]8;;\u0007`,
  `<math><mtext><table><mglyph><style><img src=x onerror=alert(9)>`,
  `{{constructor.constructor('alert(10)')()}} \${alert(10)} <%= 10 %>`,
  `&lt;script&gt;alert(11)&lt;/script&gt; &#x3c;img src=x onerror=alert(11)&#x3e;`,
  `<a href="data:text/html,<script>alert(12)</script>">x</a><base href="//evil.example/">`,
  `<meta http-equiv="refresh" content="0;url=https://evil.example/"><form action="https://evil.example/"><button>`,
  `]]><!--<plaintext><link rel=stylesheet href=//evil.example/x.css><style>*{display:none}</style>`,
];

let browser: Browser;
let site: SampleSite;
let served: Served;
beforeAll(async () => {
  browser = await openBrowser();
  site = await sampleSite();
  const { farm } = site;
  const { signal } = new AbortController();
  for (const [index, payload] of CORPUS.entries()) {
    const base = sampleAttempt();
    const id = `hostile${String(index).padStart(9, "0")}`;
    const tests = CORPUS.map((text, place) => ({
      id: `tests/${text}.py::${place}`,
      outcome: "failed" as const,
      seconds: 1,
      message: text,
    }));
    await farm.record(
      {
        id,
        project: "hostile",
        version: `1.${index}${payload}`,
        configuration: "cpython-3.13",
        cause: `missing-system-library(${payload})`,
        installed: "sdist",
        plan: { rung: payload, command: payload, rejected: [{ rung: payload, why: payload }] },
        why: payload.slice(0, 300),
        evidence: {
          ...base.evidence,
          firstLines: [payload],
          failing: [{ id: payload, outcome: "failed", message: payload }],
          differing: [payload],
          contradictions: [payload],
          repairs: [payload],
          refused: [{ target: payload, kind: "dns", count: 1 }],
          attempts: [payload],
          installedPath: payload,
          smoke: [{ what: "import", name: payload, text: payload }],
          gaps: [payload],
        },
      },
      { results: tests, dependencies: [{ name: "requests", kind: "run" }] },
    );
    const put = (name: string, text: string) =>
      farm.bucket.create(attemptKey(id, name), Buffer.from(text), { signal, compression: "gzip" });
    await put("log.txt", [`== step 1: ${payload}`, ...CORPUS, `${payload}\r${payload}`].join("\n"));
    const none = { errors: 0, skipped: 0, deselected: 0 };
    await put(
      "report.json",
      JSON.stringify({
        counts: { collected: tests.length, passed: 0, failed: tests.length, ...none },
        results: tests,
        origin: "recorded",
        complete: true,
        contradictions: [],
        unfinished: [payload],
        imported: { [payload]: [payload] },
        collectionErrors: [{ id: payload, message: payload }],
      }),
    );
    await put(
      "pylock.toml",
      `lock-version = "1.0"\n[[packages]]\nname = ${JSON.stringify(payload)}\n`,
    );
    await farm.enqueue("hostile", {
      word: `hostile==${payload}`,
      version: `2.${index}${payload}`,
      why: payload,
    });
  }
  served = await serveApp(site.app);
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
  await browser.close();
});

test("what hostile packages wrote comes out as text on every page that can be reached", async () => {
  await using visited = await visit(browser, `${served.url}/`);
  const { page, complaints } = visited;
  const elsewhere: string[] = [];
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== served.url) elsewhere.push(request.url());
  });
  const statuses: Record<string, number> = {};
  const found: string[] = [];
  const paths = await crawl(page, served.url, async (path, status) => {
    statuses[path] = status;
    await page.keyboard.press("Tab");
    const pwned = await page.evaluate("String(globalThis.pwned)");
    if (pwned !== "undefined") found.push(`${path}: ${String(pwned)}`);
    // None of these is the farm's own.
    const foreign = page.locator(
      "iframe, object, embed, base, plaintext, math, style, script:not([src]), meta[http-equiv], [onerror], [onload], [onfocus], [href^='javascript:' i], [href^='data:' i], form[action^='http']",
    );
    const count = await foreign.count();
    if (count > 0) found.push(`${path}: ${await foreign.first().innerHTML()}`);
  });
  expect(found).toEqual([]);
  expect(complaints).toEqual([]);
  expect(elsewhere).toEqual([]);
  expect(Object.values(statuses).every((status) => status === 200)).toBe(true);
  // The corpus went through all that shows it.
  for (const kind of ["/p/hostile", "/p/hostile/", "/a/hostile", "/queue", "/changes"])
    expect(paths.some((path) => path.startsWith(kind))).toBe(true);
});
