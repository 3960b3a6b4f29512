import { createRoute, z, type OpenAPIHono } from "@hono/zod-openapi";

import { isName, normaliseName } from "../../python/names.ts";
import { JOB_STATES, LANES } from "../../queue/job.ts";
import { jobsPage } from "../../queue/job-views.ts";
import { KeptReading } from "../kept-reading.ts";
import { ALWAYS, NOT_FOUND, NOT_MODIFIED, ok } from "./answers.ts";
import type { ApiDeps, ApiEnv } from "./api-deps.ts";
import { whileItIsSo } from "./conditional.ts";
import { countQueue } from "./count-queue.ts";
import { cursorOf, PAGE, readNumberCursor } from "./cursors.ts";
import { isOperator, jobOf, seenJob } from "./job-view.ts";
import { Job, Jobs, QueueState } from "./schemas/queue.ts";
import { queueSightOf } from "./sight.ts";

/** Counts are as old as this at most. */
const COUNT_MS = 2000;

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
  responses: {
    ...ok(Jobs, "A page of jobs; one may be short, or empty, and not be the last: `next` says it"),
    ...NOT_MODIFIED,
    ...ALWAYS,
  },
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
      limit,
    };
    const page = await database.read((db) => jobsPage(db, query));
    const next = page.next === null ? null : cursorOf("jobs", String(page.next));
    const forOperators = isOperator(context, deps);
    return context.json({ jobs: page.jobs.map((view) => jobOf(view, forOperators)), next }, 200);
  });

  app.openapi(one, async (context) => {
    const view = await seenJob(context, deps, context.req.valid("param").key);
    return context.json(jobOf(view, isOperator(context, deps)), 200);
  });

  // It is counted by reading all that is queued: not for each who looks.
  const counted = new KeptReading<QueueState>(COUNT_MS, () => deps.nowMs());
  app.openapi(queue, async (context) => {
    const within = queueSightOf(context, deps);
    const count = () => countQueue(database, within, deps.nowMs());
    return context.json(await counted.of(JSON.stringify(within), count), 200);
  });
}
