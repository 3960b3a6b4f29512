import { logPage } from "../../pages/log/log-page.ts";
import type { KeptLogs } from "../../pages/log/kept-logs.ts";
import { readLogPage } from "../../pages/log/log-view.ts";
import type { StoredAttempt } from "../../store/store.ts";
import type { PageWriter } from "./page-writer.ts";

/** The whole log is waited for, ms: who reads a report can't come back for the rest. */
export const WAIT_MS = 600_000;

/** The log of an attempt, page by page; nothing where none is kept. @throws CreameryError `bucket`, `deadline`. */
export async function writeLogPages(
  writer: PageWriter,
  logs: KeptLogs,
  { attempt }: StoredAttempt,
  signal: AbortSignal,
): Promise<void> {
  const { id } = attempt;
  const options = { waitMs: WAIT_MS, signal };
  const first = await readLogPage(logs, id, 1, options);
  if (first === null) return;
  for (let page = 1; page <= first.pages; page++) writer.contents.add({ kind: "log", id, page });
  for (let page = 1; page <= first.pages; page++) {
    const view = page === 1 ? first : await readLogPage(logs, id, page, options);
    if (view !== null)
      await writer.page({ kind: "log", id, page }, (context) => logPage(view, attempt, context));
  }
}
