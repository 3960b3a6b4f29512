import type { Context, MiddlewareHandler } from "hono";

import {
  authorise,
  type Action,
  type Allowed,
  type NotAllowed,
  type Subject,
} from "../model/authorise.ts";
import { ANONYMOUS, type Anonymous, type Principal, type Principals } from "../model/principals.ts";
import { readToken } from "../model/token.ts";
import { isLoopback, type Peer } from "./client-address.ts";
import { FailedTries } from "./failed-tries.ts";
import { problem } from "./problem.ts";

/** What `authenticate` leaves with a request. */
export interface Authenticated {
  readonly Variables: {
    readonly principal: Principal | Anonymous;
    readonly peer: Peer;
  };
}

export interface AuthenticateDeps {
  readonly principals: Principals;
  peer(context: Context): Peer;
  nowMs(): number;
  readonly failedTries?: FailedTries;
}

const TOUCH_MS = 60_000;
const KNOWN_GOOD = 1000;
const RETRY_SECONDS = 5;

/**
 * Who sends a request: whoever's token it shows (`Authorization: Bearer`, or the password of `Basic`, which is all that pip
 * and git can send), and nobody where it shows none. A token that is not good ends the request, also one for what anybody
 * may see. Errors are problem+json.
 *
 * A token is looked up by its hash: what a stranger could learn from the time it takes is about the hash of a text that
 * it chose, which leads to no other. An address that fails too often is asked to wait, but a token that was good lately
 * is looked up all the same: a neighbour behind the same address locks nobody out.
 */
export function authenticate(deps: AuthenticateDeps): MiddlewareHandler<Authenticated> {
  const tokens = new Tokens(deps);
  return async (context, next) => {
    const peer = deps.peer(context);
    context.set("peer", peer);
    const header = context.req.header("authorization");
    const found = header === undefined ? ANONYMOUS : await tokens.principalOf(header, peer);
    if (found instanceof Response) return found;
    context.set("principal", found);
    await next();
    return undefined;
  };
}

class Tokens {
  readonly #deps: AuthenticateDeps;
  readonly #failed: FailedTries;
  /** Hashes of tokens that were good, the latest last. They prove nothing: each is looked up again. */
  readonly #good = new Set<string>();

  constructor(deps: AuthenticateDeps) {
    this.#deps = deps;
    this.#failed = deps.failedTries ?? new FailedTries();
  }

  async principalOf(header: string, peer: Peer): Promise<Principal | Response> {
    if (!peer.encrypted && !isLoopback(peer.address))
      return problem({
        status: 403,
        detail:
          "a token was sent without encryption, and may be known by others now: revoke it, make another, and send that by https",
      });
    const nowMs = this.#deps.nowMs();
    const text = tokenIn(header);
    const token = text === null ? null : readToken(text);
    const waitSeconds = this.#failed.waitSeconds(peer.address, nowMs);
    if (waitSeconds > 0 && (token === null || !this.#good.has(token.sha256)))
      return problem({
        status: 429,
        detail: "this address has shown too many tokens that are not good",
        headers: { "retry-after": String(waitSeconds) },
      });
    if (token === null)
      return this.#fail(peer, nowMs, "what was sent is no token, or was mistyped or cut");
    let principal: Principal | null;
    try {
      principal = await this.#deps.principals.findByHash(token.sha256);
    } catch {
      return problem({
        status: 503,
        detail: "the farm can't look tokens up at present: try again",
        headers: { "retry-after": String(RETRY_SECONDS) },
      });
    }
    if (principal === null) return this.#fail(peer, nowMs, "this token is nobody's");
    const { revokedAtMs, expiresAtMs } = principal;
    if (revokedAtMs !== null && revokedAtMs <= nowMs)
      return this.#fail(peer, nowMs, "this token was revoked");
    if (expiresAtMs !== null && expiresAtMs <= nowMs)
      return this.#fail(peer, nowMs, "this token has expired");
    this.#remember(token.sha256);
    await this.#touch(principal, nowMs);
    return principal;
  }

  #fail(peer: Peer, nowMs: number, detail: string): Response {
    this.#failed.note(peer.address, nowMs);
    return problem({ status: 401, detail, headers: CHALLENGE });
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

const CHALLENGE = { "www-authenticate": 'Bearer realm="creamery"' };

/** Null for what has no token's form. */
function tokenIn(header: string): string | null {
  const bearer = /^bearer ([\x21-\x7e]{1,200})$/iu.exec(header)?.[1];
  if (bearer !== undefined) return bearer;
  const basic = /^basic ([A-Za-z0-9+/]{1,600}={0,2})$/iu.exec(header)?.[1];
  if (basic === undefined) return null;
  const pair = Buffer.from(basic, "base64").toString("latin1");
  const at = pair.indexOf(":");
  return at < 0 ? null : pair.slice(at + 1);
}

/** Whether who was authenticated may do something, by the one table (model/authorise.ts). */
export function permit(
  context: Context<Authenticated>,
  action: Action,
  subject: Subject,
  nowMs: number,
): Allowed | NotAllowed {
  return authorise(context.get("principal"), action, subject, nowMs);
}

/** The answer to who may not. */
export function refusal({ status, reason }: NotAllowed): Response {
  return problem({ status, detail: reason, ...(status === 401 ? { headers: CHALLENGE } : {}) });
}
