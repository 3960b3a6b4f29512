import { createRoute, z, type OpenAPIHono } from "@hono/zod-openapi";

import { isName, normaliseName } from "../../python/names.ts";
import { JOB_STATES, LANES } from "../../queue/job.ts";
import { busiestProjects, jobs, laneCounts } from "../../queue/job-views.ts";
import { countSince } from "../../store/sql/result-queries.ts";
import { ALWAYS, NOT_FOUND, NOT_MODIFIED, ok } from "./answers.ts";
import type { ApiDeps, ApiEnv } from "./api-deps.ts";
import { whileItIsSo } from "./conditional.ts";
import { PAGE, pageOf, readNumberCursor } from "./cursors.ts";
import { isOperator, jobOf, seenJob } from "./job-view.ts";
import { Job, Jobs, QueueState } from "./schemas/queue.ts";
import { queueSightOf } from "./sight.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MOST_BUSY = 20;

export const jobKey = z.string().min(1).max(100).openapi({ description: "Of a job" });

const list = createRoute({
  method: "get",
  path: "/jobs",
  operationId: "listJobs",
  tags: ["queue"],
  summary: "Jobs, the one that was queued last first",
  middleware: whileItIsSo,
  request: {
    query: z.strictObject({
      project: z.string().min(1).max(200).optional(),
      configuration: z
        .string()
        .regex(/^[a-z0-9.-]{1,40}$/u)
        .optional(),
      state: z.enum(JOB_STATES).optional(),
      lane: z.enum(LANES).optional(),
      ...PAGE,
    }),
  },
  responses: { ...ok(Jobs, "A page of jobs"), ...NOT_MODIFIED, ...ALWAYS },
});

const one = createRoute({
  method: "get",
  path: "/jobs/{key}",
  operationId: "getJob",
  tags: ["queue"],
  summary: "A job",
  middleware: whileItIsSo,
  request: { params: z.object({ key: jobKey }) },
  responses: { ...ok(Job, "The job"), ...NOT_MODIFIED, ...NOT_FOUND, ...ALWAYS },
});

const queue = createRoute({
  method: "get",
  path: "/queue",
  operationId: "getQueue",
  tags: ["queue"],
  summary: "How much is queued, how old the oldest is, and how fast it goes",
  middleware: whileItIsSo,
  responses: { ...ok(QueueState, "Of what who asks gets to see"), ...NOT_MODIFIED, ...ALWAYS },
});

export function jobRoutes(app: OpenAPIHono<ApiEnv>, deps: ApiDeps): void {
  const { database } = deps;

  app.openapi(list, async (context) => {
    const { project, cursor, limit, ...filters } = context.req.valid("query");
    const olderThan = readNumberCursor("jobs", cursor);
    const { configuration, state, lane } = filters;
    const query = {
      within: queueSightOf(context, deps),
      ...(project === undefined ? {} : { project: isName(project) ? normaliseName(project) : "" }),
      ...(configuration === undefined ? {} : { configuration }),
      ...(state === undefined ? {} : { state }),
      ...(lane === undefined ? {} : { lane }),
      ...(olderThan === undefined ? {} : { olderThan }),
      limit: limit + 1,
    };
    const found = await database.read((db) => jobs(db, query));
    const { items, next } = pageOf("jobs", found, limit, ({ id }) => String(id));
    const forOperators = isOperator(context, deps);
    return context.json({ jobs: items.map((view) => jobOf(view, forOperators)), next }, 200);
  });

  app.openapi(one, async (context) => {
    const view = await seenJob(context, deps, context.req.valid("param").key);
    return context.json(jobOf(view, isOperator(context, deps)), 200);
  });

  app.openapi(queue, async (context) => {
    const within = queueSightOf(context, deps);
    const nowMs = deps.nowMs();
    const counts = await database.read((db) => laneCounts(db, within));
    const busiest = await database.read((db) => busiestProjects(db, within, MOST_BUSY));
    return context.json(
      {
        lanes: counts.map(({ oldestMs, ...rest }) => ({
          ...rest,
          oldestAt: new Date(oldestMs).toISOString(),
        })),
        busiest: busiest.map(({ project, count }) => ({ project, jobs: count })),
        attempts: {
          lastHour: await countSince(database, nowMs - HOUR_MS, within),
          lastDay: await countSince(database, nowMs - DAY_MS, within),
        },
      },
      200,
    );
  });
}
