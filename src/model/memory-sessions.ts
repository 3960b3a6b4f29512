import { CreameryError } from "../base/errors.ts";
import type { Session, Sessions } from "./sessions.ts";

/** Sessions that a process forgets with its end, for tests. */
export class MemorySessions implements Sessions {
  readonly #kept = new Map<string, Session>();

  create(session: Session): Promise<void> {
    if (this.#kept.has(session.sha256))
      return Promise.reject(new CreameryError("store", "another session has this id"));
    this.#kept.set(session.sha256, session);
    return Promise.resolve();
  }

  find(sha256: string): Promise<Session | null> {
    return Promise.resolve(this.#kept.get(sha256) ?? null);
  }

  ofPrincipal(principal: string): Promise<readonly Session[]> {
    const own = [...this.#kept.values()].filter((session) => session.principal === principal);
    return Promise.resolve(
      own.toSorted(
        (left, right) =>
          right.lastUsedAtMs - left.lastUsedAtMs || (left.sha256 < right.sha256 ? -1 : 1),
      ),
    );
  }

  touch(sha256: string, atMs: number): Promise<void> {
    const kept = this.#kept.get(sha256);
    if (kept !== undefined)
      this.#kept.set(sha256, { ...kept, lastUsedAtMs: Math.max(kept.lastUsedAtMs, atMs) });
    return Promise.resolve();
  }

  end(sha256: string): Promise<void> {
    this.#kept.delete(sha256);
    return Promise.resolve();
  }

  endAllOf(principal: string): Promise<number> {
    return Promise.resolve(this.#remove((session) => session.principal === principal));
  }

  forget(overBeforeMs: number, usedBeforeMs: number): Promise<number> {
    return Promise.resolve(
      this.#remove(
        ({ expiresAtMs, lastUsedAtMs }) =>
          expiresAtMs < overBeforeMs || lastUsedAtMs < usedBeforeMs,
      ),
    );
  }

  #remove(of: (session: Session) => boolean): number {
    const gone = [...this.#kept.values()].filter(of);
    for (const { sha256 } of gone) this.#kept.delete(sha256);
    return gone.length;
  }
}
