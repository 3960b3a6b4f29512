import type { Hono } from "hono";
import { z } from "zod";

import { comparisonPage } from "../../pages/compare/comparison-page.ts";
import { comparisonsPage, type ListedComparison } from "../../pages/compare/comparisons-page.ts";
import { KeptComparisons } from "../../pages/compare/kept-comparisons.ts";
import { countsOf, seenComparison } from "../../pages/compare/seen-comparison.ts";
import { isComparisonId } from "../../judge/comparison-id.ts";
import type { ComparisonJson } from "../../judge/comparison-json.ts";
import { VERDICTS } from "../../judge/compare-sides.ts";
import { Refused } from "../api/answers.ts";
import { KeptReading } from "../kept-reading.ts";
import type { PagesContext, PagesDeps, PagesEnv } from "./page-deps.ts";
import { sendPage, sendText } from "./send-page.ts";

const NEWEST = 20;
/** For a page so many are looked through: each may have thousands of rows. */
const MOST_LOOKED_THROUGH = 60;

const Asked = z.object({
  verdict: z.enum(["", ...VERDICTS]).default(""),
  configuration: z.string().max(40).default(""),
  project: z.string().trim().max(100).default(""),
  page: z.coerce.number().int().min(1).max(10_000).default(1),
});

export function compareRoutes(app: Hono<PagesEnv>, deps: PagesDeps): void {
  const { database, bucket, elapsedMs } = deps;
  const kept = new KeptComparisons(bucket);
  const ids = new KeptReading<readonly string[]>(0, elapsedMs);

  app.get("/compare", async (context) => {
    const page = context.get("page");
    const { before = "" } = context.req.query();
    const all = await ids.of("", () => kept.ids());
    const older = isComparisonId(before) ? all.filter((id) => id < before) : all;
    const comparisons: ListedComparison[] = [];
    for (const id of older.slice(0, MOST_LOOKED_THROUGH)) {
      // One more than is shown: what tells of older ones is one that is theirs to see.
      if (comparisons.length > NEWEST) break;
      const summary = await kept.summary(id);
      const seen = summary === null ? null : await seenComparison(database, summary, page.within);
      if (seen === null) continue;
      const { a, b, endedAt, compared } = seen;
      comparisons.push({ id, a, b, endedAt, counts: countsOf(compared) });
    }
    const shown = comparisons.slice(0, NEWEST);
    const hasMore = comparisons.length > NEWEST || older.length > MOST_LOOKED_THROUGH;
    // Never the id of one that is not theirs to see.
    const next = hasMore ? (shown.at(-1)?.id ?? null) : null;
    return sendPage(context, comparisonsPage({ comparisons: shown, next }, page));
  });

  /** @throws Refused 404 where there is none, or nothing of it that is theirs to see. */
  const seen = async (context: PagesContext, id: string): Promise<ComparisonJson> => {
    const whole = await kept.whole(id);
    const found =
      whole === null ? null : await seenComparison(database, whole, context.get("page").within);
    if (found === null)
      throw new Refused({ status: 404, detail: "the farm knows no such comparison" });
    return { ...found, counts: countsOf(found.compared) };
  };

  app.get("/compare/:id", async (context) => {
    const id = context.req.param("id");
    const comparison = await seen(context, id);
    const asked = Asked.safeParse(context.req.query());
    if (!asked.success)
      throw new Refused({ status: 400, detail: "nothing of the kind that was asked for can be" });
    const { page, ...filter } = asked.data;
    return sendPage(context, comparisonPage({ id, comparison, filter, page }, context.get("page")));
  });

  app.get("/compare/:id/comparison.json", async (context) => {
    const comparison = await seen(context, context.req.param("id"));
    return sendText(context, `${JSON.stringify(comparison)}\n`, {
      "content-type": "application/json; charset=utf-8",
    });
  });
}
