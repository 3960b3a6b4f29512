import type { Hono } from "hono";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { matrixSvg } from "../../pages/charts/matrix-svg.ts";
import { projectPage } from "../../pages/project/project-page.ts";
import { PICTURED_RELEASES, readMatrix } from "../../pages/project/read-matrix.ts";
import { readProject } from "../../pages/project/read-project.ts";
import { readRelease } from "../../pages/release/read-release.ts";
import { releasePage } from "../../pages/release/release-page.ts";
import { parseVersion } from "../../python/versions.ts";
import type { PagesDeps, PagesEnv } from "./page-deps.ts";
import { pictureHeaders } from "./picture-headers.ts";
import { otherSpelling, readableProject } from "./readable-project.ts";
import { sendPage, sendText } from "./send-page.ts";

const MAX_VERSION_CHARS = 300;

/** A project, one of its releases, and its releases as a picture. */
export function projectRoutes(app: Hono<PagesEnv>, deps: PagesDeps): void {
  const { database } = deps;

  app.get("/p/:name", async (context) => {
    const page = context.get("page");
    const given = context.req.param("name");
    const before = context.req.query("before") ?? null;
    if (before !== null && parseVersion(before) === null)
      throw new CreameryError("usage", "is no version", {
        input: clip(printableLine(before), 100),
        nextStep: "leave `before` away",
      });
    const spelling = otherSpelling(given);
    if (spelling !== null) {
      const place = { kind: "project", project: spelling } as const;
      const to = page.site.href(before === null ? place : { ...place, parameters: { before } });
      return context.redirect(to ?? "/", 301);
    }
    const project = await readableProject(context, deps, given);
    const view = await readProject(database, project, { before, context: page });
    return sendPage(context, projectPage(view, page));
  });

  app.get("/p/:name/matrix.svg", async (context) => {
    const given = context.req.param("name");
    const spelling = otherSpelling(given);
    if (spelling !== null)
      return context.redirect(
        context.get("page").site.href({ kind: "matrix", project: spelling }) ?? "/",
        301,
      );
    const project = await readableProject(context, deps, given);
    const { matrix } = await readMatrix(database, project, { most: PICTURED_RELEASES });
    const text = await matrixSvg(project.name, matrix);
    return sendText(context, text, pictureHeaders(context, "image/svg+xml"));
  });

  app.get("/p/:name/:version", async (context, next) => {
    const page = context.get("page");
    const given = context.req.param("name");
    const version = context.req.param("version");
    // No version is called so: it is another page's.
    if (version === "feed.xml") {
      await next();
      return undefined;
    }
    const spelling = otherSpelling(given);
    if (spelling !== null) {
      const to = page.site.href({ kind: "release", project: spelling, version });
      return context.redirect(to ?? "/", 301);
    }
    const project = await readableProject(context, deps, given);
    const view =
      version.length > MAX_VERSION_CHARS || version.includes("\0")
        ? null
        : await readRelease(database, project, version);
    if (view === null)
      throw new CreameryError("unknown-version", "the farm knows no such release", {
        input: clip(printableLine(`${project.name} ${version}`), 200),
        nextStep: "look at the project's own page, or have it tested",
      });
    if ("elsewhere" in view) {
      const place = { kind: "release", project: project.name, version: view.elsewhere } as const;
      return context.redirect(page.site.href(place) ?? "/", 302);
    }
    return sendPage(context, releasePage(view, page));
  });
}
