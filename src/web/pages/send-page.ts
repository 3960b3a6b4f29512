import { documentOf } from "../../pages/shell/document.ts";
import type { Page } from "../../pages/shell/page.ts";
import { cachingHeaders, entityHash, matches } from "../api/conditional.ts";
import { HARMLESS } from "../api/send-blob.ts";
import { noCookie } from "../login/session-cookie.ts";
import type { PagesContext } from "./page-deps.ts";

/**
 * Nothing that a package wrote can run, load or send anything, even where it were not escaped: scripts and styles are the
 * farm's own files, and there are none within pages.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": POLICY,
  "referrer-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "cross-origin-opener-policy": "same-origin",
};

/** A page as an answer, with an ETag. What was shown to somebody who is known is no other's. */
export async function sendPage(context: PagesContext, page: Page, status = 200): Promise<Response> {
  const made = context.get("page");
  const text = await documentOf(page, made);
  const newerIn = String(Math.ceil(context.get("newer").inMs));
  const headers = { ...PAGE_HEADERS, "creamery-newer-in": newerIn };
  const answer = sendText(context, text, headers, status);
  // It is told once.
  if (made.told !== null)
    answer.headers.append("set-cookie", noCookie("creamery-told", context.get("peer")));
  return answer;
}

/**
 * A file that is made once and never changed: a strong ETag, and an hour without asking again. Whatever a package wrote into it is
 * shown as text or saved, and never obeyed.
 */
export function sendFile(
  context: PagesContext,
  text: string,
  headers: Readonly<Record<string, string>>,
): Response {
  const hash = entityHash(text);
  const shared = {
    ...cachingHeaders(context, "max-age=3600"),
    ...HARMLESS,
    etag: `"${hash}"`,
  };
  return matches(context.req.header("if-none-match"), hash)
    ? new Response(null, { status: 304, headers: shared })
    : new Response(text, { status: 200, headers: { ...shared, ...headers } });
}

/** A text with its headers, and an ETag where it was found. */
export function sendText(
  context: PagesContext,
  text: string,
  given: Readonly<Record<string, string>>,
  status = 200,
): Response {
  const isKnown = context.get("principal")?.kind !== "anonymous";
  const headers: Record<string, string> = {
    "cache-control": isKnown ? "private, no-cache" : "no-cache",
    vary: "authorization, cookie",
    "x-content-type-options": "nosniff",
    ...given,
  };
  if (status !== 200) return new Response(text, { status, headers });
  const hash = entityHash(text);
  headers["etag"] = `W/"${hash}"`;
  if (!matches(context.req.header("if-none-match"), hash))
    return new Response(text, { status, headers });
  delete headers["content-type"];
  return new Response(null, { status: 304, headers });
}
