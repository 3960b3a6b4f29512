import { createRoute, z, type OpenAPIHono } from "@hono/zod-openapi";

import type { Within } from "../../model/authorise.ts";
import { isName, normaliseName } from "../../python/names.ts";
import { JOB_STATES, LANES } from "../../queue/job.ts";
import { busiestProjects, jobsPage, laneCounts } from "../../queue/job-views.ts";
import type { Database } from "../../store/database.ts";
import { countSince } from "../../store/sql/result-queries.ts";
import { ALWAYS, NOT_FOUND, NOT_MODIFIED, ok } from "./answers.ts";
import type { ApiDeps, ApiEnv } from "./api-deps.ts";
import { whileItIsSo } from "./conditional.ts";
import { cursorOf, PAGE, readNumberCursor } from "./cursors.ts";
import { isOperator, jobOf, seenJob } from "./job-view.ts";
import { Job, Jobs, QueueState } from "./schemas/queue.ts";
import { queueSightOf } from "./sight.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MOST_BUSY = 20;
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
  const counted = new Map<
    string,
    { readonly state: Promise<QueueState>; readonly untilMs: number }
  >();
  app.openapi(queue, async (context) => {
    const within = queueSightOf(context, deps);
    const key = JSON.stringify(within);
    const nowMs = deps.nowMs();
    const before = counted.get(key);
    if (before !== undefined && before.untilMs > nowMs)
      return context.json(await before.state, 200);
    for (const [old, { untilMs }] of counted) if (untilMs <= nowMs) counted.delete(old);
    const state = countQueue(database, within, nowMs);
    counted.set(key, { state, untilMs: nowMs + COUNT_MS });
    state.catch(() => counted.delete(key));
    return context.json(await state, 200);
  });
}

async function countQueue(database: Database, within: Within, nowMs: number): Promise<QueueState> {
  const counts = await database.read((db) => laneCounts(db, within));
  const busiest = await database.read((db) => busiestProjects(db, within, MOST_BUSY));
  return {
    lanes: counts.map(({ oldestMs, ...rest }) => ({
      ...rest,
      oldestAt: new Date(oldestMs).toISOString(),
    })),
    busiest: busiest.map(({ project, count }) => ({ project, jobs: count })),
    attempts: {
      lastHour: await countSince(database, nowMs - HOUR_MS, within),
      lastDay: await countSince(database, nowMs - DAY_MS, within),
    },
  };
}
