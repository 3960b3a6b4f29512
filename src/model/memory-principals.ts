import { CreameryError } from "../base/errors.ts";
import type { NewPrincipal, Principal, PrincipalPage, Principals } from "./principals.ts";
import type { NewToken } from "./token.ts";

/** Principals that a process forgets with its end, for tests. */
export class MemoryPrincipals implements Principals {
  readonly #kept = new Map<string, { readonly principal: Principal; readonly sha256: string }>();

  create(
    principal: NewPrincipal,
    { id, sha256 }: Pick<NewToken, "id" | "sha256">,
  ): Promise<Principal> {
    const before = this.#kept.get(id);
    if (before?.sha256 === sha256) return Promise.resolve(before.principal);
    if (before !== undefined || [...this.#kept.values()].some((kept) => kept.sha256 === sha256))
      return Promise.reject(
        new CreameryError("store", "another principal has this id or token", { input: id }),
      );
    const created = { ...principal, id, revokedAtMs: null, lastUsedAtMs: null };
    this.#kept.set(id, { principal: created, sha256 });
    return Promise.resolve(created);
  }

  findByHash(sha256: string): Promise<Principal | null> {
    const found = [...this.#kept.values()].find((kept) => kept.sha256 === sha256);
    return Promise.resolve(found?.principal ?? null);
  }

  find(id: string): Promise<Principal | null> {
    return Promise.resolve(this.#kept.get(id)?.principal ?? null);
  }

  list({
    limit,
    after = "",
  }: {
    readonly limit: number;
    readonly after?: string;
  }): Promise<PrincipalPage> {
    const rest = [...this.#kept.values()]
      .map(({ principal }) => principal)
      .filter(({ id }) => id > after)
      .toSorted((left, right) => (left.id < right.id ? -1 : 1));
    const principals = rest.slice(0, limit);
    const last = rest.length > limit ? principals.at(-1) : undefined;
    return Promise.resolve({ principals, after: last?.id ?? null });
  }

  revoke(id: string, atMs: number): Promise<boolean> {
    return Promise.resolve(
      this.#change(id, (principal) => ({
        ...principal,
        revokedAtMs: principal.revokedAtMs ?? atMs,
      })),
    );
  }

  change(id: string, { name, scopes }: Pick<Principal, "name" | "scopes">): Promise<boolean> {
    return Promise.resolve(this.#change(id, (principal) => ({ ...principal, name, scopes })));
  }

  touch(id: string, atMs: number): Promise<void> {
    this.#change(id, (principal) => ({
      ...principal,
      lastUsedAtMs: Math.max(principal.lastUsedAtMs ?? atMs, atMs),
    }));
    return Promise.resolve();
  }

  #change(id: string, change: (principal: Principal) => Principal): boolean {
    const kept = this.#kept.get(id);
    if (kept === undefined) return false;
    this.#kept.set(id, { ...kept, principal: change(kept.principal) });
    return true;
  }
}
