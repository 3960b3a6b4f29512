import type { Hono } from "hono";

import { attemptPage } from "../../pages/attempt/attempt-page.ts";
import { KeptReports } from "../../pages/attempt/kept-reports.ts";
import { MAX_SEARCH_CHARS, TEST_FILTERS, type TestsAsked } from "../../pages/attempt/list-tests.ts";
import { readAttempt, type AttemptSources } from "../../pages/attempt/read-attempt.ts";
import { runningPage, type RunningAttempt } from "../../pages/attempt/running-page.ts";
import { jobRunBy } from "../../queue/job-views.ts";
import { isAttemptId, madeAtMs } from "../../store/attempt-id.ts";
import { attemptBegunWith } from "../../store/sql/attempt-relations.ts";
import { isWithinSight } from "../api/sight.ts";
import { attemptDownloads } from "./attempt-downloads.ts";
import type { PagesContext, PagesDeps, PagesEnv } from "./page-deps.ts";
import { pageQueueSight } from "./queue-sight.ts";
import { sendPage } from "./send-page.ts";
import { unknownAttempt } from "./unknown-attempt.ts";

const DAY_MS = 86_400_000;
const MAX_PAGE = 100_000;
/** A beginning that is shorter is none that anybody copied. */
const LEAST_BEGINNING_CHARS = 4;

export function attemptRoutes(app: Hono<PagesEnv>, deps: PagesDeps): void {
  const { database, bucket, logs } = deps;
  const sources: AttemptSources = { database, bucket, reports: new KeptReports(bucket), logs };
  attemptDownloads(app, deps, sources);

  app.get("/a/:id", async (context) => {
    const page = context.get("page");
    const id = context.req.param("id");
    if (!isAttemptId(id)) throw unknownAttempt(id);
    const read = await readAttempt(sources, id, testsAsked(context), page);
    if (read !== null) return sendPage(context, attemptPage(read, page));
    const running = await runningAttempt(context, deps, id);
    if (running !== null) return sendPage(context, runningPage(running, page));
    const whole =
      id.length < LEAST_BEGINNING_CHARS ? null : await attemptBegunWith(database, id, page.within);
    if (whole === null || whole === id) throw unknownAttempt(id);
    return context.redirect(page.site.href({ kind: "attempt", id: whole }) ?? "/", 303);
  });
}

/** What of its tests is asked for; what can't be asked for is passed over. */
function testsAsked(context: PagesContext): TestsAsked {
  const { test = "", outcome = "", page = "" } = context.req.query();
  return {
    text: test.trim().slice(0, MAX_SEARCH_CHARS),
    outcome: TEST_FILTERS.find((filter) => filter === outcome) ?? null,
    page: /^[1-9]\d{0,5}$/u.test(page) ? Math.min(Number(page), MAX_PAGE) : 1,
  };
}

/** An attempt without a result: one that runs in this very process, or for which a job of the queue is leased. */
async function runningAttempt(
  context: PagesContext,
  deps: PagesDeps,
  id: string,
): Promise<RunningAttempt | null> {
  const sight = pageQueueSight(context, deps);
  const { database, live } = deps;
  const job = await database.read((db) => jobRunBy(db, id));
  const running = live.running(id);
  const owner = running ?? live.ownerOf(id);
  const about = owner ?? job;
  if (about === null || !isWithinSight(about, sight)) return null;
  return {
    id,
    project: about.project,
    configuration: running?.configuration ?? job?.configuration ?? "",
    job,
    sinceMs: begunAtMs(id, deps.nowMs()),
    hasEnded: running === null && job === null,
  };
}

/** Ids are made when attempts are begun; one that says otherwise was made by somebody else. */
function begunAtMs(id: string, nowMs: number): number | null {
  const madeMs = madeAtMs(id);
  return madeMs !== null && Math.abs(nowMs - madeMs) < DAY_MS ? madeMs : null;
}
