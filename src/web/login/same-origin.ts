import type { Asked } from "../authenticate.ts";

/** Scheme and host that a request was sent to, as far as they are known here. */
export function ownOrigin(context: Asked): string {
  const scheme = context.get("peer").encrypted ? "https" : "http";
  return `${scheme}://${new URL(context.req.url).host}`;
}

/**
 * Whether a page of this farm had it sent. Browsers say which site a request comes of in headers that no script can set
 * (Fetch Metadata; before that `Origin`); who says nothing at all is no browser of today.
 * @param publicUrl where people find the farm, which a proxy before it may not tell.
 */
export function isSameOrigin(context: Asked, publicUrl: string | null): boolean {
  const site = context.req.header("sec-fetch-site");
  if (site !== undefined) return site === "same-origin";
  const origin = context.req.header("origin");
  return origin !== undefined && (origin === ownOrigin(context) || origin === publicUrl);
}
