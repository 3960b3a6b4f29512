import fc from "fast-check";
import { expect, test } from "vitest";

import { startChangeFeeds, type ChangeFeedsOptions } from "../../../test/upstream/change-feeds.ts";
import { ChangeHistory, sdist, wheel } from "../../../test/upstream/change-history.ts";
import type { WatchClock } from "../clock.ts";
import type { WatchEvent } from "../event.ts";
import { feedAddresses } from "../feed-addresses.ts";
import type { WatcherHealth } from "../run-watcher.ts";
import { Reader, runTrial, sampleIndex, ShakyMemory, TRIAL_BEGIN } from "../trial.sample.ts";
import type { Watcher, WatchNote } from "../watcher.ts";
import { ChangelogWatcher, type ChangelogOptions } from "./changelog-watcher.ts";

const FULL = (process.env["CREAMERY_TEST_FULL"] ?? "") !== "";
const MINUTE = 60_000;

async function setUp(
  feeds: Partial<ChangeFeedsOptions> = {},
  more: Partial<ChangelogOptions> = {},
  gap: () => number = () => 0,
) {
  let now = (): number => TRIAL_BEGIN;
  const history = new ChangeHistory({ now: () => now(), gap });
  const upstream = await startChangeFeeds({
    history,
    feeds: ["changelog"],
    serials: true,
    ...feeds,
  });
  const index = await sampleIndex(upstream.url);
  const url = feedAddresses(index.client.upstream)?.changelog ?? "";
  const make = (clock: WatchClock): Watcher => {
    now = () => clock.now();
    return new ChangelogWatcher({ ...index, url, now: () => clock.now(), ...more });
  };
  const memory = new ShakyMemory();
  const notes: WatchNote[] = [];
  const health: (WatcherHealth & { readonly pauseMs: number })[] = [];
  return {
    history,
    upstream,
    make,
    memory,
    notes,
    health,
    events: memory.inner.events,
    onNote: (note: WatchNote) => void notes.push(note),
    onHealth: (one: WatcherHealth, at: number) =>
      void health.push({ ...one, pauseMs: one.nextPollAt - at }),
    /** The time of the history runs otherwise than the watcher's. */
    setTime: (time: () => number) => {
      now = time;
    },
    [Symbol.asyncDispose]: async () => {
      index[Symbol.dispose]();
      await upstream[Symbol.asyncDispose]();
    },
  };
}

const kinds = (events: readonly WatchEvent[]): string[] =>
  events.map((event) => `${event.kind}${"version" in event ? ` ${event.version}` : ""}`);

test("begins with the present, and tells what comes after: several actions of a release are one event", async () => {
  await using it = await setUp();
  it.history.release("old", "1.0");
  await runTrial({
    ...it,
    steps: [
      {
        at: 2.5 * MINUTE,
        act: () => {
          it.history.other("My.Project", "create");
          it.history.release("My.Project", "v1.0", ["my_project-1.0.tar.gz"]);
          it.history.addFile("My.Project", "v1.0", "my_project-1.0-py3-none-any.whl");
        },
      },
      {
        at: 4.5 * MINUTE,
        act: () =>
          it.history.addFile("My.Project", "v1.0", "my_project-1.0-cp313-cp313-linux_x86_64.whl"),
      },
      { at: 6.5 * MINUTE, act: () => it.history.yank("My.Project", "v1.0", "never told here") },
      { at: 7.5 * MINUTE, act: () => it.history.unyank("My.Project", "v1.0") },
      { at: 8.5 * MINUTE, act: () => it.history.removeRelease("My.Project", "v1.0") },
      { at: 9.5 * MINUTE, act: () => it.history.quarantine("My.Project") },
      { at: 10.5 * MINUTE, act: () => it.history.unquarantine("My.Project") },
      { at: 11.5 * MINUTE, act: () => it.history.removeProject("My.Project") },
    ],
    endsAt: 15 * MINUTE,
  });
  // The project's page is asked for by its normalised name, which this one is not kept by: it is waited for in vain.
  expect(it.notes.some(({ kind }) => kind === "set-aside")).toBe(true);
  await runTrial({ ...it, steps: [], endsAt: 90 * MINUTE });
  expect(it.events[0]).toEqual({
    kind: "released",
    project: "my-project",
    version: "1.0",
    uploadedAt: new Date(TRIAL_BEGIN + 2.5 * MINUTE).toISOString(),
    files: [
      "my_project-1.0.tar.gz",
      "my_project-1.0-py3-none-any.whl",
      "my_project-1.0-cp313-cp313-linux_x86_64.whl",
    ],
  });
  expect(kinds(it.events)).toEqual([
    "released 1.0",
    "yanked 1.0",
    "unyanked 1.0",
    "release-removed 1.0",
    "quarantined",
    "unquarantined",
    "project-removed",
  ]);
});

