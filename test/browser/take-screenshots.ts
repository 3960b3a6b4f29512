import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { Page } from "playwright-core";

import { openBrowser } from "./browser.ts";

/**
 * The pictures of docs/: `npm run screenshots -- URL DIRECTORY [TOKEN-FILE]`, of a farm that is up and has results of lmdb,
 * markupsafe and others. With an operator's token the hosts are those that an operator sees.
 */
const [origin = "", directory = "", tokenFile] = process.argv.slice(2);
if (origin === "" || directory === "") {
  process.stderr.write("usage: npm run screenshots -- URL DIRECTORY [TOKEN-FILE]\n");
  process.exit(2);
}

const WIDE = { viewport: { width: 1280, height: 800 }, colorScheme: "light" } as const;
const DARK = { ...WIDE, colorScheme: "dark" } as const;
const NARROW = { viewport: { width: 320, height: 640 }, colorScheme: "dark" } as const;

/** Of long pages the beginning. */
const TALLEST = 1800;

interface Shot {
  readonly name: string;
  readonly path: string | ((page: Page) => Promise<string>);
  readonly view?: typeof WIDE | typeof DARK | typeof NARROW;
  readonly asOperator?: true;
}

/** Where the first link of a kind on a page leads. */
const linkOn = (path: string, selector: string) => async (page: Page) => {
  await page.goto(`${origin}${path}`);
  return (await page.locator(selector).first().getAttribute("href")) ?? path;
};
const cell = (project: string, sign: string) =>
  linkOn(`/p/${project}`, `main table a:text-is("${sign}")`);

const SHOTS: readonly Shot[] = [
  { name: "home", path: "/" },
  { name: "project", path: "/p/lmdb" },
  { name: "project-narrow-dark", path: "/p/lmdb", view: NARROW },
  { name: "project-markupsafe", path: "/p/markupsafe" },
  { name: "release", path: "/p/lmdb/1.6.2" },
  {
    name: "release-cryptography",
    path: linkOn("/p/cryptography", "main a[href^='/p/cryptography/']"),
  },
  { name: "attempt", path: cell("markupsafe", "E") },
  { name: "attempt-dark", path: cell("lmdb", "✓"), view: DARK },
  { name: "changes", path: "/changes?days=30" },
  { name: "queue", path: "/queue" },
  { name: "hosts", path: "/hosts", asOperator: true },
  { name: "images", path: "/images" },
  { name: "comparison", path: linkOn("/compare", "main a[href^='/compare/']") },
  { name: "search", path: "/search?q=s" },
  { name: "about", path: "/about" },
  { name: "login", path: "/login" },
  { name: "missing", path: "/nowhere" },
];

mkdirSync(directory, { recursive: true });
const browser = await openBrowser();
for (const { name, path, view = WIDE, asOperator } of SHOTS) {
  if (asOperator === true && tokenFile === undefined) continue;
  const context = await browser.newContext(view);
  const page = await context.newPage();
  if (asOperator === true) {
    await page.goto(`${origin}/login`);
    await page.fill("main input[name=token]", readFileSync(tokenFile ?? "", "utf8").trim());
    await page.locator("main form button").first().click();
    await page.waitForLoadState();
  }
  const where = typeof path === "string" ? path : await path(page);
  await page.goto(`${origin}${where}`);
  await page.waitForTimeout(500);
  const { width } = view.viewport;
  const tall = Number(await page.evaluate("document.documentElement.scrollHeight"));
  await page.screenshot({
    path: join(directory, `${name}.png`),
    fullPage: true,
    clip: { x: 0, y: 0, width, height: Math.min(tall, TALLEST) },
  });
  process.stdout.write(`${name}: ${where}\n`);
  await context.close();
}
await browser.close();
