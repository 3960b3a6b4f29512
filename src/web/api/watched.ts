import { createRoute, z, type OpenAPIHono } from "@hono/zod-openapi";

import { CreameryError } from "../../base/errors.ts";
import { clip, printableLine } from "../../base/bounded-text.ts";
import { FARM } from "../../model/authorise.ts";
import { EVERYTHING } from "../../model/watched-name.ts";
import { isName, normaliseName } from "../../python/names.ts";
import type { Asked } from "../authenticate.ts";
import { ALWAYS, NOT_FOUND, OF_BODIES, ok } from "./answers.ts";
import type { ApiDeps, ApiEnv } from "./api-deps.ts";
import { audited } from "./audited.ts";
import { jsonBody } from "./json-body.ts";
import { WatchBody, WatchedList } from "./schemas/watched.ts";
import { mustBeAllowed } from "./sight.ts";

const list = createRoute({
  method: "get",
  path: "/watched",
  operationId: "listWatched",
  tags: ["operators"],
  summary: "The projects whose releases are tested as they come",
  responses: { ...ok(WatchedList, "All of them, by name"), ...ALWAYS },
});

const add = createRoute({
  method: "post",
  path: "/watched",
  operationId: "watch",
  tags: ["operators"],
  summary: "Test what these projects release from now on",
  middleware: jsonBody,
  request: { body: { required: true, content: { "application/json": { schema: WatchBody } } } },
  responses: { ...ok(WatchedList, "All that are watched now"), ...OF_BODIES, ...ALWAYS },
});

const remove = createRoute({
  method: "delete",
  path: "/watched/{name}",
  operationId: "unwatch",
  tags: ["operators"],
  summary: "Watch a project no more",
  request: { params: z.object({ name: z.string().min(1).max(214) }) },
  responses: { ...ok(WatchedList, "All that are watched now"), ...NOT_FOUND, ...ALWAYS },
});

export function watchedRoutes(app: OpenAPIHono<ApiEnv>, deps: ApiDeps): void {
  app.openapi(list, async (context) => {
    mustBeAllowed(context, "watch", FARM, deps);
    return context.json(await watched(deps), 200);
  });

  app.openapi(add, async (context) => {
    await watchProjects(context, deps, context.req.valid("json").names);
    return context.json(await watched(deps), 200);
  });

  app.openapi(remove, async (context) => {
    await unwatchProject(context, deps, context.req.valid("param").name);
    return context.json(await watched(deps), 200);
  });
}

/** @returns their names, normalised. @throws Refused, CreameryError `usage`. */
export async function watchProjects(
  context: Asked,
  deps: ApiDeps,
  names: readonly string[],
): Promise<readonly string[]> {
  const wanted = [...new Set(names.map(watchedName))];
  const subject = clip(wanted.join(" "), 150);
  const deed = { action: "watch", on: FARM, subject } as const;
  return await audited(context, deps, deed, async () => {
    await deps.database.write(async (within) => {
      for (const name of wanted)
        await within
          .insertInto("watched")
          .values({ name, since_ms: deps.nowMs() })
          .onConflict((on) => on.column("name").doNothing())
          .execute();
    });
    return { answer: wanted, detail: `watches ${subject}` };
  });
}

/** @throws Refused, CreameryError `usage`, `unknown-project` for one that is not watched. */
export async function unwatchProject(context: Asked, deps: ApiDeps, given: string): Promise<void> {
  const name = watchedName(given);
  const deed = { action: "watch", on: FARM, subject: name } as const;
  await audited(context, deps, deed, async () => {
    const gone = await deps.database.write((within) =>
      within.deleteFrom("watched").where("name", "=", name).returning("name").execute(),
    );
    if (gone.length === 0)
      throw new CreameryError("unknown-project", "is not watched", {
        input: name,
        nextStep: "see ./creamery watch list",
      });
    return { answer: null, detail: `watches ${name} no more` };
  });
}

/** @throws CreameryError `usage`. */
function watchedName(given: string): string {
  if (given === EVERYTHING) return given;
  if (isName(given)) return normaliseName(given);
  throw new CreameryError("usage", "is no project's name", {
    input: clip(printableLine(given), 100),
    nextStep: "name projects as the index does, without a version",
  });
}

async function watched({ database }: Pick<ApiDeps, "database">): Promise<WatchedList> {
  const rows = await database.read((db) =>
    db.selectFrom("watched").selectAll().orderBy("name").execute(),
  );
  return {
    watched: rows.map(({ name, since_ms: sinceMs }) => ({
      name,
      since: new Date(sinceMs).toISOString(),
    })),
  };
}
