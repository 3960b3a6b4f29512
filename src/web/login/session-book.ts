import { isInForce, type Principal, type Principals, type Scope } from "../../model/principals.ts";
import {
  formTokenOf,
  isSessionOver,
  newSessionId,
  SESSION_BOUNDS,
  sessionSha256,
  type Session,
  type Sessions,
  type SessionWay,
} from "../../model/sessions.ts";

export interface SessionBookDeps {
  readonly sessions: Sessions;
  readonly principals: Principals;
  /** What somebody of a provider may do by the configuration of now; null where nobody logs in so any more. */
  readonly scopesOf?: (who: string) => readonly Scope[] | null;
  readonly nowMs: () => number;
}

/** A session that is good, as it stands in the context of a request. */
export interface OpenSession extends Session {
  /** For the forms of the pages that are made within it. */
  readonly formToken: string;
}

export interface SessionUse {
  readonly session: OpenSession;
  readonly principal: Principal;
}

const TOUCH_MS = 60_000;

/** Begins, finds and ends sessions. A session is never good for more than its principal is at that moment. */
export class SessionBook {
  readonly #deps: SessionBookDeps;

  constructor(deps: SessionBookDeps) {
    this.#deps = deps;
  }

  /** @returns the id, for the browser alone. @throws CreameryError `store`. */
  async begin(principal: Principal, how: SessionWay, who: string | null = null): Promise<string> {
    const id = newSessionId();
    const nowMs = this.#deps.nowMs();
    await this.#deps.sessions.create({
      sha256: sessionSha256(id) ?? "",
      principal: principal.id,
      how,
      who,
      createdAtMs: nowMs,
      expiresAtMs: Math.min(nowMs + SESSION_BOUNDS.longestMs, principal.expiresAtMs ?? Infinity),
      lastUsedAtMs: nowMs,
    });
    return id;
  }

  /** By the id of a cookie; null where it is nobody's, over, or its principal's time is. @throws CreameryError `store`. */
  async use(id: string): Promise<SessionUse | null> {
    const found = await this.look(id);
    if (found === null) return null;
    const nowMs = this.#deps.nowMs();
    const { sha256, lastUsedAtMs } = found.session;
    // Worth less than the request itself.
    if (nowMs - lastUsedAtMs >= TOUCH_MS)
      await this.#deps.sessions.touch(sha256, nowMs).catch(() => undefined);
    return found;
  }

  /** As `use`, but looking does not keep it from being over. */
  async look(id: string): Promise<SessionUse | null> {
    const { sessions, principals, nowMs } = this.#deps;
    const sha256 = sessionSha256(id);
    const session = sha256 === null ? null : await sessions.find(sha256);
    if (session === null || isSessionOver(session, nowMs())) return null;
    const principal = await principals.find(session.principal);
    if (principal === null || !isInForce(principal, nowMs())) return null;
    const scopes = this.#scopesOf(session, principal);
    if (scopes === null) return null;
    return {
      session: { ...session, formToken: formTokenOf(id) },
      principal: { ...principal, scopes },
    };
  }

  async end({ sha256 }: Pick<Session, "sha256">): Promise<void> {
    await this.#deps.sessions.end(sha256);
  }

  /** @returns how many there were. */
  async endAllOf(principal: string): Promise<number> {
    return await this.#deps.sessions.endAllOf(principal);
  }

  /** Those that are good still. */
  async ofPrincipal(principal: string): Promise<readonly Session[]> {
    const all = await this.#deps.sessions.ofPrincipal(principal);
    return all.filter((session) => !isSessionOver(session, this.#deps.nowMs()));
  }

  /** Removes what is over. */
  async forget(nowMs: number): Promise<void> {
    await this.#deps.sessions.forget(nowMs, nowMs - SESSION_BOUNDS.idleMs);
  }

  /** Who lost a group or stands no more in the configuration has lost what it gave, at once. */
  #scopesOf({ how, who }: Session, principal: Principal): readonly Scope[] | null {
    switch (how) {
      case "token":
        return principal.scopes;
      case "oidc":
        return who === null ? null : (this.#deps.scopesOf?.(who) ?? null);
    }
  }
}
