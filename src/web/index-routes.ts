import type { HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono, type Context } from "hono";

import type { FarmIndex } from "../index/index-service.ts";

export interface IndexRoutesDeps<Env extends { Bindings: HttpBindings }> {
  readonly index: FarmIndex;
  /** Which host asks. */
  readonly hostOf: (context: Context<Env>) => string;
  /** Where these routes are mounted, from the root and to its slash: `/api/v1/index/`. */
  readonly root: string;
}

/**
 * The farm's mirror for its workers, to be mounted at `index`: `pages/NAME`, `simple/NAME/`, `files/NAME/KEY/FILE` and its `.metadata`,
 * `crates/`, `repositories/HOST/PATH` and `git/HOST/PATH/`. Answers are written by the index itself, which sends a file while it comes.
 */
export function indexRoutes<Env extends { Bindings: HttpBindings }>({
  index,
  root,
  hostOf,
}: IndexRoutesDeps<Env>): Hono<Env> {
  const app = new Hono<Env>();
  app.all("/*", async (context) => {
    const { incoming, outgoing } = context.env;
    // git asks by POST. Hono answers a HEAD out of a GET's Response, and here there is none.
    const isRead = incoming.method === "POST" && context.req.path.startsWith(`${root}git/`);
    if (incoming.method !== "GET" && !isRead) return context.text("this index is for reading", 405);
    await index.answer({ request: incoming, response: outgoing }, root, hostOf(context));
    return RESPONSE_ALREADY_SENT;
  });
  return app;
}
