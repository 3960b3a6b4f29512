import type { Hono } from "hono";

import { atomFeed, type FeedFacts } from "../../pages/changes/atom-feed.ts";
import { changesPage } from "../../pages/changes/changes-page.ts";
import { ChangesQuery, SHOWN_KINDS } from "../../pages/changes/changes-query.ts";
import { readChanges, type ChangesFacts } from "../../pages/changes/read-changes.ts";
import { newestChanges } from "../../store/sql/verdict-changes.ts";
import { KeptReading } from "../kept-reading.ts";
import { noteKept, type PagesContext, type PagesDeps, type PagesEnv } from "./page-deps.ts";
import { otherSpelling, readableProject } from "./readable-project.ts";
import { sendPage, sendText } from "./send-page.ts";

/** Entries of a feed: who reads it once a day misses little. */
const MOST_ENTRIES = 50;

/** What changed, as a page and as feeds. */
export function changesRoutes(app: Hono<PagesEnv>, deps: PagesDeps): void {
  const { database, elapsedMs } = deps;
  const kept = new KeptReading<ChangesFacts>(0, elapsedMs);

  app.get("/changes", async (context) => {
    const page = context.get("page");
    const query = ChangesQuery.parse(
      Object.fromEntries(
        Object.entries(context.req.query()).map(([name, text]) => [
          name,
          text.replaceAll("\0", ""),
        ]),
      ),
    );
    const facts = await kept.of(
      JSON.stringify([query, page.within]),
      () => readChanges(database, query, page),
      noteKept(context),
    );
    return sendPage(context, changesPage(facts, query, page));
  });

  // Addresses of feeds are handed on and their answers kept: what is private is never among those of all projects.
  app.get("/changes/feed.xml", async (context) => {
    const { changes } = await newestChanges(database, {
      within: { ...context.get("page").within, private: [] },
      kinds: SHOWN_KINDS.both,
      limit: MOST_ENTRIES,
    });
    const [self, page] = [{ kind: "changes-feed" }, { kind: "changes" }] as const;
    return sendFeed(context, { title: "Changes of verdict", self, page, changes });
  });

  app.get("/p/:name/feed.xml", async (context) => {
    const given = context.req.param("name");
    const { within, site } = context.get("page");
    const spelling = otherSpelling(given);
    if (spelling !== null)
      return context.redirect(site.href({ kind: "feed", project: spelling }) ?? "/", 301);
    const { name: project } = await readableProject(context, deps, given);
    const { changes } = await newestChanges(database, {
      within,
      project,
      kinds: SHOWN_KINDS.both,
      limit: MOST_ENTRIES,
    });
    const [self, page] = [
      { kind: "feed", project },
      { kind: "project", project },
    ] as const;
    return sendFeed(context, { title: `${project}: changes of verdict`, self, page, changes });
  });
}

function sendFeed(context: PagesContext, facts: FeedFacts): Response {
  const text = atomFeed(facts, context.get("page").site) ?? "";
  return sendText(context, text, {
    "content-type": "application/atom+xml; charset=utf-8",
    // Opened in a browser it runs and loads nothing.
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  });
}
