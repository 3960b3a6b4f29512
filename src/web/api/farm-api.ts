import { OpenAPIHono } from "@hono/zod-openapi";

import { faultAnswer, misfit } from "./answers.ts";
import type { ApiDeps, ApiEnv } from "./api-deps.ts";
import { assetRoutesOf } from "./attempt-assets.ts";
import { attemptRoutes } from "./attempts.ts";
import { changeRoutes } from "./changes.ts";
import { coverageRoutes } from "./coverage.ts";
import { documentRoutes } from "./documents.ts";
import { eventRoutes } from "./events.ts";
import { exportRoutes } from "./export.ts";
import { hostRoutes } from "./hosts.ts";
import { imageListRoutes } from "./images.ts";
import { jobActionRoutes } from "./job-actions.ts";
import { jobRoutes } from "./jobs.ts";
import { principalRoutes } from "./principals.ts";
import { projectRoutes } from "./projects.ts";
import { statusRoutes } from "./status.ts";
import { watchedRoutes } from "./watched.ts";

/**
 * The farm's API for people, their programs and the command line, to be mounted at `/api/v1` after `authenticate`
 * (docs/api.md). What it does not know it leaves to whatever is mounted beside it: the workers' routes. Errors are
 * problem+json (RFC 9457).
 */
export function farmApi(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const app = new OpenAPIHono<ApiEnv>({
    defaultHook: (result) =>
      result.success ? undefined : misfit(result.target, result.error.issues),
  });
  app.onError((thrown) => faultAnswer(thrown, (fault) => deps.failed(fault)));
  projectRoutes(app, deps);
  attemptRoutes(app, deps);
  assetRoutesOf(app, deps);
  changeRoutes(app, deps);
  jobRoutes(app, deps);
  jobActionRoutes(app, deps);
  hostRoutes(app, deps);
  watchedRoutes(app, deps);
  coverageRoutes(app, deps);
  imageListRoutes(app, deps);
  eventRoutes(app, deps);
  principalRoutes(app, deps);
  statusRoutes(app, deps);
  exportRoutes(app, deps);
  documentRoutes(app, deps);
  return app;
}
