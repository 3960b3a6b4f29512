import type { Hono } from "hono";
import { z } from "zod";

import { CreameryError } from "../../base/errors.ts";
import { KeptLog } from "../../pages/log/kept-log.ts";
import { lineRows } from "../../pages/log/line-markup.ts";
import { logPage } from "../../pages/log/log-page.ts";
import { logPanel } from "../../pages/log/log-panel.ts";
import { pageOfLine, readLog, readLogPage } from "../../pages/log/log-view.ts";
import { markupOf } from "../../pages/shell/html.ts";
import { isAttemptId } from "../../store/attempt-id.ts";
import { visibleResult } from "../../store/sql/result-queries.ts";
import type { StoredAttempt } from "../../store/store.ts";
import { unknownAttempt } from "../api/attempts.ts";
import type { PagesContext, PagesDeps, PagesEnv } from "./page-deps.ts";
import { PAGE_HEADERS, sendPage, sendText } from "./send-page.ts";

/** Who asks for a piece of a log that is being read waits so long at most, ms. */
const WAIT_MS = 20_000;
const MOST_LINES = 1000;
const MAX_TEXT_CHARS = 200;

const lineNumber = z
  .string()
  .regex(/^[1-9]\d{0,11}$/u)
  .transform(Number);
const Asked = z.object({
  from: lineNumber.catch(1),
  count: lineNumber.catch(MOST_LINES).transform((count) => Math.min(count, MOST_LINES)),
});
const Wanted = z.object({
  text: z.string().max(MAX_TEXT_CHARS).catch(""),
  line: lineNumber.nullable().catch(null),
  after: lineNumber.catch(0),
});

/** The log of an attempt: page by page, and in pieces for the pages that have a part of it. */
export function logRoutes(app: Hono<PagesEnv>, deps: PagesDeps): void {
  const { logs } = deps;

  app.get("/a/:id/log/lines", async (context) => {
    const { from, count } = Asked.parse(context.req.query());
    const log = await readableLog(context, deps);
    const lines = await log.slice(from, count, context.req.raw.signal);
    return sendText(context, await markupOf(lineRows(lines)), PAGE_HEADERS);
  });

  app.get("/a/:id/log/panel", async (context) => {
    const { attempt } = await seenAttempt(context, deps);
    const view = await readLog(logs, attempt.id, context.req.raw.signal, WAIT_MS);
    if (view === null) throw noLog(attempt.id);
    return sendText(context, await markupOf(logPanel(view, context.get("page"))), PAGE_HEADERS);
  });

  app.get("/a/:id/log/find", async (context) => {
    const { text, line, after } = Wanted.parse(context.req.query());
    const log = await readableLog(context, deps);
    const { signal } = context.req.raw;
    const found = await placeOf(log, { text, line, after }, signal);
    if (context.req.header("accept") === "application/json")
      return sendText(context, JSON.stringify({ line: found }), {
        "content-type": "application/json",
      });
    const id = context.req.param("id");
    const { site } = context.get("page");
    const place = { kind: "log", id, page: pageOfLine(found ?? 1) } as const;
    if (found !== null)
      return context.redirect(site.href({ ...place, fragment: `L${found}` }) ?? "/", 303);
    return sendLogPage(context, deps, 1, "That does not stand in this log.");
  });

  app.get("/a/:id/log/:page{[1-9][0-9]{0,8}}", (context) =>
    sendLogPage(context, deps, Number(context.req.param("page"))),
  );
}

async function sendLogPage(
  context: PagesContext,
  deps: PagesDeps,
  page: number,
  said?: string,
): Promise<Response> {
  const { attempt } = await seenAttempt(context, deps);
  const options = { waitMs: WAIT_MS, signal: context.req.raw.signal };
  const view = await readLogPage(deps.logs, attempt.id, page, options);
  if (view === null) throw noLog(attempt.id);
  return sendPage(context, logPage(view, attempt, context.get("page"), said));
}

/** The line that was asked for by its number, or the first one after another that has a text in it. */
function placeOf(
  log: KeptLog,
  { text, line, after }: z.infer<typeof Wanted>,
  signal: AbortSignal,
): Promise<number | null> | number | null {
  if (line !== null) return line <= log.lines ? line : null;
  return text === "" ? null : log.find(text, after, signal);
}

/** Read whole. @throws CreameryError `unknown-attempt`, `bucket`. */
async function readableLog(context: PagesContext, deps: PagesDeps): Promise<KeptLog> {
  const { attempt } = await seenAttempt(context, deps);
  const log = await deps.logs.look(attempt.id);
  if (log === null) throw noLog(attempt.id);
  await log.whole(WAIT_MS, context.req.raw.signal);
  return log;
}

/** @throws CreameryError `unknown-attempt` where there is none, or none that is theirs to know of. */
async function seenAttempt(context: PagesContext, deps: PagesDeps): Promise<StoredAttempt> {
  const id = context.req.param("id") ?? "";
  const { within } = context.get("page");
  const stored = isAttemptId(id) ? await visibleResult(deps.database, id, within) : null;
  if (stored === null) throw unknownAttempt(id);
  return stored;
}

function noLog(id: string): CreameryError {
  return new CreameryError("unknown-attempt", "no such log, or no such page of it, is kept", {
    input: id,
  });
}