test("a project whose page is older than the journal is set aside, in its own order, and holds up no other", async () => {
  await using it = await setUp();
  it.history.release("slow", "0.9");
  const stale = it.history.lastSerial;
  it.upstream.edge = (project) => (project === "slow" ? stale : Infinity);
  const told: (readonly [minutes: number, events: number])[] = [];
  await runTrial({
    ...it,
    steps: [
      { at: 2.5 * MINUTE, act: () => it.history.release("slow", "1.0") },
      { at: 2.6 * MINUTE, act: () => it.history.release("quick", "1.0") },
      { at: 4.5 * MINUTE, act: () => it.history.yank("slow", "1.0") },
      { at: 20 * MINUTE, act: () => (it.upstream.edge = () => Infinity) },
    ],
    restarts: [10 * MINUTE],
    endsAt: 40 * MINUTE,
    onHealth: ({ events }, now) => told.push([(now - TRIAL_BEGIN) / MINUTE, events]),
  });
  expect(
    it.events.map((event) => `${"project" in event ? event.project : ""} ${event.kind}`),
  ).toEqual(["quick released", "slow released", "slow yanked"]);
  expect(told.find(([, events]) => events > 0)?.[0]).toBeLessThan(4);
  expect(it.notes.filter(({ kind }) => kind === "set-aside")).toMatchObject([{ project: "slow" }]);
});

test("a page that never shows it is waited for an hour", async () => {
  await using it = await setUp();
  it.upstream.edge = () => 0;
  const told: number[] = [];
  await runTrial({
    ...it,
    steps: [{ at: 2.5 * MINUTE, act: () => it.history.release("a", "1.0") }],
    endsAt: 90 * MINUTE,
    onHealth: ({ events }, now) => {
      if (events === 1) told.push((now - TRIAL_BEGIN) / MINUTE);
    },
  });
  expect(kinds(it.events)).toEqual(["released 1.0"]);
  expect(told[0]).toBeGreaterThan(60);
  expect(told[0]).toBeLessThan(75);
  expect(it.notes.map(({ kind }) => kind)).toEqual(["set-aside", "gave-up-waiting"]);
});

test("an index that says no serials on its pages is believed at once", async () => {
  await using it = await setUp({ serials: false });
  it.upstream.edge = (project) => (project === "b" ? Infinity : 1e9);
  await runTrial({
    ...it,
    steps: [{ at: 2.5 * MINUTE, act: () => it.history.release("a", "1.0") }],
    endsAt: 5 * MINUTE,
  });
  expect(kinds(it.events)).toEqual(["released 1.0"]);
});

test("only the projects that are wanted are asked for and told", async () => {
  await using it = await setUp({}, { wants: (project) => project === "a" });
  await runTrial({
    ...it,
    steps: [
      { at: 2.5 * MINUTE, act: () => it.history.release("a", "1.0") },
      { at: 2.5 * MINUTE, act: () => it.history.release("b", "1.0") },
    ],
    endsAt: 5 * MINUTE,
  });
  expect(it.events).toMatchObject([{ project: "a" }]);
  expect(it.upstream.requests.filter((line) => line.includes("/simple/b/"))).toEqual([]);
});

