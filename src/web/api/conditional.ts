import { createHash } from "node:crypto";
import type { MiddlewareHandler } from "hono";

import type { ApiContext, ApiEnv, AskedContext } from "./api-deps.ts";

/** For lists and whatever changes: a weak ETag of what was answered. */
export const whileItIsSo: MiddlewareHandler<ApiEnv> = async (context, next) => {
  await next();
  await tag(context, "W/", "no-cache");
};

/** For what is made once and never changed: a strong one, and an hour without asking again. */
export const madeOnce: MiddlewareHandler<ApiEnv> = async (context, next) => {
  await next();
  await tag(context, "", "max-age=3600");
};

async function tag(context: ApiContext, strength: string, caching: string): Promise<void> {
  const answer = context.res;
  if (answer.status !== 200) return;
  const body = Buffer.from(await answer.arrayBuffer());
  const hash = entityHash(body);
  const headers = new Headers(answer.headers);
  headers.set("etag", `${strength}"${hash}"`);
  for (const [name, value] of Object.entries(cachingHeaders(context, caching)))
    headers.set(name, value);
  // Set twice, it would be merged with what was there.
  context.res = undefined;
  if (matches(context.req.header("if-none-match"), hash)) {
    headers.delete("content-type");
    headers.delete("content-length");
    context.res = new Response(null, { status: 304, headers });
  } else context.res = new Response(body, { status: 200, headers });
}

/** What was answered to one principal is no other's. */
export function cachingHeaders(context: AskedContext, caching: string): Record<string, string> {
  const isAnonymous = context.get("principal").kind === "anonymous";
  return {
    "cache-control": isAnonymous ? caching : `private, ${caching}`,
    vary: "authorization, cookie",
    "x-content-type-options": "nosniff",
  };
}

/** What stands between the quotes of an entity's tag, by its content. */
export function entityHash(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("base64url").slice(0, 27);
}

/** Whether `If-None-Match` names an entity (RFC 9110 13.1.2: compared weakly). @param tagged what stands between the quotes. */
export function matches(header: string | undefined, tagged: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === "*") return true;
  return header
    .split(",")
    .map((part) => part.trim().replace(/^W\//u, ""))
    .includes(`"${tagged}"`);
}
