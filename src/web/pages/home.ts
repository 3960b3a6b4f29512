import type { Hono } from "hono";

import { homePage } from "../../pages/home/home-page.ts";
import { troublesFor } from "../../pages/home/troubles.ts";
import { changedVerdictOf, newVerdictOf } from "../../pages/home/verdict-list.ts";
import { releaseLatency, type ReleaseLatency } from "../../queue/release-latency.ts";
import { newestVerdicts } from "../../store/sql/newest-verdicts.ts";
import { newestChanges } from "../../store/sql/verdict-changes.ts";
import { countQueue } from "../api/count-queue.ts";
import type { QueueState } from "../api/schemas/queue.ts";
import { KeptReading } from "../kept-reading.ts";
import type { PagesDeps, PagesEnv } from "./page-deps.ts";
import { pageQueueSight } from "./queue-sight.ts";
import { sendPage } from "./send-page.ts";

const DAY_MS = 86_400_000;
const NEWEST = 20;
const NEWEST_BROKEN = 10;
const MOST_MEASURED = 100;

export function homeRoutes(app: Hono<PagesEnv>, deps: PagesDeps): void {
  const { database, status } = deps;
  const counts = new KeptReading<QueueState>();
  const latencies = new KeptReading<ReleaseLatency | null>();

  app.get("/", async (context) => {
    const page = context.get("page");
    const { within, nowMs, viewer } = page;
    const sight = pageQueueSight(context, deps);
    const { alarms } = await status.status(context.req.raw.signal);
    const { lanes, attempts } = await counts.of(JSON.stringify(sight), () =>
      countQueue(database, sight, nowMs),
    );
    const latency = await latencies.of(JSON.stringify(within), () =>
      database.read((db) => releaseLatency(db, nowMs - DAY_MS, MOST_MEASURED, within)),
    );
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