test("rows that turn up late, below others that were told, are told too, and once", async () => {
  await using it = await setUp();
  const { history } = it;
  await runTrial({
    ...it,
    steps: [
      { at: 2.5 * MINUTE, act: () => history.hiding(() => history.release("late", "1.0")) },
      { at: 2.6 * MINUTE, act: () => history.release("a", "1.0") },
      { at: 4.5 * MINUTE, act: () => history.release("a", "1.1") },
      { at: 6.5 * MINUTE, act: () => history.reveal() },
    ],
    restarts: [5 * MINUTE, 7 * MINUTE],
    endsAt: 20 * MINUTE,
  });
  expect(it.events).toMatchObject([{ project: "a" }, { project: "a" }, { project: "late" }]);
});

test("an answer that is cut to fewer rows than are looked back at loses nothing", async () => {
  await using it = await setUp({ maxRows: 7 });
  await runTrial({
    ...it,
    steps: Array.from({ length: 40 }, (_, index) => ({
      at: 2.5 * MINUTE + index,
      act: () => it.history.release(`p${index}`, "1.0"),
    })),
    endsAt: 40 * MINUTE,
  });
  expect(new Set(it.events.map((event) => ("project" in event ? event.project : ""))).size).toBe(
    40,
  );
  expect(new Reader(it.events).tooMany).toEqual([]);
});

test("times that run backwards change nothing", async () => {
  await using it = await setUp();
  let time = TRIAL_BEGIN;
  const later = (ms: number, act: () => void) => () => {
    time += ms;
    it.setTime(() => time);
    act();
  };
  await runTrial({
    ...it,
    steps: [
      { at: 2.5 * MINUTE, act: later(5 * MINUTE, () => it.history.release("a", "1.0")) },
      { at: 2.6 * MINUTE, act: later(-3 * MINUTE, () => it.history.release("a", "1.1")) },
      { at: 3.5 * MINUTE, act: later(-60 * MINUTE, () => it.history.release("b", "1.0")) },
      { at: 4.5 * MINUTE, act: later(1e9, () => it.history.release("c", "1.0")) },
    ],
    endsAt: 10 * MINUTE,
  });
  expect(kinds(it.events).toSorted()).toEqual([
    "released 1.0",
    "released 1.0",
    "released 1.0",
    "released 1.1",
  ]);
});

test("an old copy of the journal that answers is no news, and its lag is told", async () => {
  await using it = await setUp();
  await runTrial({
    ...it,
    steps: [
      { at: 2.5 * MINUTE, act: () => it.history.release("a", "1.0") },
      {
        at: 4.5 * MINUTE,
        act: () => {
          const old = it.history.lastSerial - 1;
          it.upstream.replica = () => old;
        },
      },
      { at: 6.5 * MINUTE, act: () => it.history.release("a", "1.1") },
      { at: 20 * MINUTE, act: () => (it.upstream.replica = () => Infinity) },
    ],
    endsAt: 30 * MINUTE,
  });
  expect(kinds(it.events)).toEqual(["released 1.0", "released 1.1"]);
  expect(it.notes.map(({ kind }) => kind)).toEqual(["behind"]);
});

test("an index that counts anew is watched from there after an hour, and the gap is told", async () => {
  await using it = await setUp();
  it.history.release("a", "1.0");
  await runTrial({ ...it, steps: [], endsAt: 3 * MINUTE });
  const { rows } = await restarted(it);
  expect(rows).toEqual(["released 2.0"]);
  expect(it.notes.map(({ kind }) => kind)).toEqual(["behind", "gap"]);
  expect(it.health.at(-1)).toMatchObject({ gaps: 1 });
});

/** The journal begins at a low serial again. */
async function restarted(it: Awaited<ReturnType<typeof setUp>>): Promise<{ rows: string[] }> {
  it.upstream.replica = () => 5;
  await runTrial({
    ...it,
    steps: [
      {
        at: 70 * MINUTE,
        act: () => {
          it.upstream.replica = () => Infinity;
          it.history.release("a", "2.0");
        },
      },
    ],
    endsAt: 80 * MINUTE,
  });
  return { rows: kinds(it.events).slice(-1) };
}

