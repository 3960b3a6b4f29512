import { createRoute, z, type OpenAPIHono } from "@hono/zod-openapi";

import { CreameryError } from "../../base/errors.ts";
import { clip, printableLine } from "../../base/bounded-text.ts";
import { attemptKey } from "../../worker/bucket-keys.ts";
import { ALWAYS, NOT_FOUND, NOT_MODIFIED, ok, problemAnswer } from "./answers.ts";
import type { ApiContext, ApiDeps, ApiEnv } from "./api-deps.ts";
import { attemptId, readableAttempt } from "./attempts.ts";
import { whileItIsSo } from "./conditional.ts";
import { Asset } from "./schemas/results.ts";
import { sendBlob } from "./send-blob.ts";

const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,200}$/u;
const MAX_ASSETS = 100;
const text = z.string();
const range = z.object({
  range: z.string().max(200).optional().openapi({ description: "One range of bytes" }),
});
const binary = z.string().openapi({ type: "string", format: "binary" });
const NO_SUCH_RANGE = { 416: problemAnswer("There is no such range") };
const PART = "The range that was asked for";

const log = createRoute({
  method: "get",
  path: "/attempts/{id}/log",
  operationId: "getLog",
  tags: ["attempts"],
  summary: "The whole log of an attempt, as text",
  description: "What a package wrote: control characters are in it.",
  request: { params: z.object({ id: attemptId }), headers: range },
  responses: {
    200: { description: "The log", content: { "text/plain": { schema: text } } },
    206: { description: PART, content: { "text/plain": { schema: text } } },
    ...NO_SUCH_RANGE,
    ...NOT_MODIFIED,
    ...NOT_FOUND,
    ...ALWAYS,
  },
});

const list = createRoute({
  method: "get",
  path: "/attempts/{id}/assets",
  operationId: "listAssets",
  tags: ["attempts"],
  summary: "What is kept of an attempt besides its result",
  middleware: whileItIsSo,
  request: { params: z.object({ id: attemptId }) },
  responses: {
    ...ok(
      z.object({ assets: z.array(Asset) }),
      "What is kept; less as time goes by (docs/bucket.md)",
    ),
    ...NOT_MODIFIED,
    ...NOT_FOUND,
    ...ALWAYS,
  },
});

const one = createRoute({
  method: "get",
  path: "/attempts/{id}/assets/{name}",
  operationId: "getAsset",
  tags: ["attempts"],
  summary: "One thing that is kept of an attempt, as it was given",
  request: {
    params: z.object({ id: attemptId, name: z.string().min(1).max(201) }),
    headers: range,
  },
  responses: {
    200: {
      description: "Its content",
      content: { "application/octet-stream": { schema: binary } },
    },
    206: { description: PART, content: { "application/octet-stream": { schema: binary } } },
    ...NO_SUCH_RANGE,
    ...NOT_MODIFIED,
    ...NOT_FOUND,
    ...ALWAYS,
  },
});

export function assetRoutesOf(app: OpenAPIHono<ApiEnv>, deps: ApiDeps): void {
  const { bucket } = deps;

  const opened = async (context: ApiContext, id: string, name: string) => {
    const { attempt } = await readableAttempt(context, deps, id);
    const blob = NAME.test(name) ? await bucket.open(attemptKey(attempt.id, name)) : null;
    if (blob !== null) return blob;
    throw new CreameryError("unknown-attempt", "is not kept of this attempt, or no more", {
      input: clip(printableLine(`${attempt.id} ${name}`), 200),
      nextStep: `look at /api/v1/attempts/${attempt.id}/assets`,
    });
  };

  app.openapi(log, async (context) => {
    const blob = await opened(context, context.req.valid("param").id, "log.txt");
    return sendBlob(context, blob, { "content-type": "text/plain; charset=utf-8" });
  });

  app.openapi(list, async (context) => {
    const { attempt } = await readableAttempt(context, deps, context.req.valid("param").id);
    const prefix = attemptKey(attempt.id, "");
    const keys = (await bucket.list(prefix)).slice(0, MAX_ASSETS);
    const blobs = await Promise.all(keys.map((key) => bucket.open(key)));
    const assets = blobs.flatMap((blob) =>
      blob === null
        ? []
        : [{ name: blob.key.slice(prefix.length), sizeBytes: blob.sizeBytes, sha256: blob.sha256 }],
    );
    return context.json({ assets }, 200);
  });

  app.openapi(one, async (context) => {
    const { id, name } = context.req.valid("param");
    const blob = await opened(context, id, name);
    return sendBlob(context, blob, {
      "content-type": "application/octet-stream",
      "content-disposition": `attachment; filename="${name}"`,
    });
  });
}
