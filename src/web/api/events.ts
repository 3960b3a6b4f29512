import { createRoute, z, type OpenAPIHono } from "@hono/zod-openapi";

import { jobByKey } from "../../queue/job-views.ts";
import { isOver } from "../live-events.ts";
import { ALWAYS, NOT_FOUND } from "./answers.ts";
import type { ApiDeps, ApiEnv } from "./api-deps.ts";
import { attemptId, readableAttempt } from "./attempts.ts";
import { eventStream, STREAM_ANSWERS, STREAM_HEADERS } from "./event-stream.ts";
import { seenJob } from "./job-view.ts";
import { jobKey } from "./jobs.ts";
import { isWithinSight, queueSightOf, sightOf } from "./sight.ts";

const farm = createRoute({
  method: "get",
  path: "/events",
  operationId: "followFarm",
  tags: ["live"],
  summary: "What changes in the queue and in the results, from now on",
  description: "Events `job` and `attempt`; a comment each 15 seconds in which nothing happens.",
  request: { headers: STREAM_HEADERS },
  responses: { ...STREAM_ANSWERS, ...ALWAYS },
});

const job = createRoute({
  method: "get",
  path: "/jobs/{key}/events",
  operationId: "followJob",
  tags: ["live"],
  summary: "A job's states, and what comes of its attempts, until it is over",
  description:
    "Events `state`, `begun`, `phase`, `log`, `ended` (an attempt), `end` (nothing more comes), `dropped`.",
  request: { params: z.object({ key: jobKey }), headers: STREAM_HEADERS },
  responses: { ...STREAM_ANSWERS, ...NOT_FOUND, ...ALWAYS },
});

const log = createRoute({
  method: "get",
  path: "/attempts/{id}/log/live",
  operationId: "followLog",
  tags: ["live"],
  summary: "The log and the phases of an attempt while it runs",
  description:
    "Events `begun`, `phase`, `log`, `ended`, `end` (nothing more comes: the whole log can be read), `dropped`.",
  request: { params: z.object({ id: attemptId }), headers: STREAM_HEADERS },
  responses: { ...STREAM_ANSWERS, ...NOT_FOUND, ...ALWAYS },
});

export function eventRoutes(app: OpenAPIHono<ApiEnv>, deps: ApiDeps): void {
  const { live } = deps;

  app.openapi(farm, (context) => {
    // Refused before the stream begins, where it is.
    sightOf(context, deps);
    return eventStream(context, deps, {
      first: [],
      follow: (reading) => live.ofFarm(reading),
      sees: (owner) => isWithinSight(owner, queueSightOf(context, deps)),
    });
  });

  app.openapi(job, async (context) => {
    const { key } = context.req.valid("param");
    const view = await seenJob(context, deps, key);
    const { state, attempt } = view;
    const isDone = isOver(state) && !live.hasJob(key);
    return eventStream(context, deps, {
      first: [{ name: "state", data: { state, attempt } }],
      follow: isDone ? null : (reading) => live.ofJob(key, reading),
      sees: (owner) => isWithinSight(owner, queueSightOf(context, deps)),
      isOver: async () => {
        const now = await deps.database.read((db) => jobByKey(db, key));
        return now === null || isOver(now.state);
      },
    });
  });

  app.openapi(log, async (context) => {
    const { id } = context.req.valid("param");
    const sees = (owner: Parameters<typeof isWithinSight>[0]) =>
      isWithinSight(owner, queueSightOf(context, deps));
    const owner = live.ownerOf(id);
    const isFollowed = owner !== null && sees(owner);
    const stored = isFollowed ? null : await readableAttempt(context, deps, id);
    return eventStream(context, deps, {
      first:
        stored === null
          ? []
          : [{ name: "ended", data: { attempt: id, outcome: stored.attempt.outcome } }],
      follow: isFollowed ? (reading) => live.ofAttempt(id, reading) : null,
      sees,
      isOver: async () => live.running(id) === null,
    });
  });
}
