import type { Hono } from "hono";

import { MAX_QUERY_CHARS, search, searchPage } from "../../pages/search/search-page.ts";
import type { PagesDeps, PagesEnv } from "./page-deps.ts";
import { sendPage } from "./send-page.ts";

export function searchRoutes(app: Hono<PagesEnv>, { database }: PagesDeps): void {
  app.get("/search", async (context) => {
    const page = context.get("page");
    const asked = (context.req.query("q") ?? "").replaceAll("\0", "").slice(0, MAX_QUERY_CHARS);
    const found = await search(database, asked, page);
    const [only] = found.projects;
    // What was typed whole is what was meant.
    if (found.attempt !== null && found.projects.length === 0)
      return context.redirect(page.site.href({ kind: "attempt", id: found.attempt }) ?? "/", 303);
    if (only !== undefined && found.projects.length === 1 && only.name === asked.toLowerCase())
      return context.redirect(page.site.href({ kind: "project", project: only.name }) ?? "/", 303);
    return sendPage(context, searchPage(found, page));
  });
}
