import { createRoute, z, type OpenAPIHono } from "@hono/zod-openapi";

import { CreameryError } from "../../base/errors.ts";
import { clip, printableLine } from "../../base/bounded-text.ts";
import { OUTCOMES } from "../../model/attempt.ts";
import { isName, normaliseName } from "../../python/names.ts";
import { isAttemptId } from "../../store/attempt-id.ts";
import { failuresPage, resultsPage, visibleResult } from "../../store/sql/result-queries.ts";
import type { StoredAttempt } from "../../store/store.ts";
import { ALWAYS, NOT_FOUND, NOT_MODIFIED, ok, Refused } from "./answers.ts";
import type { ApiContext, ApiDeps, ApiEnv } from "./api-deps.ts";
import { madeOnce, whileItIsSo } from "./conditional.ts";
import { cursorOf, NEXT, PAGE, pageOf, readCursor } from "./cursors.ts";
import { attemptView, resultOf } from "./result-view.ts";
import { Attempt, Failure, Result } from "./schemas/results.ts";
import { sightOf } from "./sight.ts";

export const attemptId = z
  .string()
  .min(1)
  .max(64)
  .openapi({ description: "The whole id of an attempt" });

const list = createRoute({
  method: "get",
  path: "/attempts",
  operationId: "listAttempts",
  tags: ["attempts"],
  summary: "Results, newest first",
  middleware: whileItIsSo,
  request: {
    query: z.strictObject({
      project: z.string().min(1).max(200).optional(),
      version: z.string().min(1).max(200).optional(),
      configuration: z.string().min(1).max(40).optional(),
      outcome: z.enum(OUTCOMES).optional(),
      ...PAGE,
    }),
  },
  responses: {
    ...ok(
      z.object({ results: z.array(Result), next: NEXT }),
      "A page of results; one may be short, or empty, and not be the last: `next` says it",
    ),
    ...NOT_MODIFIED,
    ...ALWAYS,
  },
});

const one = createRoute({
  method: "get",
  path: "/attempts/{id}",
  operationId: "getAttempt",
  tags: ["attempts"],
  summary: "An attempt, whole",
  middleware: madeOnce,
  request: { params: z.object({ id: attemptId }) },
  responses: { ...ok(Attempt, "The attempt"), ...NOT_MODIFIED, ...NOT_FOUND, ...ALWAYS },
});

const failures = createRoute({
  method: "get",
  path: "/attempts/{id}/failures",
  operationId: "listFailures",
  tags: ["attempts"],
  summary: "Tests of an attempt that did not pass, by their names",
  middleware: madeOnce,
  request: { params: z.object({ id: attemptId }), query: z.strictObject(PAGE) },
  responses: {
    ...ok(z.object({ failures: z.array(Failure), next: NEXT }), "A page of tests"),
    ...NOT_MODIFIED,
    ...NOT_FOUND,
    ...ALWAYS,
  },
});

export function attemptRoutes(app: OpenAPIHono<ApiEnv>, deps: ApiDeps): void {
  const { database } = deps;

  app.openapi(list, async (context) => {
    const { project, version, configuration, outcome, limit, cursor } = context.req.valid("query");
    const olderThan = readCursor("attempts", cursor);
    if (version !== undefined && project === undefined)
      throw new Refused({ status: 400, detail: "query.version: name its project too" });
    const page = await resultsPage(database, {
      within: sightOf(context, deps),
      // What no project can be called is none's.
      ...(project === undefined ? {} : { project: isName(project) ? normaliseName(project) : "" }),
      ...(version === undefined ? {} : { version: version.replaceAll("\0", "") }),
      ...(configuration === undefined ? {} : { configuration: configuration.replaceAll("\0", "") }),
      ...(outcome === undefined ? {} : { outcome }),
      ...(olderThan === undefined ? {} : { olderThan }),
      limit,
    });
    const next = page.next === null ? null : cursorOf("attempts", page.next);
    return context.json({ results: page.results.map(resultOf), next }, 200);
  });

  app.openapi(one, async (context) => {
    const stored = await readableAttempt(context, deps, context.req.valid("param").id);
    return context.json(attemptView(stored), 200);
  });

  app.openapi(failures, async (context) => {
    const { limit, cursor } = context.req.valid("query");
    const after = readCursor("failures", cursor)?.replaceAll("\0", "");
    const { attempt } = await readableAttempt(context, deps, context.req.valid("param").id);
    const found = await failuresPage(database, attempt.id, limit + 1, after);
    const { items, next } = pageOf("failures", found, limit, ({ id }) => id);
    return context.json({ failures: [...items], next }, 200);
  });
}

/** @throws CreameryError `unknown-attempt` where there is none, or none that is theirs to know of. */
export async function readableAttempt(
  context: ApiContext,
  deps: ApiDeps,
  id: string,
): Promise<StoredAttempt> {
  const within = sightOf(context, deps);
  const stored = isAttemptId(id) ? await visibleResult(deps.database, id, within) : null;
  if (stored !== null) return stored;
  throw unknownAttempt(id);
}

export function unknownAttempt(id: string, nextStep = "look at /api/v1/attempts"): CreameryError {
  return new CreameryError("unknown-attempt", "the farm knows no such attempt", {
    input: clip(printableLine(id), 80),
    nextStep,
  });
}
