import type { MiddlewareHandler } from "hono";

import { readBody } from "../read-body.ts";
import { Refused } from "./answers.ts";
import type { ApiEnv } from "./api-deps.ts";

const MAX_BYTES = 64 * 1024;
const TIMEOUT_MS = 10_000;

/** Before whatever reads a body: it is JSON by its type, and no more of it is held than the bound, nor waited for longer. */
export const jsonBody: MiddlewareHandler<ApiEnv> = async (context, next) => {
  const type = context.req.header("content-type") ?? "";
  if (!/^application\/json(?:\s*;|\s*$)/iu.test(type))
    throw new Refused({ status: 415, detail: "send JSON, with Content-Type: application/json" });
  const { raw } = context.req;
  const body = await readBody(raw, { maxBytes: MAX_BYTES, timeoutMs: TIMEOUT_MS });
  switch (body.kind) {
    case "too-large":
      throw new Refused({ status: 413, detail: `a body here has ${MAX_BYTES} bytes at most` });
    case "too-slow":
      throw new Refused({ status: 408, detail: "the body came too slowly" });
    case "broken":
      throw new Refused({ status: 400, detail: "the body broke off" });
    case "whole": {
      const headers = new Headers(raw.headers);
      headers.set("content-type", "application/json");
      headers.delete("content-length");
      const { url, method } = raw;
      const bytes = new Uint8Array(body.bytes);
      context.req.raw = new Request(url, { method, headers, body: bytes });
      await next();
    }
  }
};
