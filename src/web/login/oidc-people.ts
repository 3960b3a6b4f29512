import { createHash } from "node:crypto";

import type { Audit } from "../../model/audit.ts";
import { scopesOf, type Identity, type OidcSettings } from "../../model/config/login-table.ts";
import { isInForce, type Principal, type Principals } from "../../model/principals.ts";

export interface OidcPeopleDeps {
  readonly settings: OidcSettings;
  readonly principals: Principals;
  readonly audit: Audit;
  /** As `newAttemptId`. */
  readonly newId: () => string;
  readonly nowMs: () => number;
}

const ID_CHARS = 16;

/**
 * Who logs in at the operator's provider is a principal like any other, under the hash of who vouches for them and as whom:
 * no token has that hash, so they are known by nothing but their sessions. What they may do is the configuration's word.
 */
export class OidcPeople {
  readonly #deps: OidcPeopleDeps;

  constructor(deps: OidcPeopleDeps) {
    this.#deps = deps;
  }

  /** Keeps who has just logged in. @returns null for whom an operator has revoked. @throws CreameryError `store`. */
  async arrive(identity: Identity, name: string, address: string): Promise<Principal | null> {
    const { principals, settings, nowMs } = this.#deps;
    const scopes = scopesOf(settings, identity) ?? [];
    const sha256 = identitySha256(identity);
    const before = await principals.findByHash(sha256);
    if (before === null) {
      const made = await principals.create(
        {
          kind: "person",
          name,
          scopes,
          projects: null,
          createdAtMs: nowMs(),
          createdBy: null,
          expiresAtMs: null,
        },
        { id: sha256.slice(0, ID_CHARS), sha256 },
      );
      await this.#note(made, "is known from now on", address);
      return made;
    }
    if (!isInForce(before, nowMs())) return null;
    const after = { ...before, name, scopes };
    if (name === before.name && scopes.join() === before.scopes.join()) return after;
    await principals.change(before.id, { name, scopes });
    await this.#note(after, "was changed by who vouches for them", address);
    return after;
  }

  async #note({ id, name, scopes }: Principal, what: string, address: string): Promise<void> {
    const { audit } = this.#deps;
    const may = scopes.length === 0 ? "no scope" : scopes.join(", ");
    await audit.append({
      id: this.#deps.newId(),
      atMs: this.#deps.nowMs(),
      by: { kind: "farm", id: null, name: "login" },
      action: "manage-principals",
      subject: `principal ${id}`,
      outcome: "done",
      detail: `"${name}" ${what}, with ${may}`,
      address,
    });
  }
}

/** Of issuer and subject alone: whatever else is said of somebody can change hands. */
export function identitySha256({ issuer, sub }: Pick<Identity, "issuer" | "sub">): string {
  return createHash("sha256")
    .update(JSON.stringify(["oidc", issuer, sub]))
    .digest("hex");
}
