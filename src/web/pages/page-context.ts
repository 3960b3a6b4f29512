import type { MiddlewareHandler } from "hono";

import { authorise, FARM } from "../../model/authorise.ts";
import { ANONYMOUS } from "../../model/principals.ts";
import { NOBODY, type PageContext } from "../../pages/shell/page.ts";
import { liveSite } from "../../pages/shell/site.ts";
import { refusal } from "../authenticate.ts";
import type { PagesDeps, PagesEnv } from "./page-deps.ts";

/** Who looks, and what of the farm is theirs to see: once for each request, by the one table (model/authorise.ts). */
export function pageContext(deps: PagesDeps): MiddlewareHandler<PagesEnv> {
  return async (context, next) => {
    const now = deps.nowMs();
    const principal = context.get("principal") ?? ANONYMOUS;
    const read = authorise(principal, "read", FARM, now);
    if (read.kind === "refused") return refusal(read);
    const operate = authorise(principal, "change-queue", FARM, now);
    const page: PageContext = {
      site: liveSite(deps.publicUrl ?? new URL(context.req.url).origin),
      viewer:
        principal.kind === "anonymous"
          ? NOBODY
          : { name: principal.name, mayOperate: operate.kind === "allowed", formToken: null },
      within: read.within,
      nowMs: now,
    };
    context.set("page", page);
    await next();
    return undefined;
  };
}
