import { Hono } from "hono";

import type { Authenticated } from "../authenticate.ts";
import type { FarmEnv } from "../farm-app.ts";
import { routeClassOf } from "../route-class.ts";

/**
 * Pages that are loaded when somebody looks at the first one: a farm that nobody looks at has their code neither to compile nor to
 * keep. What is no page is left to whatever else is mounted.
 */
export function latePages(load: () => Promise<Hono<Authenticated>>): Hono<FarmEnv> {
  const app = new Hono<FarmEnv>();
  let loading: Promise<Hono<Authenticated>> | undefined;
  app.all("*", async (context, next) => {
    if (routeClassOf(context.req.path) !== "pages") return next();
    loading ??= load();
    // One that could not be loaded is tried again by the next who looks.
    loading.catch(() => (loading = undefined));
    const pages = await loading;
    return pages.fetch(context.req.raw, context.env);
  });
  return app;
}
