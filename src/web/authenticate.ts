import type { Context, MiddlewareHandler } from "hono";

import {
  authorise,
  type Action,
  type Allowed,
  type NotAllowed,
  type Subject,
} from "../model/authorise.ts";
import { ANONYMOUS, isInForce, type Anonymous, type Principal } from "../model/principals.ts";
import type { Peer } from "./client-address.ts";
import type { OpenSession, SessionBook } from "./login/session-book.ts";
import { readCookie } from "./login/session-cookie.ts";
import { problem } from "./problem.ts";
import { TokenCheck, type TokenCheckDeps } from "./token-check.ts";

/** What `authenticate` leaves with a request. */
export interface Authenticated {
  readonly Variables: {
    readonly principal: Principal | Anonymous;
    readonly peer: Peer;
    /** Null where no browser's cookie showed who asks. */
    readonly session: OpenSession | null;
    /** Who it is by now, for what outlives the moment; null where what was shown is good no more. */
    readonly again: () => Promise<Principal | Anonymous | null>;
  };
}

/** A request of whoever was authenticated, whatever else is known of it. */
export type Asked = Pick<Context<Authenticated>, "get" | "req">;

export interface AuthenticateDeps extends TokenCheckDeps {
  readonly peer: (context: Context) => Peer;
  /** One for all that is mounted, where there are several. */
  readonly tokens?: TokenCheck;
  /** Who logged in with a browser: known by its cookie where no token is shown. */
  readonly sessions?: {
    readonly book: SessionBook;
    /** `safe`: a cookie alone changes nothing, as other sites can have it sent; `all`: each form has a token of its own. */
    readonly methods: "safe" | "all";
  };
}

const RETRY_SECONDS = 5;

/**
 * Who sends a request: whoever's token it shows (`Authorization: Bearer`, or the password of `Basic`, which is all that pip
 * and git can send); else whoever logged in with the browser whose cookie it shows; and nobody where it shows neither. A token
 * that is not good ends the request, also one for what anybody may see; a cookie that is over counts for nothing. Errors are
 * problem+json.
 */
export function authenticate(deps: AuthenticateDeps): MiddlewareHandler<Authenticated> {
  const tokens = deps.tokens ?? new TokenCheck(deps);
  return async (context, next) => {
    const peer = deps.peer(context);
    context.set("peer", peer);
    const header = context.req.header("authorization");
    const found =
      header === undefined
        ? await fromCookie(context, deps, peer)
        : await fromHeader(header, tokens, deps, peer);
    if (found instanceof Response) return found;
    context.set("principal", found.principal);
    context.set("session", found.session);
    context.set("again", found.again);
    await next();
    return undefined;
  };
}

type Found = Pick<Authenticated["Variables"], "principal" | "session" | "again">;

const NOBODY: Found = {
  principal: ANONYMOUS,
  session: null,
  again: () => Promise.resolve(ANONYMOUS),
};

async function fromHeader(
  header: string,
  tokens: TokenCheck,
  { principals, nowMs }: AuthenticateDeps,
  peer: Peer,
): Promise<Found | Response> {
  const checked = await tokens.check(tokenIn(header), peer);
  if (checked.kind === "good") {
    const { principal } = checked;
    const again = async () => {
      const fresh = await principals.find(principal.id);
      return fresh !== null && isInForce(fresh, nowMs()) ? fresh : null;
    };
    return { principal, session: null, again };
  }
  const { status, detail, waitSeconds } = checked;
  const headers = {
    ...(status === 401 ? CHALLENGE : {}),
    ...(waitSeconds === null ? {} : { "retry-after": String(waitSeconds) }),
  };
  return problem({ status, detail, headers });
}

async function fromCookie(
  context: Context,
  { sessions }: AuthenticateDeps,
  peer: Peer,
): Promise<Found | Response> {
  const id = readCookie(context, "creamery", peer);
  if (sessions === undefined || id === undefined) return NOBODY;
  const isSafe = context.req.method === "GET" || context.req.method === "HEAD";
  if (sessions.methods === "safe" && !isSafe) return NOBODY;
  const { book } = sessions;
  try {
    const use = await book.use(id);
    if (use === null) return NOBODY;
    return { ...use, again: async () => (await book.look(id))?.principal ?? null };
  } catch {
    return problem({
      status: 503,
      detail: "the farm can't look up who is logged in at present: try again",
      headers: { "retry-after": String(RETRY_SECONDS) },
    });
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
  context: Pick<Asked, "get">,
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
