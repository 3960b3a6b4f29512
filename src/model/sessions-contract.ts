import { expect, test } from "vitest";

import { newSessionId, sessionSha256, type Session, type Sessions } from "./sessions.ts";

/** What every kind of `Sessions` does alike; `open` opens an empty one. */
export function sessionsContract(open: () => Promise<Sessions>): void {
  const made = (change: Partial<Session> = {}): Session => ({
    sha256: sessionSha256(newSessionId()) ?? "",
    principal: "aaaaaaaaaaaaaaaa",
    how: "token",
    who: null,
    createdAtMs: 1000,
    expiresAtMs: 9000,
    lastUsedAtMs: 1000,
    ...change,
  });

  test("gives back what was kept, and nothing for another hash", async () => {
    const sessions = await open();
    const one = made();
    const other = made({ how: "oidc", who: '{"sub":"\u202e 漢 \\" %"}' });
    await sessions.create(one);
    await sessions.create(other);
    expect(await sessions.find(one.sha256)).toEqual(one);
    expect(await sessions.find(other.sha256)).toEqual(other);
    for (const wrong of ["", "%", one.sha256.slice(1), one.sha256.toUpperCase()])
      expect(await sessions.find(wrong)).toBeNull();
  });

  test("two can't have the same id", async () => {
    const sessions = await open();
    const one = made();
    await sessions.create(one);
    await expect(sessions.create({ ...one, principal: "b" })).rejects.toMatchObject({
      code: "store",
    });
    expect(await sessions.find(one.sha256)).toEqual(one);
  });

  test("when it was last used never goes back", async () => {
    const sessions = await open();
    const one = made();
    await sessions.create(one);
    await sessions.touch(one.sha256, 3000);
    await sessions.touch(one.sha256, 2000);
    await sessions.touch("nobody's", 2000);
    expect((await sessions.find(one.sha256))?.lastUsedAtMs).toBe(3000);
  });

  test("ends one, or all of a principal, and no others", async () => {
    const sessions = await open();
    const [first, second, third, others] = [
      made({ lastUsedAtMs: 2000 }),
      made({ lastUsedAtMs: 3000 }),
      made(),
      made({ principal: "bbbbbbbbbbbbbbbb" }),
    ];
    for (const session of [first, second, third, others]) await sessions.create(session);
    await sessions.end(third.sha256);
    await sessions.end(third.sha256);
    expect(await sessions.find(third.sha256)).toBeNull();
    expect(await sessions.ofPrincipal(first.principal)).toEqual([second, first]);
    expect(await sessions.endAllOf(first.principal)).toBe(2);
    expect(await sessions.ofPrincipal(first.principal)).toEqual([]);
    expect(await sessions.find(others.sha256)).toEqual(others);
  });

  test("forgets what is over, or was not used for long", async () => {
    const sessions = await open();
    const over = made({ expiresAtMs: 4999, lastUsedAtMs: 4000 });
    const idle = made({ lastUsedAtMs: 2999 });
    const good = made({ expiresAtMs: 5000, lastUsedAtMs: 3000 });
    for (const session of [over, idle, good]) await sessions.create(session);
    expect(await sessions.forget(5000, 3000)).toBe(2);
    expect(await sessions.find(good.sha256)).toEqual(good);
    expect(await sessions.find(over.sha256)).toBeNull();
  });
}
