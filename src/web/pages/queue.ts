import type { Hono } from "hono";
import { z } from "zod";

import { queuePage } from "../../pages/queue/queue-page.ts";
import { isName, normaliseName } from "../../python/names.ts";
import { JOB_STATES, LANES } from "../../queue/job.ts";
import { jobsPage } from "../../queue/job-views.ts";
import { Refused } from "../api/answers.ts";
import { cursorOf, readNumberCursor } from "../api/cursors.ts";
import type { FarmReadings } from "./farm-readings.ts";
import type { PagesDeps, PagesEnv } from "./page-deps.ts";
import { pageQueueSight, seesForOperators } from "./queue-sight.ts";
import { sendPage } from "./send-page.ts";

const LIMIT = 50;

/** Of a form: what was left empty is not asked for. */
const Asked = z.object({
  project: z.string().trim().max(200).default(""),
  configuration: z
    .string()
    .regex(/^[a-z0-9.-]{0,40}$/u)
    .default(""),
  state: z.enum(["", ...JOB_STATES]).default(""),
  lane: z.enum(["", ...LANES]).default(""),
  cursor: z.string().max(2000).optional(),
});

export function queueRoutes(app: Hono<PagesEnv>, deps: PagesDeps, readings: FarmReadings): void {
  const { database } = deps;

  app.get("/queue", async (context) => {
    const page = context.get("page");
    const asked = Asked.safeParse(context.req.query());
    if (!asked.success)
      throw new Refused({ status: 400, detail: "no job can be of the kind that was asked for" });
    const { cursor, ...filter } = asked.data;
    const { project, configuration, state, lane } = filter;
    const within = pageQueueSight(context, deps);
    const olderThan = readNumberCursor("jobs", cursor);
    const { lanes, busiest } = await readings.queue(context, within);
    const { jobs, next } = await database.read((db) =>
      jobsPage(db, {
        within,
        // What no project can be called is none's.
        ...(project === "" ? {} : { project: isName(project) ? normaliseName(project) : "" }),
        ...(configuration === "" ? {} : { configuration }),
        ...(state === "" ? {} : { state }),
        ...(lane === "" ? {} : { lane }),
        ...(olderThan === undefined ? {} : { olderThan }),
        limit: LIMIT,
      }),
    );
    const { known } = await deps.configurations();
    const facts = {
      lanes,
      busiest,
      jobs,
      next: next === null ? null : cursorOf("jobs", String(next)),
      isLater: cursor !== undefined,
      filter: { ...filter, project: project.replaceAll("\0", "") },
      configurations: known,
      forOperators: seesForOperators(context, deps),
    };
    return sendPage(context, queuePage(facts, page));
  });
}
