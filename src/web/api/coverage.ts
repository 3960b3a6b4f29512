import { createRoute, z, type OpenAPIHono } from "@hono/zod-openapi";

import { coverage } from "../../store/sql/coverage.ts";
import { ALWAYS, NOT_MODIFIED, ok } from "./answers.ts";
import type { ApiDeps, ApiEnv } from "./api-deps.ts";
import { whileItIsSo } from "./conditional.ts";
import { CoverageJson } from "./schemas/coverage.ts";
import { sightOf } from "./sight.ts";

const DAY_MS = 86_400_000;

const told = createRoute({
  method: "get",
  path: "/coverage",
  operationId: "getCoverage",
  tags: ["results"],
  summary: "What was tested of all releases that were seen, and what was not",
  middleware: whileItIsSo,
  request: {
    query: z.strictObject({
      days: z.coerce.number().min(0.01).max(3650).default(7).openapi({
        description: "Of releases that were seen in so many days",
      }),
    }),
  },
  responses: {
    ...ok(CoverageJson, "Of public projects, unless all private ones are yours to see too"),
    ...NOT_MODIFIED,
    ...ALWAYS,
  },
});

export function coverageRoutes(app: OpenAPIHono<ApiEnv>, deps: ApiDeps): void {
  app.openapi(told, async (context) => {
    const { days } = context.req.valid("query");
    const visibility = sightOf(context, deps).private === "all" ? "all" : "public";
    // To the hour: what has not changed is told to have not.
    const hour = 3_600_000;
    const sinceMs = Math.floor((deps.nowMs() - days * DAY_MS) / hour) * hour;
    const { seen, states, classes } = await deps.database.read((db) =>
      coverage(db, { sinceMs, visibility }),
    );
    return context.json(
      { since: new Date(sinceMs).toISOString(), seen, states, classes: [...classes] },
      200,
    );
  });
}
