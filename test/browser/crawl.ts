import type { Page } from "playwright-core";
import { z } from "zod";

/** Below these lie what is no page: the API, and what is downloaded. */
const NO_PAGE =
  /^\/(?:api|assets|badge|login|logout)(?:\/|$)|\.(?:xml|svg|json|txt|toml|sarif|sqlite)$/u;

/**
 * Goes to every page that can be reached by links from one, and shows each to `look`. A page with a query counts once for
 * each path.
 * @param most so many pages at most; more is a fault of the test.
 * @returns the paths that were seen.
 */
export async function crawl(
  page: Page,
  origin: string,
  look: (path: string, status: number) => Promise<void>,
  most = 150,
): Promise<readonly string[]> {
  const waiting = ["/"];
  const seen = new Set<string>();
  for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
    if (seen.has(path)) continue;
    seen.add(path);
    if (seen.size > most) throw new Error(`there are more than ${most} pages: ${path}`);
    const answer = await page.goto(`${origin}${path}`);
    await look(path, answer?.status() ?? 0);
    const hrefs = z
      .array(z.string())
      .parse(await page.evaluate("[...document.links].map(({ href }) => href)"));
    for (const href of hrefs) {
      const url = URL.parse(href);
      if (url === null || url.origin !== origin || NO_PAGE.test(url.pathname)) continue;
      if (!seen.has(url.pathname)) waiting.push(url.pathname);
    }
  }
  return [...seen];
}
