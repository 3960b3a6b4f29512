import type { Hono } from "hono";

import { badgeEndpoint, badgeSvg, type Badge } from "../../pages/charts/badge-svg.ts";
import { projectBadge, UNKNOWN_BADGE } from "../../pages/project/project-badge.ts";
import { BADGED_RELEASES, newestRow, readMatrix } from "../../pages/project/read-matrix.ts";
import { isName, normaliseName } from "../../python/names.ts";
import { visibleProject } from "../../store/sql/matrix-queries.ts";
import type { PagesContext, PagesDeps, PagesEnv } from "./page-deps.ts";
import { pictureHeaders } from "./picture-headers.ts";
import { sendText } from "./send-page.ts";

const FILE = /^(.+)\.(svg|json)$/u;

/** How the newest release of a project stands, for other people's pages: a badge, and the same for shields.io. */
export function badgeRoutes(app: Hono<PagesEnv>, deps: PagesDeps): void {
  app.get("/badge/:file", async (context, next) => {
    const [, name = "", kind] = FILE.exec(context.req.param("file")) ?? [];
    if (kind === undefined) {
      await next();
      return undefined;
    }
    const found = await badgeOf(context, deps, name);
    const badge = found ?? UNKNOWN_BADGE;
    const status = found === null ? 404 : 200;
    // Whoever draws badges from it is told of an unknown project in the badge, and of nothing else.
    if (kind === "json")
      return sendText(
        context,
        `${JSON.stringify(badgeEndpoint(badge))}\n`,
        { ...pictureHeaders(context, "application/json"), "access-control-allow-origin": "*" },
        status,
      );
    return sendText(
      context,
      await badgeSvg(badge),
      pictureHeaders(context, "image/svg+xml"),
      status,
    );
  });
}

/** Null where there is no such project, or none that is theirs to know of. */
async function badgeOf(
  context: PagesContext,
  { database }: PagesDeps,
  name: string,
): Promise<Badge | null> {
  const project = isName(name)
    ? await visibleProject(database, normaliseName(name), context.get("page").within)
    : null;
  if (project === null) return null;
  const { matrix } = await readMatrix(database, project, { most: BADGED_RELEASES });
  const configuration = context.req.query("configuration") ?? null;
  return projectBadge(newestRow(matrix.rows), configuration);
}