test("an upstream that is down, throttles by a fault, or sends garbage is left in peace, and nothing is lost", async () => {
  await using it = await setUp();
  const { faults, requests } = it.upstream;
  const asked: number[] = [];
  await runTrial({
    ...it,
    steps: [
      { at: 2.5 * MINUTE, act: () => it.history.release("a", "1.0") },
      { at: 2.6 * MINUTE, act: () => faults.push({ on: "/pypi", kind: "rpc-fault" }) },
      { at: 12 * MINUTE, act: () => faults.splice(0, 1, { on: "/pypi", kind: "garbage" }) },
      { at: 22 * MINUTE, act: () => faults.splice(0, 1, { on: "/pypi", kind: "cut" }) },
      { at: 32 * MINUTE, act: () => faults.splice(0, 1, { on: "/pypi", kind: "down" }) },
      {
        at: 60 * MINUTE,
        act: () => {
          asked.push(requests.length);
          faults.splice(0);
        },
      },
      { at: 61 * MINUTE, act: () => it.history.release("a", "1.1") },
    ],
    restarts: [25 * MINUTE],
    endsAt: 100 * MINUTE,
  });
  expect(kinds(it.events)).toEqual(["released 1.0", "released 1.1"]);
  // An hour of faults: a handful of requests, and not one a minute.
  expect(asked[0]).toBeLessThan(35);
  const throttled = it.health.filter(({ fault }) => fault?.includes("-32500") === true);
  expect(Math.min(...throttled.map(({ pauseMs }) => pauseMs))).toBeGreaterThanOrEqual(30_000);
});

test.each([
  [
    "no list",
    "<methodResponse><params><param><value><int>1</int></value></param></params></methodResponse>",
  ],
  [
    "rows of another form",
    "<methodResponse><params><param><value><array><data><value><array><data><value><int>1</int></value></data></array></value></data></array></value></param></params></methodResponse>",
  ],
  ["entities", "<!DOCTYPE a [<!ENTITY x 'y'>]><methodResponse/>"],
  ["depth", `${"<value>".repeat(5000)}${"</value>".repeat(5000)}`],
  ["a prototype", "<methodResponse><__proto__>1</__proto__></methodResponse>"],
])("%s in place of an answer is a fault that is told, and changes nothing", async (_, body) => {
  await using it = await setUp();
  await runTrial({
    ...it,
    steps: [
      {
        at: 2.5 * MINUTE,
        act: () => it.upstream.faults.push({ on: "/pypi", kind: "garbage", body }),
      },
      { at: 3 * MINUTE, act: () => it.history.release("a", "1.0") },
      { at: 5 * MINUTE, act: () => it.upstream.faults.splice(0) },
    ],
    endsAt: 20 * MINUTE,
  });
  expect(it.health.some(({ consecutiveFailures }) => consecutiveFailures > 0)).toBe(true);
  expect(kinds(it.events)).toEqual(["released 1.0"]);
});

test("names, versions and files that can be none are nobody's", async () => {
  await using it = await setUp();
  await runTrial({
    ...it,
    steps: [
      {
        at: 2.5 * MINUTE,
        act: () => {
          it.history.release("../../etc", "1.0");
          it.history.release("<b>&amp;", "1.0");
          it.history.release("a", "no version");
          it.history.release("a", "1.0", ["../a-1.0.tar.gz"]);
        },
      },
    ],
    endsAt: 10 * MINUTE,
  });
  expect(it.events).toMatchObject([{ project: "a", version: "1.0" }]);
  expect(it.events[0]).not.toHaveProperty("files");
});

