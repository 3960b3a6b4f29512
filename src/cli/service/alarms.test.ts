import { describe, expect, test } from "vitest";

import { HostFacts, type Host } from "../../queue/hosts.ts";
import { alarmsOf, type AlarmInput } from "./alarms.ts";
import type { FarmFacts } from "./farm-facts.ts";
import type { WatchedHealth } from "./watching.ts";

const NOW = 1_800_000_000_000;
const MINUTE = 60_000;
const GIB = 1024 ** 3;

const host = (change: Partial<Host> = {}): Host => ({
  id: 1,
  name: "this-host",
  boot: "b",
  state: "active",
  reason: null,
  slots: 2,
  seenMs: NOW - 10_000,
  facts: HostFacts.parse({}),
  ...change,
});

const watcher = (change: Partial<WatchedHealth> = {}): WatchedHealth => ({
  watcher: "simple-pages:1",
  source: "https://index.example/simple/",
  lastSuccessAt: NOW - 5000,
  consecutiveFailures: 0,
  fault: null,
  lagMs: 0,
  nextPollAt: NOW,
  events: 0,
  gaps: 0,
  ...change,
});

const facts = (change: Partial<FarmFacts> = {}): FarmFacts => ({
  atMs: NOW,
  lanes: [],
  hosts: [host()],
  latency: null,
  watchers: [watcher()],
  disks: [{ what: "data", path: "/var/lib/creamery", freeBytes: 50 * GIB, totalBytes: 99 * GIB }],
  ...change,
});

const told = (change: Partial<AlarmInput> = {}) =>
  alarmsOf({
    facts: facts(),
    storeFault: null,
    nowMs: NOW,
    startedMs: NOW - 60 * MINUTE,
    houseKeptMs: NOW - 5000,
    leaseMs: MINUTE,
    ownHost: "this-host",
    watermarkBytes: 2 * GIB,
    deadLately: 0,
    ...change,
  }).map(({ kind, subject, stopsFarm }) => `${kind} ${subject}${stopsFarm ? "!" : ""}`);

describe("what is wrong with a farm", () => {
  test("is nothing while all is well", () => expect(told()).toEqual([]));

  test.each<[string, Partial<AlarmInput>, readonly string[]]>([
    ["a store that is away", { facts: null, storeFault: "gone" }, ["store !"]],
    ["leases nobody takes back", { houseKeptMs: NOW - 3 * MINUTE }, ["housekeeping-late !"]],
    [
      "its own host out of service",
      { facts: facts({ hosts: [host({ state: "out-of-service", reason: "x" })] }) },
      ["host-out this-host!", "no-hosts !"],
    ],
    [
      "another host out of service, and the farm works on",
      { facts: facts({ hosts: [host(), host({ name: "b", state: "out-of-service" })] }) },
      ["host-out b"],
    ],
    [
      "a host that says nothing for longer than two leases",
      { facts: facts({ hosts: [host(), host({ name: "b", seenMs: NOW - 3 * MINUTE })] }) },
      ["host-lost b"],
    ],
    [
      "a host that was drained and is gone: nothing",
      {
        facts: facts({
          hosts: [host(), host({ name: "b", state: "draining", seenMs: NOW - 3 * MINUTE })],
        }),
      },
      [],
    ],
    [
      "its own worker dead",
      { facts: facts({ hosts: [host({ seenMs: NOW - 3 * MINUTE })] }) },
      ["host-lost this-host!", "no-hosts !"],
    ],
    [
      "the same within the first lease: nothing yet",
      { startedMs: NOW - 30_000, facts: facts({ hosts: [host({ seenMs: NOW - 3 * MINUTE })] }) },
      [],
    ],
    ["no host at all", { facts: facts({ hosts: [] }), ownHost: null }, ["no-hosts !"]],
    [
      "an upstream that has failed twice: nothing",
      { facts: facts({ watchers: [watcher({ consecutiveFailures: 2, fault: "503" })] }) },
      [],
    ],
    [
      "an upstream that fails",
      { facts: facts({ watchers: [watcher({ consecutiveFailures: 3, fault: "503" })] }) },
      ["watcher-failing simple-pages:1"],
    ],
    [
      "an upstream that has failed for long",
      {
        facts: facts({
          watchers: [
            watcher({ consecutiveFailures: 30, fault: "503", lastSuccessAt: NOW - 16 * MINUTE }),
          ],
        }),
      },
      ["watcher-failing simple-pages:1!"],
    ],
    [
      "a full disk",
      {
        facts: facts({
          disks: [{ what: "cache", path: "/c", freeBytes: 2 * GIB - 1, totalBytes: 9 * GIB }],
        }),
      },
      ["disk-low cache!"],
    ],
    ["dead jobs", { deadLately: 3 }, ["jobs-dead "]],
    [
      "what waits too long in a lane that somebody waits for",
      {
        facts: facts({
          lanes: [
            { lane: "manual", state: "queued", count: 4, oldestMs: NOW - 15 * MINUTE },
            { lane: "priority", state: "queued", count: 4, oldestMs: NOW - 59 * MINUTE },
            { lane: "rest", state: "queued", count: 4, oldestMs: NOW - 9000 * MINUTE },
            { lane: "priority", state: "leased", count: 4, oldestMs: NOW - 90 * MINUTE },
          ],
        }),
      },
      ["behind manual"],
    ],
  ])("is told: %s", (_what, change, expected) => {
    expect(told(change)).toEqual(expected);
  });
});
