import type { Hono } from "hono";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { FARM } from "../../model/authorise.ts";
import { EVERYTHING } from "../../model/watched-name.ts";
import { confirmPage } from "../../pages/deeds/confirm-page.ts";
import { html } from "../../pages/shell/html.ts";
import { readWatched, watchedPage } from "../../pages/watched/watched-page.ts";
import { Refused } from "../api/answers.ts";
import { mustBeAllowed } from "../api/sight.ts";
import { unwatchProject, watchProjects } from "../api/watched.ts";
import { readForm } from "./form-body.ts";
import { goOn } from "./go-on.ts";
import type { PagesDeps, PagesEnv } from "./page-deps.ts";
import { sendPage } from "./send-page.ts";

const WATCHED = { kind: "watched" } as const;
const MOST_NAMES = 1000;
const MAX_NAME = 214;

/** Which projects' releases are tested as they come: operators see it and change it. */
export function watchedPageRoutes(app: Hono<PagesEnv>, deps: PagesDeps): void {
  app.get("/watched", async (context) => {
    mustBeAllowed(context, "watch", FARM, deps);
    const after = (context.req.query("after") ?? "").replaceAll("\0", "").slice(0, MAX_NAME);
    const names = await readWatched(deps.database, after);
    return sendPage(context, watchedPage(names, context.get("page")));
  });

  app.post("/watched", async (context) => {
    const fields = await readForm(context, deps);
    const names = (fields.get("names") ?? "").split(/[\s,]+/u).filter((name) => name !== "");
    if (names.length === 0 || names.length > MOST_NAMES)
      throw new Refused({
        status: 400,
        detail: names.length === 0 ? "no project was named" : `more than ${MOST_NAMES} were named`,
      });
    const { length } = await watchProjects(context, deps, names);
    return goOn(context, fields, WATCHED, { what: "watched", count: length });
  });

  app.get("/watched/:name/remove", async (context) => {
    mustBeAllowed(context, "watch", FARM, deps);
    const name = clip(printableLine(context.req.param("name")), MAX_NAME);
    const told =
      name === EVERYTHING
        ? html`<p class="lead">Then only projects that are watched by their names are tested by themselves.</p>`
        : html`<p class="lead">What <code>${name}</code> releases is tested no more by itself. What waits in the queue stays there.</p>`;
    const question = {
      section: "queue",
      heading: "Watch it no more?",
      told,
      deed: { kind: "deed", on: "watched", of: context.req.param("name"), deed: "remove" },
      button: "Watch it no more",
      back: WATCHED,
    } as const;
    return sendPage(context, confirmPage(question, context.get("page")));
  });

  app.post("/watched/:name/remove", async (context) => {
    const fields = await readForm(context, deps);
    await unwatchProject(context, deps, context.req.param("name"));
    return goOn(context, fields, WATCHED, { what: "unwatched", count: 1 });
  });
}
