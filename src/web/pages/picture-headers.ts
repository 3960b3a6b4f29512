import type { PagesContext } from "./page-deps.ts";

const KEPT = "max-age=300";

/** For what other sites show in their own pages: kept for five minutes, by everybody only where it was made for nobody. */
export function pictureHeaders(context: PagesContext, type: string): Record<string, string> {
  const isKnown = context.get("principal")?.kind !== "anonymous";
  return {
    "content-type": type === "image/svg+xml" ? `${type}; charset=utf-8` : type,
    "cache-control": isKnown ? `private, ${KEPT}` : `public, ${KEPT}`,
    // Opened by itself it runs and loads nothing.
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "cross-origin",
  };
}
