import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";

import { ALWAYS, NOT_MODIFIED, ok } from "./answers.ts";
import type { ApiDeps, ApiEnv } from "./api-deps.ts";
import { whileItIsSo } from "./conditional.ts";
import { FarmStatus } from "./schemas/status.ts";
import { mustSeeFarm } from "./sight.ts";

const status = createRoute({
  method: "get",
  path: "/status",
  operationId: "getStatus",
  tags: ["operators"],
  summary: "Whether the farm is alive, how far behind it is, and what is wrong",
  middleware: whileItIsSo,
  responses: { ...ok(FarmStatus, "What `creamery status` shows"), ...NOT_MODIFIED, ...ALWAYS },
});

export function statusRoutes(app: OpenAPIHono<ApiEnv>, deps: ApiDeps): void {
  app.openapi(status, async (context) => {
    mustSeeFarm(context, deps);
    return context.json(await deps.status.status(context.req.raw.signal), 200);
  });
}
