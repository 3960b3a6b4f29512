import { createHash, createHmac, randomBytes } from "node:crypto";

/** How somebody logged in: by showing a token, or at the operator's provider of OpenID Connect. */
export const SESSION_WAYS = ["token", "oidc"] as const;
export type SessionWay = (typeof SESSION_WAYS)[number];

/** What a browser is known by after somebody logged in with it. Times are ms since the epoch. */
export interface Session {
  /** Of the id that the browser keeps; the id itself is kept by nobody else. */
  readonly sha256: string;
  /** The principal's id: a session is good for no more, and no longer, than its principal. */
  readonly principal: string;
  readonly how: SessionWay;
  /** JSON of what the provider says of them (login/identity.ts); null where it was a token. */
  readonly who: string | null;
  readonly createdAtMs: number;
  /** At the latest, however much it is used. */
  readonly expiresAtMs: number;
  /** To the minute or coarser. */
  readonly lastUsedAtMs: number;
}

export interface Sessions {
  /** @throws CreameryError `store` when another has the hash. */
  create(session: Session): Promise<void>;
  /** Also one that is over, as it says itself. */
  find(sha256: string): Promise<Session | null>;
  /** The one that was used last first; those that are over among them. */
  ofPrincipal(principal: string): Promise<readonly Session[]>;
  /** Never goes back; none is no error. */
  touch(sha256: string, atMs: number): Promise<void>;
  /** None is no error. */
  end(sha256: string): Promise<void>;
  /** @returns how many there were. */
  endAllOf(principal: string): Promise<number>;
  /** Removes those that were over, or last used, before then. @returns how many. */
  forget(overBeforeMs: number, usedBeforeMs: number): Promise<number>;
}

export const SESSION_BOUNDS = {
  /** Not used for so long, it is over. */
  idleMs: 12 * 3_600_000,
  /** However much it is used. */
  longestMs: 7 * 24 * 3_600_000,
} as const;

const ID_BYTES = 32;
const ID = /^[A-Za-z0-9_-]{43}$/u;

/** 256 random bits, for a cookie. */
export function newSessionId(): string {
  return randomBytes(ID_BYTES).toString("base64url");
}

/** @returns null for what is no session's id. */
export function sessionSha256(id: string): string | null {
  return ID.test(id) ? createHash("sha256").update(id).digest("hex") : null;
}

/**
 * What goes with each form that changes something. It is made of the id, which other sites can't read, and leads to no id: so
 * whoever sends it was shown a page of this very session.
 */
export function formTokenOf(id: string): string {
  return createHmac("sha256", id).update("a form of the farm's pages").digest("base64url");
}

export function isSessionOver(
  { expiresAtMs, lastUsedAtMs }: Pick<Session, "expiresAtMs" | "lastUsedAtMs">,
  nowMs: number,
): boolean {
  return expiresAtMs <= nowMs || lastUsedAtMs + SESSION_BOUNDS.idleMs <= nowMs;
}
