import type { Hono } from "hono";

import { CreameryError } from "../../base/errors.ts";
import { renderJunit } from "../../pages/attempt/junit.ts";
import { testsOf, type AttemptSources } from "../../pages/attempt/read-attempt.ts";
import { renderSarif } from "../../pages/attempt/sarif.ts";
import { isAttemptId } from "../../store/attempt-id.ts";
import { visibleResult } from "../../store/sql/result-queries.ts";
import type { StoredAttempt } from "../../store/store.ts";
import { attemptKey } from "../../worker/bucket-keys.ts";
import { attemptView } from "../api/result-view.ts";
import { sendBlob } from "../api/send-blob.ts";
import { unknownAttempt } from "./unknown-attempt.ts";
import type { PagesContext, PagesDeps, PagesEnv } from "./page-deps.ts";
import { sendFile } from "./send-page.ts";

/** What a page lets anybody have: of a suite that is larger, the report itself has the rest. */
const MAX_JUNIT_CHARS = 16 * 1024 * 1024;

/** Files below an attempt's page. */
export function attemptDownloads(
  app: Hono<PagesEnv>,
  { database, bucket, version }: PagesDeps,
  sources: AttemptSources,
): void {
  const found = async (context: PagesContext, id: string): Promise<StoredAttempt> => {
    const { within } = context.get("page");
    const stored = isAttemptId(id) ? await visibleResult(database, id, within) : null;
    if (stored === null) throw unknownAttempt(id);
    return stored;
  };
  const kept = async (context: PagesContext, id: string, name: string, type: string) => {
    const { attempt } = await found(context, id);
    const blob = await bucket.open(attemptKey(attempt.id, name));
    if (blob === null)
      throw new CreameryError("unknown-attempt", "is not kept of this attempt, or no more", {
        input: `${attempt.id} ${name}`,
        nextStep: "look at the attempt's page",
      });
    return sendBlob(context, blob, { "content-type": type });
  };

  app.get("/a/:id/result.json", async (context) => {
    const view = attemptView(await found(context, context.req.param("id")));
    return sendFile(context, JSON.stringify(view), {
      "content-type": "application/json; charset=utf-8",
    });
  });

  app.get("/a/:id/junit.xml", async (context) => {
    const stored = await found(context, context.req.param("id"));
    const results = await testsOf(sources, stored);
    const { attempt } = stored;
    return sendFile(context, renderJunit([{ attempt, results }], null, [], MAX_JUNIT_CHARS), {
      "content-type": "application/xml; charset=utf-8",
      "content-disposition": `attachment; filename="junit-${attempt.id}.xml"`,
    });
  });

  app.get("/a/:id/result.sarif", async (context) => {
    const stored = await found(context, context.req.param("id"));
    const results = await testsOf(sources, stored);
    const { attempt } = stored;
    return sendFile(context, renderSarif(attempt, results, { version }), {
      "content-type": "application/sarif+json; charset=utf-8",
      "content-disposition": `attachment; filename="creamery-${attempt.id}.sarif"`,
    });
  });

  app.get("/a/:id/log.txt", (context) =>
    kept(context, context.req.param("id"), "log.txt", "text/plain; charset=utf-8"),
  );
  for (const name of ["pylock.toml", "pylock.build.toml"])
    app.get(`/a/:id/${name}`, (context) =>
      kept(context, context.req.param("id") ?? "", name, "application/toml; charset=utf-8"),
    );
}
