import { expect, it } from "vitest";

import { GuestPool, type GuestSource } from "./guest-pool.ts";
import type { GuestSpec } from "./machine.ts";

const spec: GuestSpec = { imageId: "i", memoryBytes: 1, cpuSeconds: 1, pids: 1, diskBytes: 1 };
const never = new AbortController().signal;

interface Fake {
  readonly number: number;
  usable: boolean;
}

interface FakeGuest {
  readonly id: string;
  readonly startMs: number;
  stop(): Promise<void>;
}

interface Seen {
  prepared: number;
  readonly discarded: number[];
  readonly stopped: number[];
}

/** A machine kind whose guests are numbers. */
function source(changes: Partial<GuestSource<Fake, FakeGuest>> = {}) {
  const seen: Seen = { prepared: 0, discarded: [], stopped: [] };
  const fake: GuestSource<Fake, FakeGuest> = {
    prepare: () => Promise.resolve({ number: ++seen.prepared, usable: true }),
    isUsable: ({ usable }) => usable,
    complete: ({ number }, waitedMs) =>
      Promise.resolve({
        id: `g${number}`,
        startMs: waitedMs() ?? -1,
        stop: () => {
          seen.stopped.push(number);
          return Promise.resolve();
        },
      }),
    discard: ({ number }) => {
      seen.discarded.push(number);
      return Promise.resolve();
    },
    capacity: () => Number.POSITIVE_INFINITY,
    ...changes,
  };
  return { seen, pool: new GuestPool<Fake, FakeGuest>(fake) };
}

it("hands out each prepared one once, and fills up behind", async () => {
  const { pool, seen } = source();
  pool.keepReady(spec, 2);
  const guests = await Promise.all([1, 2, 3].map(() => pool.start(spec, never)));
  expect(new Set(guests.map(({ id }) => id)).size).toBe(3);
  expect(guests.every(({ startMs }) => startMs >= 0)).toBe(true);
  expect(seen.prepared).toBe(5);
});

it("prepares one for who asks where none waits, and of each spec its own", async () => {
  const { pool } = source();
  pool.startAhead(spec, 1);
  expect((await pool.start({ ...spec, pids: 2 }, never)).startMs).toBe(-1);
  expect((await pool.start(spec, never)).id).toBe("g1");
});

it("keeps no more than there is room for", () => {
  const { pool, seen } = source({ capacity: () => 2 });
  pool.keepReady(spec, 10);
  expect(seen.prepared).toBe(2);
});

it("passes over one that died while it waited, and one that never came", async () => {
  const fakes: Fake[] = [];
  const { pool, seen } = source({
    prepare: () => {
      const fake = { number: fakes.length + 1, usable: true };
      fakes.push(fake);
      return fake.number === 1 ? Promise.reject(new Error("no")) : Promise.resolve(fake);
    },
  });
  pool.startAhead(spec, 3);
  await Promise.resolve();
  const [, second] = fakes;
  if (second !== undefined) second.usable = false;
  expect((await pool.start(spec, never)).id).toBe("g3");
  expect(seen.discarded).toEqual([2]);
});

it("gives back what is too much, and stops all at its end", async () => {
  const { pool, seen } = source();
  pool.keepReady(spec, 3);
  pool.keepReady(spec, 1);
  await pool.start(spec, never);
  await pool[Symbol.asyncDispose]();
  expect(seen.stopped).toEqual([1]);
  expect(seen.discarded.toSorted((left, right) => left - right)).toEqual([2, 3, 4]);
});

it("starts nothing for who has given up", async () => {
  const { pool, seen } = source();
  const reason = new Error("given up");
  await expect(pool.start(spec, AbortSignal.abort(reason))).rejects.toBe(reason);
  expect(seen.prepared).toBe(0);
});

it("whoever gives up does not wait for one on its way, which is discarded when it comes", async () => {
  const coming = Promise.withResolvers<Fake>();
  const { pool, seen } = source({ prepare: () => coming.promise });
  pool.startAhead(spec, 1);
  const giveUp = new AbortController();
  const started = pool.start(spec, giveUp.signal);
  giveUp.abort(new Error("given up"));
  await expect(started).rejects.toThrow("given up");
  coming.resolve({ number: 7, usable: true });
  await pool[Symbol.asyncDispose]();
  expect(seen.discarded).toEqual([7]);
});
