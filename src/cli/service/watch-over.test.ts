import { describe, expect, test } from "vitest";

import { CreameryError } from "../../base/errors.ts";
import { HostFacts } from "../../queue/hosts.ts";
import type { FarmFacts } from "./farm-facts.ts";
import { statusSource } from "./status-source.ts";
import { FarmStatus } from "../../web/api/schemas/status.ts";
import { WatchOver } from "./watch-over.ts";

const GIB = 1024 ** 3;

/** A farm whose disk and store can be broken. */
function farm() {
  let nowMs = 1_800_000_000_000;
  const state = { freeBytes: 50 * GIB, isAway: false, asked: 0 };
  const told: string[] = [];
  const over = new WatchOver({
    facts: {
      read: async (): Promise<FarmFacts> => {
        state.asked++;
        if (state.isAway) throw new CreameryError("store", "the file is locked");
        return {
          atMs: nowMs,
          lanes: [{ lane: "priority", state: "queued", count: 2, oldestMs: nowMs - 5000 }],
          hosts: [
            {
              id: 1,
              name: "this-host",
              boot: "b",
              state: "active",
              reason: null,
              slots: 2,
              seenMs: nowMs,
              facts: HostFacts.parse({ running: 1 }),
            },
          ],
          latency: { p50: 4, p90: 9, count: 12 },
          watchers: [
            {
              watcher: "simple-pages:0123",
              source: "https://index.example/simple/",
              lastSuccessAt: nowMs - 1000,
              consecutiveFailures: 1,
              fault: "answered 503\nand more",
              lagMs: 2000,
              nextPollAt: nowMs,
              events: 0,
              gaps: 0,
            },
          ],
          disks: [{ what: "data", path: "/d", freeBytes: state.freeBytes, totalBytes: 100 * GIB }],
        };
      },
    },
    database: {
      read: () => Promise.reject(new Error("nothing is dead here: nobody asks")),
    },
    leaseMs: 60_000,
    ownHost: "this-host",
    watermarkBytes: 2 * GIB,
    onAlarm: ({ kind }) => told.push(kind),
    onOver: ({ kind }) => told.push(`${kind} over`),
    now: () => nowMs,
  });
  return {
    state,
    told,
    over,
    status: statusSource({ over, leaseMs: 60_000, version: "0.1.0", now: () => nowMs }),
    later: (ms: number) => {
      nowMs += ms;
      over.houseKept();
    },
  };
}

describe("a farm that is watched over", () => {
  test("tells each alarm once, since when, and when it is over", async () => {
    const { over, state, told, later } = farm();
    expect(await over.trouble()).toBeNull();
    state.freeBytes = GIB;
    later(1000);
    const sinceMs = over.startedMs + 1000;
    expect(await over.trouble()).toMatch(/^\/d has 1\.0 GiB free/u);
    later(90_000);
    await over.look();
    expect(over.alarms).toMatchObject([{ kind: "disk-low", subject: "data", sinceMs }]);
    state.freeBytes = 50 * GIB;
    expect(await over.trouble()).toBeNull();
    expect(told).toEqual(["disk-low", "disk-low over"]);
  });

  test("is in trouble while its store is away", async () => {
    const { over, state } = farm();
    state.isAway = true;
    expect(await over.trouble()).toBe("the store does not answer: the file is locked");
    expect(await over.look()).toBeNull();
  });

  test("shows all of it in the API's own form", async () => {
    const { status, state, later } = farm();
    state.freeBytes = GIB;
    later(3_600_000);
    const shown = await status.status(new AbortController().signal);
    expect(FarmStatus.parse(shown)).toEqual(shown);
    expect(shown).toMatchObject({
      watchers: [
        {
          name: "simple-pages",
          source: "https://index.example/simple/",
          state: "failing",
          lagSeconds: 2,
          lastFailure: "answered 503\\nand more",
        },
      ],
      hosts: [{ name: "this-host", running: 1, isLost: false }],
      latency: { p90: 9 },
      alarms: [{ kind: "disk-low" }],
    });
    expect(shown.queue.find(({ lane }) => lane === "priority")).toMatchObject({ queued: 2 });
    expect(shown.queue.find(({ lane }) => lane === "rest")).toMatchObject({ oldestAt: null });
  });

  test("has no status to show while its store is away, and says why", async () => {
    const { status, state } = farm();
    state.isAway = true;
    await expect(status.status(new AbortController().signal)).rejects.toMatchObject({
      code: "store",
    });
  });
});
