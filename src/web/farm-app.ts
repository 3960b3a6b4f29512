import type { HttpBindings } from "@hono/node-server";
import { Hono, type MiddlewareHandler } from "hono";

import { CreameryError } from "../base/errors.ts";
import { authorise, FARM, type Action } from "../model/authorise.ts";
import type { Principals } from "../model/principals.ts";
import type { AttemptBucket } from "../bucket/bucket.ts";
import type { FarmIndex } from "../index/index-service.ts";
import type { Queue } from "../queue/queue.ts";
import type { Coordinator } from "../worker/coordinator.ts";
import type { ApiEnv } from "./api/api-deps.ts";
import { assetRoutes } from "./asset-routes.ts";
import { authenticate, refusal, type Authenticated } from "./authenticate.ts";
import { healthRoutes } from "./health-routes.ts";
import { imageRoutes, type ImageRoutesDeps } from "./images.ts";
import { indexRoutes } from "./index-routes.ts";
import type { SessionBook } from "./login/session-book.ts";
import { problem, problemResponse } from "./problem.ts";
import { refuseWhenFull } from "./refuse-when-full.ts";
import { routeClassOf } from "./route-class.ts";
import type { TokenCheck } from "./token-check.ts";
import { webhookRoutes, type WebhookDeps } from "./webhooks.ts";
import { hostNameOf, workerRoutes, type WorkerRoutesDeps } from "./worker-routes.ts";

export interface FarmAppDeps {
  readonly principals: Principals;
  /** Who logs in with browsers: their cookies are good here for what changes nothing. */
  readonly login?: { readonly tokens: TokenCheck; readonly sessions: SessionBook };
  readonly queue: Queue;
  readonly bucket: AttemptBucket;
  readonly index: FarmIndex;
  readonly images: ImageRoutesDeps;
  readonly webhooks: WebhookDeps;
  readonly farm: WorkerRoutesDeps["farm"];
  readonly coordinatorOf: (host: string, boot: string) => Coordinator;
  /** What only people and their programs ask, below `/api/v1`. */
  readonly api: Hono<ApiEnv>;
  /** What people look at, at the root (pages/pages-app.ts). */
  readonly pages: Hono<FarmEnv>;
  /** Whether the store answers; throws where it does not. */
  readonly ready: () => Promise<void>;
  /** In Prometheus' text format, and its content type. */
  readonly metrics: () => Promise<{ readonly text: string; readonly type: string }>;
  /** Why the farm can take nothing more in at present; null where it can. */
  readonly lack?: () => string | null;
  /** Is told of each request: what it was for (route-class.ts), and its answer. */
  readonly onAnswered?: (route: string, status: number, seconds: number) => void;
  readonly peer: WebhookDeps["peer"];
  readonly nowMs: () => number;
}

export interface FarmEnv {
  readonly Bindings: HttpBindings;
  readonly Variables: Authenticated["Variables"];
}

export const API = "/api/v1";

/** All that the farm answers over HTTP: its API, webhooks, and what watches over it. Reads and writes nothing by itself. */
export function farmApp(deps: FarmAppDeps): Hono<FarmEnv> {
  const { queue, nowMs } = deps;
  const app = new Hono<FarmEnv>();
  app.onError((thrown) => problemResponse(thrown));
  app.notFound(() => problem({ status: 404, detail: "there is nothing here; see /api/v1/docs" }));

  const { onAnswered, lack } = deps;
  if (onAnswered !== undefined)
    app.use(async (context, next) => {
      const began = performance.now();
      await next();
      const seconds = (performance.now() - began) / 1000;
      onAnswered(routeClassOf(context.req.path), context.res.status, seconds);
    });
  if (lack !== undefined) app.use(refuseWhenFull(lack));
  const { login } = deps;
  const authenticated = authenticate({
    principals: deps.principals,
    peer: deps.peer,
    nowMs,
    ...(login === undefined
      ? {}
      : { tokens: login.tokens, sessions: { book: login.sessions, methods: "safe" } }),
  });
  app.route(
    "/",
    healthRoutes({
      ready: deps.ready,
      metrics: deps.metrics,
      authenticate: authenticated,
      nowMs,
    }),
  );
  app.route("/hooks", webhookRoutes(deps.webhooks));

  const api = new Hono<FarmEnv>();
  api.use(authenticated);
  api.route("/worker", workerRoutes({ coordinatorOf: deps.coordinatorOf, farm: deps.farm, nowMs }));
  const only =
    (action: Action): MiddlewareHandler<FarmEnv> =>
    async (context, next) => {
      const allowed = authorise(context.get("principal"), action, FARM, nowMs());
      if (allowed.kind === "refused") return refusal(allowed);
      await next();
      return undefined;
    };
  api.use("/index/*", only("use-index"));
  api.route(
    "/index",
    indexRoutes<FarmEnv>({
      index: deps.index,
      root: `${API}/index/`,
      hostOf: (context) => {
        const principal = context.get("principal");
        return principal.kind === "anonymous" ? "" : principal.id;
      },
    }),
  );
  api.use("/worker/images/*", only("fetch-image"));
  api.route("/worker", imageRoutes(deps.images));
  api.route("/", deps.api);
  api.route(
    "/worker",
    assetRoutes<string, FarmEnv>({
      bucket: deps.bucket,
      principalOf: (context) => {
        const principal = context.get("principal");
        const allowed = authorise(principal, "send-assets", FARM, nowMs());
        if (allowed.kind === "refused" || principal.kind === "anonymous")
          throw new CreameryError("farm-refused", "only a worker's token is good for this");
        return hostNameOf(principal);
      },
      // Its own attempt, or one that confirms it, which nobody else holds and nobody has finished.
      mayWrite: async (host, attemptId) => {
        const holder = await queue.holderOf(attemptId);
        if (holder !== null) return holder === host;
        return (await queue.isAtWork(host)) && !(await queue.isFinished(attemptId));
      },
      mayUseSource: (host) => queue.isAtWork(host),
    }),
  );
  app.route(API, api);
  app.route("/", deps.pages);
  return app;
}
