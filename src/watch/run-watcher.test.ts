import { expect, test } from "vitest";

import { CreameryError } from "../base/errors.ts";
import { backoffMs } from "./backoff.ts";
import type { WatchEvent } from "./event.ts";
import { parseRetryAfter, RetryLater } from "./retry-later.ts";
import { runWatcher, type WatcherHealth } from "./run-watcher.ts";
import { runTrial, ShakyMemory, TRIAL_BEGIN } from "./trial.sample.ts";
import { WatchMemoryInProcess } from "./watch-memory.ts";
import type { Poll, Watcher } from "./watcher.ts";

const released = (version: string): WatchEvent => ({
  kind: "released",
  project: "mine",
  version,
  uploadedAt: null,
});

/** Counts on, an event for each number. */
function counting(fail: (count: number) => CreameryError | null = () => null): Watcher {
  return {
    name: "counting",
    poll: async (state): Promise<Poll> => {
      const count = Number(state.get("cursor") ?? 0) + 1;
      const fault = fail(count);
      if (fault !== null) throw fault;
      return {
        events: [released(String(count))],
        changes: new Map([["cursor", String(count)]]),
        nextPollMs: 1000,
        lagMs: 0,
        notes: [],
        fault: null,
      };
    },
  };
}

function versionsIn(memory: WatchMemoryInProcess): string[] {
  return memory.events.map((event) => (event.kind === "released" ? event.version : ""));
}

test("each event is kept once, in order, through restarts", async () => {
  const memory = new WatchMemoryInProcess();
  const make = () => counting();
  await runTrial({ make, memory, steps: [], restarts: [2500, 2600, 7000], endsAt: 9500 });
  const versions = versionsIn(memory);
  expect(versions.length).toBeGreaterThanOrEqual(9);
  expect(versions).toEqual(versions.map((_, index) => String(index + 1)));
});

test("a commit that failed is made again, one of which only the answer was lost is not", async () => {
  const memory = new ShakyMemory();
  const answers = ["before", "after", "after", "before", "well", "after"] as const;
  let commits = 0;
  memory.failing(() => answers[commits++ % answers.length] ?? "well");
  await runTrial({ make: () => counting(), memory, steps: [], endsAt: 200_000 });
  const versions = versionsIn(memory.inner);
  expect(commits).toBeGreaterThan(20);
  expect(versions).toEqual(versions.map((_, index) => String(index + 1)));
});

test("of two processes that watch the same, each event is one's", async () => {
  const memory = new WatchMemoryInProcess();
  const make = () => counting();
  await Promise.all([
    runTrial({ make, memory, steps: [], endsAt: 30_000 }),
    runTrial({ make, memory, steps: [], endsAt: 30_000 }),
  ]);
  const versions = versionsIn(memory);
  expect(versions).toEqual(versions.map((_, index) => String(index + 1)));
});

test("an upstream that is down is asked less and less often, and its health says so until it is back", async () => {
  const memory = new WatchMemoryInProcess();
  const seen: (WatcherHealth & { at: number })[] = [];
  let down = true;
  await runTrial({
    make: () => counting(() => (down ? new CreameryError("no-network", "is down") : null)),
    memory,
    steps: [{ at: 100_000, act: () => (down = false) }],
    endsAt: 250_000,
    onHealth: (health, now) => seen.push({ ...health, at: now }),
  });
  const failing = seen.filter(({ consecutiveFailures }) => consecutiveFailures > 0);
  expect(failing.map(({ nextPollAt, at }) => nextPollAt - at)).toEqual(
    [1500, 3000, 6000, 12_000, 24_000, 48_000, 96_000].slice(0, failing.length),
  );
  expect(failing.length).toBeGreaterThan(4);
  expect(failing[0]?.lastSuccessAt).toBeNull();
  expect(failing[0]?.fault).toMatch(/is down/u);
  expect(seen.at(-1)).toMatchObject({ consecutiveFailures: 0, fault: null });
  expect(seen.at(-1)?.lastSuccessAt).toBeGreaterThanOrEqual(TRIAL_BEGIN + 100_000);
});

test("an upstream that asks for time gets it", async () => {
  let asked = 0;
  await runTrial({
    make: () => counting(() => (asked++ === 0 ? new RetryLater("answers 429", 120_000) : null)),
    memory: new WatchMemoryInProcess(),
    steps: [],
    endsAt: 119_000,
  });
  expect(asked).toBe(1);
});

test("what was found is kept although something else could not be asked, and counts as a failure", async () => {
  const memory = new WatchMemoryInProcess();
  const seen: WatcherHealth[] = [];
  const whole = counting();
  await runTrial({
    make: () => ({
      name: "half",
      poll: async (state, signal) => ({
        ...(await whole.poll(state, signal)),
        fault: new RetryLater("answers 429", 500_000),
      }),
    }),
    memory,
    steps: [],
    endsAt: 400_000,
    onHealth: (health) => seen.push(health),
  });
  expect(versionsIn(memory)).toEqual(["1"]);
  expect(seen[0]).toMatchObject({ consecutiveFailures: 1, events: 1 });
});

test("the signal ends a poll that hangs, and that is no failure", async () => {
  const controller = new AbortController();
  const seen: WatcherHealth[] = [];
  const running = runWatcher(
    {
      name: "hanging",
      poll: (_state, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
    },
    {
      memory: new WatchMemoryInProcess(),
      signal: controller.signal,
      onHealth: (health) => seen.push(health),
    },
  );
  setTimeout(() => controller.abort(), 20);
  await running;
  expect(seen).toEqual([]);
});

test("a poll that hangs ends at its deadline", async () => {
  const controller = new AbortController();
  const seen: WatcherHealth[] = [];
  await runWatcher(
    {
      name: "hanging",
      poll: (_state, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
    },
    {
      memory: new WatchMemoryInProcess(),
      signal: controller.signal,
      pollDeadlineMs: 20,
      onHealth: (health) => {
        seen.push(health);
        controller.abort();
      },
    },
  );
  expect(seen).toMatchObject([{ consecutiveFailures: 1 }]);
});

test("pauses double up to a quarter of an hour, with chance in them, and are never shorter than asked for", () => {
  expect([1, 2, 3, 20].map((failures) => backoffMs(failures, null, 1))).toEqual([
    2000, 4000, 8000, 900_000,
  ]);
  expect(backoffMs(1, null, 0)).toBe(1000);
  expect(backoffMs(1, 60_000, 0)).toBe(60_000);
  expect(backoffMs(30, 60_000, 0)).toBe(450_000);
});

test("Retry-After is seconds or a date, and an hour at most", () => {
  const now = Date.UTC(2026, 10, 24, 10);
  expect(parseRetryAfter("120", now)).toBe(120_000);
  expect(parseRetryAfter("Tue, 24 Nov 2026 10:00:30 GMT", now)).toBe(30_000);
  expect(parseRetryAfter("Tue, 24 Nov 2026 09:00:30 GMT", now)).toBe(0);
  expect(parseRetryAfter("999999999", now)).toBe(3_600_000);
  for (const none of [undefined, "", "soon", "-5", "1e9"])
    expect(parseRetryAfter(none, now)).toBeNull();
});
