import { Hono, type MiddlewareHandler } from "hono";

import { problemOf } from "../../base/problem.ts";
import { assets } from "../../pages/shell/assets.ts";
import { errorPage } from "../../pages/shell/error-page.ts";
import { Refused } from "../api/answers.ts";
import type { Authenticated } from "../authenticate.ts";
import { routeClassOf } from "../route-class.ts";
import { attemptRoutes } from "./attempt.ts";
import { badgeRoutes } from "./badge.ts";
import { aboutRoutes } from "./about.ts";
import { compareRoutes } from "./compare.ts";
import { changesRoutes } from "./changes.ts";
import { FarmReadings } from "./farm-readings.ts";
import { hostDeedRoutes } from "./host-deeds.ts";
import { homeRoutes } from "./home.ts";
import { imageDeedRoutes } from "./image-deeds.ts";
import { jobDeedRoutes } from "./job-deeds.ts";
import { logRoutes } from "./log.ts";
import { hostRoutes } from "./hosts.ts";
import { imageRoutes } from "./images.ts";
import { loginRoutes } from "./login.ts";
import { pageContext } from "./page-context.ts";
import type { PagesContext, PagesDeps, PagesEnv } from "./page-deps.ts";
import { queueRoutes } from "./queue.ts";
import { projectRoutes } from "./project.ts";
import { searchRoutes } from "./search.ts";
import { sendPage } from "./send-page.ts";
import { watchedPageRoutes } from "./watched.ts";

const FOR_EVER = "public, max-age=31536000, immutable";

/**
 * What people look at: pages of the store and the bucket, to be mounted at the root. What goes wrong is told by a page too.
 * @param authenticated leaves in the context who asks.
 */
export function pagesApp(
  deps: PagesDeps,
  authenticated: MiddlewareHandler<Authenticated>,
): Hono<Authenticated> {
  const outer = new Hono<Authenticated>();
  const app = new Hono<PagesEnv>();

  for (const { path, type, content } of assets().values())
    outer.get(`/${path}`, (context) =>
      context.body(new Uint8Array(content), 200, {
        "content-type": type,
        "cache-control": FOR_EVER,
        "x-content-type-options": "nosniff",
      }),
    );

  outer.use(authenticated);
  app.use(pageContext(deps));
  app.onError((thrown, context) => faultPage(context, thrown, deps));
  const readings = new FarmReadings(deps);
  homeRoutes(app, deps, readings);
  queueRoutes(app, deps, readings);
  hostRoutes(app, deps);
  imageRoutes(app, deps);
  aboutRoutes(app, deps, readings);
  compareRoutes(app, deps);
  changesRoutes(app, deps);
  attemptRoutes(app, deps);
  searchRoutes(app, deps);
  logRoutes(app, deps);
  projectRoutes(app, deps);
  badgeRoutes(app, deps);
  loginRoutes(app, deps);
  jobDeedRoutes(app, deps);
  hostDeedRoutes(app, deps);
  imageDeedRoutes(app, deps);
  watchedPageRoutes(app, deps);
  // What is mounted beside it answers for itself.
  app.all("*", (context, next) =>
    routeClassOf(context.req.path) === "pages" ? missingPage(context) : next(),
  );
  outer.route("/", app);
  return outer;
}

/** For an address that leads nowhere; one that ends as those of a report do leads on. */
function missingPage(context: PagesContext): Response | Promise<Response> {
  const { pathname, search } = new URL(context.req.url);
  if (/^\/[^/\\].*\/$/u.test(pathname) && ["GET", "HEAD"].includes(context.req.method))
    return context.redirect(`${pathname.slice(0, -1)}${search}`, 301);
  const facts = { status: 404, detail: "no page has this address" };
  return sendPage(context, errorPage(facts, context.get("page")), 404);
}

async function faultPage(
  context: PagesContext,
  thrown: unknown,
  deps: PagesDeps,
): Promise<Response> {
  // Nobody is there to be told, and nothing failed: who asked has left.
  if (context.req.raw.signal.aborted) return new Response(null, { status: 499 });
  const told =
    thrown instanceof Refused
      ? { status: thrown.status, detail: thrown.message }
      : problemOf(thrown);
  if (told.status < 500)
    return sendPage(context, errorPage(told, context.get("page")), told.status);
  // Of what the farm itself failed in, a stranger hears no more than that.
  deps.failed(thrown);
  const facts = {
    status: told.status,
    detail: "something in the farm failed, and its log has it",
    nextStep: "try again in a moment; if it stays so, tell the farm's operator",
  };
  return sendPage(context, errorPage(facts, context.get("page")), told.status);
}
