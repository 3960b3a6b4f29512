import { createRoute, z, type OpenAPIHono } from "@hono/zod-openapi";

import { CHANGE_KINDS } from "../../model/settle-verdict.ts";
import { isName, normaliseName } from "../../python/names.ts";
import { newestChanges, type ListedChange } from "../../store/sql/verdict-changes.ts";
import { ALWAYS, NOT_MODIFIED, ok } from "./answers.ts";
import type { ApiDeps, ApiEnv } from "./api-deps.ts";
import { whileItIsSo } from "./conditional.ts";
import { cursorOf, NEXT, PAGE, readNumberCursor } from "./cursors.ts";
import { Change } from "./schemas/changes.ts";
import { sightOf } from "./sight.ts";

const list = createRoute({
  method: "get",
  path: "/changes",
  operationId: "listChanges",
  tags: ["attempts"],
  summary: "Changes of verdict, newest first",
  middleware: whileItIsSo,
  request: {
    query: z.strictObject({
      project: z.string().min(1).max(200).optional(),
      configuration: z.string().min(1).max(40).optional(),
      kind: z.enum(CHANGE_KINDS).optional(),
      since: z.iso
        .datetime({ offset: true })
        .optional()
        .openapi({ description: "RFC 3339: only those whose attempt ended then or later" }),
      ...PAGE,
    }),
  },
  responses: {
    ...ok(
      z.object({ changes: z.array(Change), next: NEXT }),
      "A page of changes; one may be short, or empty, and not be the last: `next` says it",
    ),
    ...NOT_MODIFIED,
    ...ALWAYS,
  },
});

export function changeRoutes(app: OpenAPIHono<ApiEnv>, deps: ApiDeps): void {
  app.openapi(list, async (context) => {
    const { project, configuration, kind, since, limit, cursor } = context.req.valid("query");
    const olderThan = readNumberCursor("changes", cursor);
    const page = await newestChanges(deps.database, {
      within: sightOf(context, deps),
      // What no project can be called is none's.
      ...(project === undefined ? {} : { project: isName(project) ? normaliseName(project) : "" }),
      ...(configuration === undefined ? {} : { configuration: configuration.replaceAll("\0", "") }),
      ...(kind === undefined ? {} : { kinds: [kind] }),
      ...(since === undefined ? {} : { sinceMs: Date.parse(since) }),
      ...(olderThan === undefined ? {} : { olderThan }),
      limit,
    });
    const next = page.next === null ? null : cursorOf("changes", String(page.next));
    return context.json({ changes: page.changes.map(changeView), next }, 200);
  });
}

function changeView(change: ListedChange): Change {
  const { id, project, configuration, line, kind, now, before, root, atMs } = change;
  const at = new Date(atMs).toISOString();
  return { id, project, configuration, line, kind, now, before, root, at };
}
