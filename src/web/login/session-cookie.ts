import type { Context } from "hono";
import { getCookie } from "hono/cookie";

import { SESSION_BOUNDS } from "../../model/sessions.ts";
import { isLoopback, type Peer } from "../client-address.ts";

/** What browsers keep for the farm's pages. */
export type CookieName = "creamery" | "creamery-oidc" | "creamery-told";

/**
 * Over https it is a `__Host-` cookie: of this very host, made by nobody else of the domain, and never sent in the clear. This
 * host's own browser may come by plain http, which knows no such cookies.
 */
export function cookieName(name: CookieName, { encrypted }: Peer): string {
  return encrypted ? `__Host-${name}` : name;
}

/** Whether who is at the other end can be let in: nobody on the way reads what is sent. */
export function isPrivateWay({ address, encrypted }: Peer): boolean {
  return encrypted || isLoopback(address);
}

/** Never the other way's cookie: what came in the clear is no `__Host-` one, and counts for nothing over https. */
export function readCookie(context: Context, name: CookieName, peer: Peer): string | undefined {
  return isPrivateWay(peer) ? getCookie(context, cookieName(name, peer)) : undefined;
}

/** A `Set-Cookie`. @param value of visible ASCII without `;`. */
export function cookieText(
  name: CookieName,
  value: string,
  peer: Peer,
  maxAgeSeconds: number,
): string {
  const secure = peer.encrypted ? "; Secure" : "";
  return `${cookieName(name, peer)}=${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Lax${secure}`;
}

export function sessionCookie(id: string, peer: Peer): string {
  return cookieText("creamery", id, peer, SESSION_BOUNDS.longestMs / 1000);
}

export function noCookie(name: CookieName, peer: Peer): string {
  return cookieText(name, "", peer, 0);
}
