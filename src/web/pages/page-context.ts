import type { MiddlewareHandler } from "hono";

import { authorise, FARM, type Subject } from "../../model/authorise.ts";
import { ANONYMOUS, type Principal } from "../../model/principals.ts";
import { NOBODY, type PageContext } from "../../pages/shell/page.ts";
import { liveSite } from "../../pages/shell/site.ts";
import { readTold } from "../../pages/shell/told.ts";
import { refusal } from "../authenticate.ts";
import { localPath } from "../login/local-path.ts";
import { readCookie } from "../login/session-cookie.ts";
import type { PagesDeps, PagesEnv } from "./page-deps.ts";

/** Who looks, and what of the farm is theirs to see: once for each request, by the one table (model/authorise.ts). */
export function pageContext(deps: PagesDeps): MiddlewareHandler<PagesEnv> {
  return async (context, next) => {
    const now = deps.nowMs();
    const principal = context.get("principal") ?? ANONYMOUS;
    const read = authorise(principal, "read", FARM, now);
    if (read.kind === "refused") return refusal(read);
    const operate = authorise(principal, "change-queue", FARM, now);
    const url = new URL(context.req.url);
    const isRead = context.req.method === "GET" || context.req.method === "HEAD";
    const page: PageContext = {
      site: liveSite(deps.publicUrl ?? url.origin),
      viewer:
        principal.kind === "anonymous"
          ? NOBODY
          : {
              name: principal.name,
              mayOperate: operate.kind === "allowed",
              may: (action, subject) =>
                authorise(principal, action, subject, now).kind === "allowed",
              mayEnqueue: mayEnqueue(principal, now),
              formToken: context.get("session")?.formToken ?? null,
            },
      within: read.within,
      nowMs: now,
      here: isRead ? localPath(`${url.pathname}${url.search}`) : null,
      told: readTold(readCookie(context, "creamery-told", context.get("peer"))),
    };
    context.set("page", page);
    context.set("newer", { inMs: 0 });
    await next();
    return undefined;
  };
}

/** Anything at all, or one of the projects that they are bound to. */
function mayEnqueue(principal: Principal, nowMs: number): boolean {
  const subjects: readonly Subject[] =
    principal.projects === null
      ? [FARM]
      : principal.projects.map((project) => ({ kind: "project", project, visibility: "public" }));
  return subjects.some((on) => authorise(principal, "enqueue", on, nowMs).kind === "allowed");
}