test(
  "whatever happens, and whatever fails, each row of the journal is told once",
  { timeout: 600_000 },
  async () => {
    const anyChange = fc.record({
      minutes: fc.double({ min: 0, max: 4, noNaN: true }),
      what: fc.nat({ max: 9 }),
      project: fc.nat({ max: 3 }),
      late: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyChange, { minLength: 1, maxLength: 25 }),
        fc.array(fc.nat({ max: 90 }), { maxLength: 4 }),
        fc.array(fc.constantFrom("well", "before", "after"), { maxLength: 30 }),
        fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 20 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }),
        fc.constantFrom(4, 50_000),
        async (changes, restarts, commits, gaps, edges, maxRows) => {
          let turn = 0;
          await using it = await setUp(
            { maxRows },
            { intervalMs: 3 * MINUTE },
            () => gaps[turn++ % gaps.length] ?? 0,
          );
          const { history } = it;
          const first = history.lastSerial;
          let version = 0;
          let at = 3 * MINUTE;
          const steps = changes.map(({ minutes, what, project, late }) => {
            at += minutes * MINUTE;
            const act = (): void => {
              const change = (): void => {
                const name = `p${project}`;
                const files = history.page(name).files ?? [];
                const [one] = files;
                if (one === undefined || what < 4) history.release(name, `1.${version++}`);
                else if (what < 6)
                  history.addFile(
                    name,
                    one.version,
                    wheel(name, one.version, `cp3${version++}-abi3-any`),
                  );
                else if (what < 8 && one.yanked === null) history.yank(name, one.version);
                else history.other(name);
              };
              if (late) history.hiding(change);
              else {
                change();
                history.reveal();
              }
            };
            return { at, act };
          });
          const outcomes = [...commits];
          let edge = 0;
          const stale = (): boolean => edges[edge++ % edges.length] === true && edge < 100;
          it.upstream.edge = () => (stale() ? history.lastSerial - 3 : Infinity);
          it.upstream.replica = () => (stale() ? history.lastSerial - 5 : Infinity);
          await runTrial({
            ...it,
            steps: [
              {
                // By then it is known where the journal begins: what comes before that is never told.
                at: MINUTE,
                act: () => it.memory.failing(() => outcomes.shift() ?? "well"),
              },
              ...steps,
              {
                at: at + 1,
                act: () => {
                  history.reveal();
                  outcomes.length = 0;
                },
              },
            ],
            restarts: restarts.map((minutes) => minutes * MINUTE),
            endsAt: at + 180 * MINUTE,
          });
          expect(new Reader(it.events).tooMany).toEqual([]);
          expect(actionsOf(it.events)).toEqual(
            history.journal
              .filter(({ serial }) => serial > first)
              .flatMap(({ project, version: of, action }) =>
                action.startsWith("add Owner")
                  ? []
                  : [`${project} ${of} ${action.replace(/^add \S+ file/u, "file")}`],
              )
              .toSorted(),
          );
        },
      ),
      { numRuns: FULL ? 300 : 40 },
    );
  },
);

/** The actions that events are made of. */
function actionsOf(events: readonly WatchEvent[]): string[] {
  return events
    .flatMap((event) => {
      if (event.kind === "yanked") return [`${event.project} ${event.version} yank release`];
      if (event.kind !== "released" && event.kind !== "files-added") return [event.kind];
      const files = event.files ?? [];
      return [
        ...(event.kind === "released" ? [`${event.project} ${event.version} new release`] : []),
        ...files.map((file) => `${event.project} ${event.version} file ${file}`),
      ];
    })
    .toSorted();
}

test(
  `after a long time away ${FULL ? "120,000" : "3,000"} rows come in pieces, each once, and their pages are not asked for`,
  { timeout: 600_000 },
  async () => {
    const [count, maxRows] = FULL ? [60_000, 50_000] : [1500, 1000];
    await using it = await setUp({ maxRows });
    await runTrial({ ...it, steps: [], endsAt: 3 * MINUTE });
    let time = TRIAL_BEGIN;
    it.setTime(() => (time += MINUTE));
    for (let index = 0; index < count; index++)
      it.history.release(`p${index % 45_000}`, `1.${index}`, [sdist("p", `1.${index}`)]);
    const before = it.upstream.requests.length;
    const { history, upstream, memory, onNote } = it;
    await runTrial({
      make: (clock) => {
        const watcher = it.make(clock);
        it.setTime(() => time);
        return watcher;
      },
      memory,
      onNote,
      steps: [],
      endsAt: 60 * MINUTE,
    });
    expect(history.journal).toHaveLength(2 * count);
    expect(new Set(it.events.map((event) => ("version" in event ? event.version : ""))).size).toBe(
      count,
    );
    expect(
      upstream.requests.slice(before).filter((line) => line.startsWith("HEAD")).length,
    ).toBeLessThan(60);
  },
);
