import type { Hono } from "hono";
import { z } from "zod";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { confirmPage } from "../../pages/deeds/confirm-page.ts";
import { enqueuePage, MOST_TARGETS } from "../../pages/deeds/enqueue-page.ts";
import { STATE_WORDS } from "../../pages/queue/job-rows.ts";
import { configurationWords } from "../../pages/shell/configuration-words.ts";
import { html } from "../../pages/shell/html.ts";
import { Refused } from "../api/answers.ts";
import { noted } from "../api/audited.ts";
import { cancelJob, enqueueJobs, retryJob } from "../api/job-actions.ts";
import { seenJob } from "../api/job-view.ts";
import { mustBeAllowed } from "../api/sight.ts";
import { readForm } from "./form-body.ts";
import { goOn } from "./go-on.ts";
import type { PagesContext, PagesDeps, PagesEnv } from "./page-deps.ts";
import { sendPage } from "./send-page.ts";

const QUEUE = { kind: "queue" } as const;
const MAX_SHOWN = 200;

const Wanted = z.object({
  targets: z
    .string()
    .transform((text) => text.split(/[\r\n]+/u).flatMap((line) => line.trim() || []))
    .pipe(
      z
        .array(z.string().max(4095, "a line is too long"))
        .min(1, "nothing was named: write what is to be tested")
        .max(MOST_TARGETS, `more than ${MOST_TARGETS} were named: send them in parts`),
    ),
  configurations: z.string().max(40),
  lane: z.literal("manual").optional(),
});

/** What people do with jobs on pages: as over the API, by the same table and into the same record. */
export function jobDeedRoutes(app: Hono<PagesEnv>, deps: PagesDeps): void {
  app.get("/queue/add", async (context) => {
    mustEnqueue(context, deps);
    const { known } = await deps.configurations();
    const target = context.req.query("target") ?? "";
    return sendPage(context, enqueuePage(known, target, context.get("page")));
  });

  app.post("/queue/add", async (context) => {
    const fields = await readForm(context, deps);
    const wanted = Wanted.safeParse(Object.fromEntries(fields));
    if (!wanted.success)
      throw new Refused({
        status: 400,
        detail: wanted.error.issues[0]?.message ?? "this is no such form",
      });
    const { targets, configurations, lane } = wanted.data;
    const on =
      configurations === "priority" || configurations === "all" ? configurations : [configurations];
    const subject = targets.join(" ");
    const added = await noted(context, deps, { action: "enqueue", subject }, async () => {
      const { jobs } = await enqueueJobs(context, deps, { targets, configurations: on, lane });
      const count = jobs.filter(({ kind }) => kind === "added").length;
      return { answer: count, detail: `${count} jobs added, ${jobs.length - count} known` };
    });
    const told = added > 0 ? ({ what: "queued", count: added } as const) : KNOWN;
    return goOn(context, fields, QUEUE, told);
  });

  app.get("/queue/:key/cancel", async (context) => {
    const job = await changeableJob(context, deps, context.req.param("key"));
    const { key, project, version, configuration, state } = job;
    const what = clip(printableLine(version === "" ? project : `${project} ${version}`), MAX_SHOWN);
    const runs = state === "leased" ? " What it has done so far is thrown away." : "";
    const question = {
      section: "queue",
      heading: "Cancel this job?",
      told: html`<p class="lead">${what} on ${configurationWords(configuration)} is ${STATE_WORDS[state]}.${runs}</p>
<p>It can be queued again later.</p>`,
      deed: { kind: "deed", on: "job", of: key, deed: "cancel" },
      button: "Cancel the job",
      back: QUEUE,
    } as const;
    return sendPage(context, confirmPage(question, context.get("page")));
  });

  app.post("/queue/:key/cancel", async (context) => {
    const fields = await readForm(context, deps);
    await cancelJob(context, deps, context.req.param("key"));
    return goOn(context, fields, QUEUE, { what: "cancelled", count: 1 });
  });

  app.post("/queue/:key/retry", async (context) => {
    const fields = await readForm(context, deps);
    await retryJob(context, deps, context.req.param("key"));
    return goOn(context, fields, QUEUE, { what: "retried", count: 1 });
  });
}

const KNOWN = { what: "known", count: 1 } as const;

/** @throws Refused. */
function mustEnqueue(context: PagesContext, { nowMs }: Pick<PagesDeps, "nowMs">): void {
  if (context.get("page").viewer.mayEnqueue) return;
  mustBeAllowed(context, "enqueue", { kind: "farm" }, { nowMs });
}

/** @throws Refused, CreameryError `unknown-job`. */
async function changeableJob(context: PagesContext, deps: PagesDeps, key: string) {
  const job = await seenJob(context, deps, key);
  const { project, visibility } = job;
  mustBeAllowed(context, "change-queue", { kind: "project", project, visibility }, deps);
  return job;
}
