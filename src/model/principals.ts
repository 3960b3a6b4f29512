import type { NewToken } from "./token.ts";

/** Who may see a project and all that belongs to it. */
export const VISIBILITIES = ["public", "private"] as const;
export type Visibility = (typeof VISIBILITIES)[number];

export const PRINCIPAL_KINDS = ["person", "program", "worker"] as const;
/** A person, a program of theirs (a CI job, a dashboard), or a worker: each is known by a token, and all are one model. */
export type PrincipalKind = (typeof PRINCIPAL_KINDS)[number];

export const SCOPES = ["worker", "operate", "read-private", "enqueue", "admin"] as const;
/**
 * What a token is good for. `worker`: to claim jobs, keep their leases, finish them, send what came of them, fetch images
 * and use the index. `operate`: the queue and the watchers. `read-private`: to see private projects. `enqueue`: to have
 * something tested. `admin`: principals and the record of what operators did, and everything but a worker's work.
 */
export type Scope = (typeof SCOPES)[number];

export interface Principal {
  readonly kind: PrincipalKind;
  readonly id: string;
  /** For people: `ci of lmdb`. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Normalised names that it is bound to; null for all. */
  readonly projects: readonly string[] | null;
  /** Times are ms since the epoch. */
  readonly createdAtMs: number;
  /** The id of who made it; null for the first, which the farm's own command line made. */
  readonly createdBy: string | null;
  readonly expiresAtMs: number | null;
  readonly revokedAtMs: number | null;
  /** To the minute or coarser; null when it never was. */
  readonly lastUsedAtMs: number | null;
}

/** Whether it was neither revoked nor has expired by then. */
export function isInForce(
  { revokedAtMs, expiresAtMs }: Pick<Principal, "revokedAtMs" | "expiresAtMs">,
  nowMs: number,
): boolean {
  return (revokedAtMs ?? Infinity) > nowMs && (expiresAtMs ?? Infinity) > nowMs;
}

/** Somebody who shows no token. */
export interface Anonymous {
  readonly kind: "anonymous";
}
export const ANONYMOUS: Anonymous = { kind: "anonymous" };

export type NewPrincipal = Pick<
  Principal,
  "kind" | "name" | "scopes" | "projects" | "createdAtMs" | "createdBy" | "expiresAtMs"
>;

export interface PrincipalPage {
  readonly principals: readonly Principal[];
  /** For the next page; null on the last. */
  readonly after: string | null;
}

/** Principals and the hashes of their tokens. */
export interface Principals {
  /**
   * Keeps a principal under its token's id and hash; the token itself is kept by nobody.
   * The same id and hash again is no error and changes nothing.
   * @throws CreameryError `store` when another has the id or the hash.
   */
  create(principal: NewPrincipal, token: Pick<NewToken, "id" | "sha256">): Promise<Principal>;
  /** By the SHA-256 of a token, hexadecimal; also one that is revoked or has expired, as it says itself. */
  findByHash(sha256: string): Promise<Principal | null>;
  find(id: string): Promise<Principal | null>;
  /** In the order of their ids, revoked ones among them. @param after of the page before. */
  list(query: { readonly limit: number; readonly after?: string }): Promise<PrincipalPage>;
  /** For good; the first time counts. @returns false when there is none. */
  revoke(id: string, atMs: number): Promise<boolean>;
  /** @returns false when there is none. */
  change(id: string, to: Pick<Principal, "name" | "scopes">): Promise<boolean>;
  /** Never goes back; none is no error. */
  touch(id: string, atMs: number): Promise<void>;
}
