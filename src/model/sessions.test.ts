import { describe, expect, test } from "vitest";

import { MemorySessions } from "./memory-sessions.ts";
import { sessionsContract } from "./sessions-contract.ts";
import {
  formTokenOf,
  isSessionOver,
  newSessionId,
  SESSION_BOUNDS,
  sessionSha256,
} from "./sessions.ts";

describe("in memory", () => {
  sessionsContract(async () => new MemorySessions());
});

test("an id is 256 bits, each another; what is none has no hash", () => {
  const ids = new Set(Array.from({ length: 100 }, newSessionId));
  expect(ids.size).toBe(100);
  for (const id of ids) expect(Buffer.from(id, "base64url")).toHaveLength(32);
  for (const none of ["", "x", `${newSessionId()}x`, newSessionId().slice(1), "%".repeat(43)])
    expect(sessionSha256(none)).toBeNull();
});

test("a form's token is of one session alone, and does not show its id", () => {
  const [one, other] = [newSessionId(), newSessionId()];
  expect(formTokenOf(one)).toBe(formTokenOf(one));
  expect(formTokenOf(one)).not.toBe(formTokenOf(other));
  expect(formTokenOf(one)).not.toContain(one);
  expect(formTokenOf(one)).not.toContain(sessionSha256(one));
});

test("is over when it was not used for 12 hours, and after 7 days however much it is used", () => {
  const { idleMs, longestMs } = SESSION_BOUNDS;
  const session = { expiresAtMs: longestMs, lastUsedAtMs: 0 };
  expect(isSessionOver(session, idleMs - 1)).toBe(false);
  expect(isSessionOver(session, idleMs)).toBe(true);
  const used = { expiresAtMs: longestMs, lastUsedAtMs: longestMs - 1 };
  expect(isSessionOver(used, longestMs - 1)).toBe(false);
  expect(isSessionOver(used, longestMs)).toBe(true);
});
