import { expect, it, vi } from "vitest";

import { within } from "./within.ts";

const pending = new Promise<never>(() => undefined);
const reason = new Error("given up");

it("gives what the work gives, or throws what it throws", async () => {
  const { signal } = new AbortController();
  expect(await within(Promise.resolve(7), { signal })).toBe(7);
  await expect(within(Promise.reject(new Error("broke")), {})).rejects.toThrow("broke");
});

it("ends by the signal with its reason, and tells that first", async () => {
  const giving = new AbortController();
  const onAbort = vi.fn<() => void>();
  const waiting = within(pending, { signal: giving.signal, onAbort });
  giving.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  expect(onAbort).toHaveBeenCalledTimes(1);
});

it("ends by a signal that was aborted before, whatever the work does", async () => {
  const signal = AbortSignal.abort(reason);
  await expect(within(pending, { signal })).rejects.toBe(reason);
  await expect(within(Promise.reject(new Error("broke")), { signal })).rejects.toBe(reason);
});

it("ends at its deadline with that error, made only then", async () => {
  const error = vi.fn<() => Error>(() => new Error("late"));
  await expect(within(pending, { deadline: { ms: 10, error } })).rejects.toThrow("late");
  await within(Promise.resolve(1), { deadline: { ms: 10, error } });
  expect(error).toHaveBeenCalledTimes(1);
});
