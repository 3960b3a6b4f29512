import type { Principal, Principals } from "../model/principals.ts";
import { readToken } from "../model/token.ts";
import { isLoopback, type Peer } from "./client-address.ts";
import { FailedTries } from "./failed-tries.ts";

export interface TokenCheckDeps {
  readonly principals: Principals;
  readonly nowMs: () => number;
  readonly failedTries?: FailedTries;
}

/** Whose token it is, or how it is answered, for a person. */
export type TokenChecked =
  | { readonly kind: "good"; readonly principal: Principal }
  | {
      readonly kind: "bad";
      readonly status: 401 | 403 | 429 | 503;
      readonly detail: string;
      /** When to come again; null where that would help nobody. */
      readonly waitSeconds: number | null;
    };

const TOUCH_MS = 60_000;
const KNOWN_GOOD = 1000;
const RETRY_SECONDS = 5;

/**
 * Looks tokens up, by their hashes: what a stranger could learn from the time it takes is about the hash of a text that it
 * chose, which leads to no other. An address that fails too often is asked to wait, but a token that was good lately is
 * looked up all the same: a neighbour behind the same address locks nobody out.
 */
export class TokenCheck {
  readonly #deps: TokenCheckDeps;
  readonly #failed: FailedTries;
  /** Hashes of tokens that were good, the latest last. They prove nothing: each is looked up again. */
  readonly #good = new Set<string>();

  constructor(deps: TokenCheckDeps) {
    this.#deps = deps;
    this.#failed = deps.failedTries ?? new FailedTries();
  }

  /** @param text as it was shown; null for what has no token's form. */
  async check(text: string | null, peer: Peer): Promise<TokenChecked> {
    if (!peer.encrypted && !isLoopback(peer.address))
      return bad(
        403,
        "a token was sent without encryption, and may be known by others now: revoke it, make another, and send that by https",
      );
    const nowMs = this.#deps.nowMs();
    const token = text === null ? null : readToken(text);
    const waitSeconds = this.waitSeconds(peer);
    if (waitSeconds > 0 && (token === null || !this.#good.has(token.sha256)))
      return bad(429, "this address has shown too many tokens that are not good", waitSeconds);
    if (token === null)
      return this.#fail(peer, "what was sent is no token, or was mistyped or cut");
    let principal: Principal | null;
    try {
      principal = await this.#deps.principals.findByHash(token.sha256);
    } catch {
      return bad(503, "the farm can't look tokens up at present: try again", RETRY_SECONDS);
    }
    if (principal === null) return this.#fail(peer, "this token is nobody's");
    const { revokedAtMs, expiresAtMs } = principal;
    if (revokedAtMs !== null && revokedAtMs <= nowMs)
      return this.#fail(peer, "this token was revoked");
    if (expiresAtMs !== null && expiresAtMs <= nowMs)
      return this.#fail(peer, "this token has expired");
    this.#remember(token.sha256);
    await this.#touch(principal, nowMs);
    return { kind: "good", principal };
  }

  /** For how long yet an address has failed too often, in seconds; 0 when it has not. */
  waitSeconds({ address }: Peer): number {
    return this.#failed.waitSeconds(address, this.#deps.nowMs());
  }

  /** Notes that somebody failed to show who they are. */
  noteFailure({ address }: Peer): void {
    this.#failed.note(address, this.#deps.nowMs());
  }

  #fail(peer: Peer, detail: string): TokenChecked {
    this.noteFailure(peer);
    return bad(401, detail);
  }

  #remember(sha256: string): void {
    this.#good.delete(sha256);
    this.#good.add(sha256);
    if (this.#good.size <= KNOWN_GOOD) return;
    const [oldest] = this.#good;
    if (oldest !== undefined) this.#good.delete(oldest);
  }

  async #touch({ id, lastUsedAtMs }: Principal, nowMs: number): Promise<void> {
    if (lastUsedAtMs !== null && nowMs - lastUsedAtMs < TOUCH_MS) return;
    // Worth less than the request itself.
    await this.#deps.principals.touch(id, nowMs).catch(() => undefined);
  }
}

function bad(
  status: 401 | 403 | 429 | 503,
  detail: string,
  waitSeconds: number | null = null,
): TokenChecked {
  return { kind: "bad", status, detail, waitSeconds };
}
