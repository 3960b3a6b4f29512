import type { Context, MiddlewareHandler } from "hono";
import { Hono } from "hono";

import { FARM } from "../model/authorise.ts";
import { permit, refusal, type Authenticated } from "./authenticate.ts";
import { isLoopback } from "./client-address.ts";
import { problem } from "./problem.ts";

export interface HealthRoutesDeps {
  /** Whether the store answers; throws where it does not. */
  readonly ready: () => Promise<void>;
  /** In Prometheus' text format, and its content type. */
  readonly metrics: () => Promise<{ readonly text: string; readonly type: string }>;
  readonly authenticate: MiddlewareHandler<Authenticated>;
  readonly nowMs: () => number;
}

/** A proxy that the operator did not name as trusted says so by these: what comes through it is from anywhere. */
const FORWARDED = ["forwarded", "x-forwarded-for", "x-real-ip", "via"] as const;

/**
 * What watches over the farm: `/healthz` (this process answers), `/readyz` (its store does too) and `/metrics`, which this host
 * itself may ask without a token, and others with one that has the scope `operate`.
 */
export function healthRoutes(deps: HealthRoutesDeps): Hono<Authenticated> {
  const app = new Hono<Authenticated>();
  app.get("/healthz", (context) => context.text("ok\n"));
  app.get("/readyz", async (context) => {
    try {
      await deps.ready();
      return context.text("ok\n");
    } catch {
      return context.text("the store does not answer\n", 503);
    }
  });
  app.get("/metrics", deps.authenticate, async (context) => {
    if (!isThisHost(context)) {
      const allowed = permit(context, "see-queue", FARM, deps.nowMs());
      if (allowed.kind === "refused") return refusal(allowed);
      if (allowed.within.private !== "all")
        return problem({
          status: 403,
          detail: "this token is bound to projects, and these are the whole farm's",
        });
    }
    const { text, type } = await deps.metrics();
    return context.body(text, 200, { "content-type": type, "cache-control": "no-store" });
  });
  return app;
}

function isThisHost(context: Context<Authenticated>): boolean {
  return (
    context.get("principal").kind === "anonymous" &&
    isLoopback(context.get("peer").address) &&
    FORWARDED.every((name) => context.req.header(name) === undefined)
  );
}
