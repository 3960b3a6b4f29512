import type { Hono } from "hono";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { FARM } from "../../model/authorise.ts";
import { confirmPage } from "../../pages/deeds/confirm-page.ts";
import { html } from "../../pages/shell/html.ts";
import { drainHost, resumeHost } from "../api/hosts.ts";
import { mustBeAllowed } from "../api/sight.ts";
import { readForm } from "./form-body.ts";
import { goOn } from "./go-on.ts";
import type { PagesDeps, PagesEnv } from "./page-deps.ts";
import { sendPage } from "./send-page.ts";

const HOSTS = { kind: "hosts" } as const;
const MAX_REASON = 200;

/** What operators do with hosts on pages. */
export function hostDeedRoutes(app: Hono<PagesEnv>, deps: PagesDeps): void {
  app.get("/hosts/:name/drain", async (context) => {
    mustBeAllowed(context, "drain", FARM, deps);
    const given = context.req.param("name");
    const host = given.includes("\0") ? null : await deps.hosts.byName(given);
    if (host === null)
      throw new CreameryError("unknown-host", "no such host has ever taken jobs here", {
        input: clip(printableLine(given), 100),
      });
    const { running } = host.facts;
    const work =
      running === 0
        ? "runs nothing now: it"
        : `runs ${running === 1 ? "one job" : `${running} jobs`}: it ends ${running === 1 ? "it" : "them"}, and`;
    const question = {
      section: "hosts",
      heading: "Drain this host?",
      told: html`<p class="lead">${clip(printableLine(host.name), 100)} ${work} is given nothing more until it is told to go on.</p>`,
      deed: { kind: "deed", on: "host", of: host.name, deed: "drain" },
      fields: html`<p class="label"><label for="reason">Why, for those who come after</label></p>
<p class="field"><input id="reason" name="reason" maxlength="${String(MAX_REASON)}" autocomplete="off"></p>`,
      button: "Drain the host",
      back: HOSTS,
    } as const;
    return sendPage(context, confirmPage(question, context.get("page")));
  });

  app.post("/hosts/:name/drain", async (context) => {
    const fields = await readForm(context, deps);
    const reason = (fields.get("reason") ?? "").trim().slice(0, MAX_REASON);
    await drainHost(context, deps, context.req.param("name"), reason === "" ? undefined : reason);
    return goOn(context, fields, HOSTS, { what: "drained", count: 1 });
  });

  app.post("/hosts/:name/resume", async (context) => {
    const fields = await readForm(context, deps);
    await resumeHost(context, deps, context.req.param("name"));
    return goOn(context, fields, HOSTS, { what: "resumed", count: 1 });
  });
}
