import { open } from "node:fs/promises";
import { Readable } from "node:stream";

import { createRoute, z, type OpenAPIHono } from "@hono/zod-openapi";

import { parseRange } from "../../index/serve/send-file.ts";
import { problem } from "../problem.ts";
import { ALWAYS, NOT_FOUND, NOT_MODIFIED, problemAnswer, Refused } from "./answers.ts";
import type { ApiContext, ApiDeps, ApiEnv } from "./api-deps.ts";
import { matches } from "./conditional.ts";
import { sightOf } from "./sight.ts";

const binary = z.string().openapi({ type: "string", format: "binary" });
const TYPE = "application/vnd.sqlite3";

const file = createRoute({
  method: "get",
  path: "/export/results.sqlite",
  operationId: "getExport",
  tags: ["results"],
  summary: "All public results as one SQLite file, made each night",
  request: {
    headers: z.object({
      range: z.string().max(200).optional().openapi({ description: "One range of bytes" }),
    }),
  },
  responses: {
    200: { description: "The file", content: { [TYPE]: { schema: binary } } },
    206: { description: "The range that was asked for", content: { [TYPE]: { schema: binary } } },
    416: problemAnswer("There is no such range"),
    ...NOT_MODIFIED,
    ...NOT_FOUND,
    ...ALWAYS,
  },
});

export function exportRoutes(app: OpenAPIHono<ApiEnv>, deps: ApiDeps): void {
  app.openapi(file, async (context) => {
    // All that is in it is public; a token that is not good is told so all the same.
    sightOf(context, deps);
    return await send(context, deps.exportFile);
  });
}

async function send(context: ApiContext, path: string): Promise<Response> {
  const handle = await open(path, "r").catch(() => null);
  if (handle === null)
    throw new Refused({
      status: 404,
      detail: "there is no export yet: the first is made an hour after the farm was started",
    });
  let isHandedOver = false;
  try {
    const { size, ino, mtimeMs } = await handle.stat();
    // A new export is another file under the same name, never the same one with other bytes.
    const tag = `${ino.toString(36)}-${size.toString(36)}-${Math.round(mtimeMs).toString(36)}`;
    const shared = {
      etag: `"${tag}"`,
      "accept-ranges": "bytes",
      "cache-control": "no-cache",
      "x-content-type-options": "nosniff",
      "last-modified": new Date(mtimeMs).toUTCString(),
    };
    if (matches(context.req.header("if-none-match"), tag))
      return new Response(null, { status: 304, headers: shared });
    const condition = context.req.header("if-range");
    const wanted =
      condition === undefined || condition === shared.etag
        ? context.req.header("range")
        : undefined;
    const range = parseRange(wanted, size);
    if (range === "unsatisfiable")
      return problem({
        status: 416,
        detail: `it has ${size} bytes`,
        headers: { "content-range": `bytes */${size}` },
      });
    const { start, end } = range ?? { start: 0, end: size };
    const headers = {
      ...shared,
      "content-type": TYPE,
      "content-disposition": 'attachment; filename="results.sqlite"',
      "content-length": String(end - start),
      ...(range === null ? {} : { "content-range": `bytes ${start}-${end - 1}/${size}` }),
    };
    const status = range === null ? 200 : 206;
    if (context.req.method === "HEAD" || end === start)
      return new Response(null, { status, headers });
    isHandedOver = true;
    const bytes = handle.createReadStream({ start, end: end - 1, autoClose: true });
    return new Response(Readable.toWeb(bytes), { status, headers });
  } finally {
    if (!isHandedOver) await handle.close();
  }
}
