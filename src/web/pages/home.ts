import type { Hono } from "hono";

import { homePage } from "../../pages/home/home-page.ts";
import { troublesFor } from "../../pages/home/troubles.ts";
import { changedVerdictOf, newVerdictOf } from "../../pages/home/verdict-list.ts";
import { newestVerdicts } from "../../store/sql/newest-verdicts.ts";
import { newestChanges } from "../../store/sql/verdict-changes.ts";
import type { FarmReadings } from "./farm-readings.ts";
import type { PagesDeps, PagesEnv } from "./page-deps.ts";
import { pageQueueSight } from "./queue-sight.ts";
import { sendPage } from "./send-page.ts";

const NEWEST = 20;
const NEWEST_BROKEN = 10;

export function homeRoutes(app: Hono<PagesEnv>, deps: PagesDeps, readings: FarmReadings): void {
  const { database, status } = deps;

  app.get("/", async (context) => {
    const page = context.get("page");
    const { within, viewer } = page;
    const sight = pageQueueSight(context, deps);
    const { alarms } = await status.status(context.req.raw.signal);
    const { lanes, attempts } = await readings.queue(context, sight);
    const latency = await readings.latency(context);
    const verdicts = await newestVerdicts(database, { within, limit: NEWEST });
    const { changes } = await newestChanges(database, {
      within,
      kinds: ["broke"],
      limit: NEWEST_BROKEN,
    });
    const facts = {
      troubles: troublesFor(viewer, alarms),
      lanes,
      attempts,
      latency,
      verdicts: verdicts.map(newVerdictOf),
      broke: changes.map(changedVerdictOf),
    };
    return sendPage(context, homePage(facts, page));
  });
}
