import fc from "fast-check";
import { expect, test } from "vitest";

import { startChangeFeeds, type ChangeFeedsOptions } from "../../../test/upstream/change-feeds.ts";
import { ChangeHistory, sdist, wheel } from "../../../test/upstream/change-history.ts";
import type { WatchClock } from "../clock.ts";
import {
  Reader,
  runTrial,
  sampleIndex,
  ShakyMemory,
  TRIAL_BEGIN,
  type Step,
} from "../trial.sample.ts";
import type { Watcher, WatchNote } from "../watcher.ts";
import { SimplePagesWatcher, type SimplePagesOptions } from "./simple-pages-watcher.ts";

const FULL = (process.env["CREAMERY_TEST_FULL"] ?? "") !== "";
const MINUTE = 60_000;

/** An index of ours with a history, and a watcher's maker. */
async function setUp(
  projects: readonly string[],
  feeds: Partial<ChangeFeedsOptions> = {},
  more: Partial<SimplePagesOptions> = {},
) {
  let now = (): number => TRIAL_BEGIN;
  const history = new ChangeHistory({ now: () => now() });
  const upstream = await startChangeFeeds({ history, ...feeds });
  const index = await sampleIndex(upstream.url);
  const make = (clock: WatchClock): Watcher => {
    now = () => clock.now();
    return new SimplePagesWatcher({ ...index, projects, now: () => clock.now(), ...more });
  };
  const memory = new ShakyMemory();
  return {
    history,
    upstream,
    make,
    memory,
    events: memory.inner.events,
    [Symbol.asyncDispose]: async () => {
      index[Symbol.dispose]();
      await upstream[Symbol.asyncDispose]();
    },
  };
}

const KINDS: readonly (readonly [string, Partial<ChangeFeedsOptions>])[] = [
  ["ETags", { etag: true }],
  ["Last-Modified", { lastModified: true }],
  ["neither", {}],
  ["ETags and serials", { etag: true, serials: true }],
  ["HTML alone", { format: "html" }],
];

test.each(KINDS)("an index with %s: everything that happens is told once", async (_, feeds) => {
  await using it = await setUp(["a", "b"], feeds, { requestsPerSecond: 0.2 });
  const { history } = it;
  history.release("a", "1.0");
  history.release("b", "1.0");
  await runTrial({
    ...it,
    steps: [
      { at: 20_000, act: () => history.release("a", "1.1") },
      { at: 40_000, act: () => history.addFile("a", "1.1", wheel("a", "1.1")) },
      { at: 60_000, act: () => history.yank("a", "1.1", "broken") },
      { at: 80_000, act: () => history.removeRelease("b", "1.0") },
      { at: 100_000, act: () => history.quarantine("a") },
    ],
    restarts: [50_000, 70_000],
    endsAt: 30 * MINUTE,
  });
  // Where no serial vouches for it, the removal is told last.
  expect(it.events.map(({ kind }) => kind).toSorted()).toEqual([
    "files-added",
    "quarantined",
    "release-removed",
    "released",
    "yanked",
  ]);
  // Each change is sent once, and once more what has to be confirmed; the rest is 304.
  const conditional = feeds.etag === true || feeds.lastModified === true;
  expect(it.upstream.wholePages).toBeLessThan(conditional ? 15 : Infinity);
});

test("a short list is asked every five seconds, evenly, and a new release is told within one round", async () => {
  const projects = ["a", "b", "c", "d"];
  await using it = await setUp(projects, { etag: true });
  for (const project of projects) it.history.release(project, "1.0");
  const released = 60_500;
  const told: number[] = [];
  await runTrial({
    ...it,
    steps: [
      { at: released, act: () => projects.forEach((name) => it.history.release(name, "1.1")) },
    ],
    endsAt: 120_000,
    onHealth: ({ events }, now) => {
      while (told.length < events) told.push(now - TRIAL_BEGIN - released);
    },
  });
  expect(told).toHaveLength(4);
  expect(Math.max(...told)).toBeLessThanOrEqual(5000);
  expect(it.upstream.requests.length).toBeGreaterThanOrEqual(4 * 23);
  expect(it.upstream.requests.length).toBeLessThanOrEqual(4 * 25);
});

test("the first look tells the newest release where it is asked to", async () => {
  await using it = await setUp(["a"], {}, { first: "newest" });
  for (const version of ["1.0", "1.10", "1.9"]) it.history.release("a", version);
  await runTrial({ ...it, steps: [], restarts: [20_000], endsAt: 60_000 });
  expect(it.events).toMatchObject([{ kind: "released", version: "1.10" }]);
});

test("a project that can't be asked holds up no other, and is asked less often", async () => {
  await using it = await setUp(["a", "b", "c"], { etag: true }, { requestsPerSecond: 0.3 });
  const failures: number[] = [];
  const notes: WatchNote[] = [];
  for (const name of ["a", "b", "c"]) it.history.release(name, "1.0");
  it.upstream.faults.push({ on: "/simple/a/", kind: "status", status: 500 });
  await runTrial({
    ...it,
    steps: [
      { at: 30_000, act: () => it.history.release("b", "1.1") },
      { at: 31_000, act: () => it.history.release("a", "1.1") },
      { at: 20 * MINUTE, act: () => it.upstream.faults.splice(0) },
      { at: 21 * MINUTE, act: () => it.history.release("a", "1.2") },
    ],
    endsAt: 40 * MINUTE,
    onNote: (note) => notes.push(note),
    onHealth: ({ consecutiveFailures }) => failures.push(consecutiveFailures),
  });
  // One of three is no index that is down: nobody else is asked less often for it.
  expect(Math.max(...failures)).toBe(0);
  // 1.1 came while it was down, before its first look: it is a part of the beginning.
  expect(it.events).toMatchObject([
    { project: "b", version: "1.1" },
    { project: "a", version: "1.2" },
  ]);
  expect(notes).toMatchObject([{ kind: "failing", project: "a" }]);
});

test("an index that is down, cuts its answers or says 429 is left in peace, and nothing of the time is lost", async () => {
  await using it = await setUp(["a", "b"], { etag: true }, { requestsPerSecond: 0.2 });
  it.history.release("a", "1.0");
  it.history.release("b", "1.0");
  const { faults, requests } = it.upstream;
  let asked = 0;
  await runTrial({
    ...it,
    steps: [
      { at: 1 * MINUTE, act: () => faults.push({ on: "/", kind: "down" }) },
      { at: 1 * MINUTE + 1, act: () => it.history.release("a", "1.1") },
      { at: 5 * MINUTE, act: () => faults.splice(0, 1, { on: "/", kind: "cut" }) },
      { at: 9 * MINUTE, act: () => faults.splice(0) },
      {
        at: 30 * MINUTE,
        act: () => {
          asked = requests.length;
          faults.push({ on: "/", kind: "status", status: 429, retryAfter: "600", times: 1 });
        },
      },
      { at: 30 * MINUTE + 1, act: () => it.history.release("b", "1.1") },
      {
        at: 39 * MINUTE,
        act: () => {
          asked = requests.length - asked;
        },
      },
    ],
    endsAt: 60 * MINUTE,
  });
  expect(it.events).toMatchObject([
    { project: "a", version: "1.1" },
    { project: "b", version: "1.1" },
  ]);
  expect(asked).toBe(1);
});

test("an edge that is stale makes nothing of it, whichever answers, with serials and without", async () => {
  for (const feeds of [{ etag: true, serials: true }, { etag: true }, {}]) {
    await using it = await setUp(["a"], feeds, { requestsPerSecond: 0.1 });
    it.history.release("a", "1.0");
    const stale = it.history.lastSerial;
    let turn = 0;
    await runTrial({
      ...it,
      steps: [
        { at: 1 * MINUTE, act: () => it.history.release("a", "1.1") },
        {
          at: 1 * MINUTE,
          act: () => (it.upstream.edge = () => (turn++ % 3 === 0 ? stale : Infinity)),
        },
        // For as long as edges keep a page, this one alone answers.
        { at: 20 * MINUTE, act: () => (it.upstream.edge = () => stale) },
        { at: 30 * MINUTE, act: () => (it.upstream.edge = () => Infinity) },
      ],
      endsAt: 60 * MINUTE,
    });
    expect(it.events).toMatchObject([{ kind: "released", version: "1.1" }]);
  }
});

test("what is watched no more is forgotten, and begins anew with the present", async () => {
  await using it = await setUp(["a", "b"]);
  it.history.release("a", "1.0");
  it.history.release("b", "1.0");
  await runTrial({ ...it, steps: [], endsAt: MINUTE });
  const index = await sampleIndex(it.upstream.url);
  const only = (projects: readonly string[]) => (clock: WatchClock) =>
    new SimplePagesWatcher({ ...index, projects, now: () => clock.now() });
  it.history.release("a", "1.1");
  await runTrial({ ...it, make: only(["b"]), steps: [], endsAt: MINUTE });
  expect([
    ...(
      await it.memory.load(only(["b"])({ now: () => 0, sleep: async () => undefined }).name)
    ).state.keys(),
  ]).toEqual(["page:b"]);
  await runTrial({ ...it, make: only(["A", "a", "b"]), steps: [], endsAt: MINUTE });
  index[Symbol.dispose]();
  expect(it.events).toEqual([]);
});

test("what was found and not kept is looked at again at once, not a round later", async () => {
  const projects = Array.from({ length: 2000 }, (_, index) => `p${index}`);
  await using it = await setUp(projects, { etag: true });
  for (const name of projects) it.history.release(name, "1.0");
  let failing = false;
  it.memory.failing(() => (failing ? "before" : "well"));
  const round = 500_000;
  const told: number[] = [];
  await runTrial({
    ...it,
    steps: [
      { at: round + 1000, act: () => projects.forEach((name) => it.history.release(name, "1.1")) },
      { at: round + 1000, act: () => (failing = true) },
      { at: round + 10_000, act: () => (failing = false) },
    ],
    endsAt: round + 60_000,
    onHealth: ({ events }, now) => {
      if (events > 0) told.push(now - TRIAL_BEGIN - round);
    },
  });
  const reader = new Reader(it.events);
  expect(reader.tooMany).toEqual([]);
  // All that were due until now: none of those that failed waits for its next round.
  expect(it.events.length).toBeGreaterThanOrEqual(4 * 45);
});

/** When the first round is over. */
const BEGUN = 5 * MINUTE;
type Change = readonly [minutes: number, what: number, project: number, version: number];

test(
  "whatever happens, and whatever fails, a reader hears it once",
  { timeout: 600_000 },
  async () => {
    const anyChange = fc.tuple(
      fc.nat({ max: 25 }),
      fc.nat({ max: 9 }),
      fc.nat({ max: 2 }),
      fc.nat({ max: 3 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyChange, { minLength: 1, maxLength: 14 }),
        fc.constantFrom(...KINDS.map(([, feeds]) => feeds)),
        fc.array(fc.nat({ max: 150 }), { maxLength: 4 }),
        fc.array(fc.constantFrom("well", "before", "after"), { maxLength: 30 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 50 }),
        async (changes, feeds, restarts, commits, edges) => {
          await using it = await setUp(["p0", "p1", "p2"], feeds, { requestsPerSecond: 0.01 });
          for (const name of ["p0", "p1", "p2"]) it.history.release(name, "0.1");
          const before = it.history.lastSerial;
          const [steps, quietFrom] = stepsOf(it.history, changes);
          const outcomes = [...commits];
          // Until it is quiet, each answer may come from an edge that has not heard of the last changes.
          let stale = false;
          let turn = 0;
          it.upstream.edge = () => {
            if (!stale || edges[turn++ % edges.length] !== true) return Infinity;
            return Math.max(before, it.history.lastSerial - 3);
          };
          await runTrial({
            ...it,
            steps: [
              {
                // By then each page was looked at: what comes before that is a part of the beginning.
                at: BEGUN,
                act: () => {
                  stale = true;
                  it.memory.failing(() => outcomes.shift() ?? "well");
                },
              },
              ...steps,
              {
                at: quietFrom,
                act: () => {
                  stale = false;
                  outcomes.length = 0;
                },
              },
            ],
            restarts: restarts.map((minutes) => BEGUN + minutes * MINUTE),
            endsAt: quietFrom + 90 * MINUTE,
          });
          const reader = new Reader(it.events);
          expect(reader.tooMany.filter((event) => !event.includes('"0.1"'))).toEqual([]);
          expect(believed(reader)).toEqual(truth(it.history));
        },
      ),
      { numRuns: FULL ? 300 : 40 },
    );
  },
);

/** Changes that make sense, one after the other. */
function stepsOf(
  history: ChangeHistory,
  changes: readonly Change[],
): readonly [readonly Step[], quietFrom: number] {
  let at = BEGUN;
  const steps = changes.map(([minutes, what, number, version]): Step => {
    at += minutes * MINUTE;
    return { at, act: () => change(history, what, `p${number}`, `1.${version}`) };
  });
  return [steps, at + MINUTE];
}

function change(history: ChangeHistory, what: number, project: string, version: string): void {
  const { files, status } = history.page(project);
  const release = files?.filter((file) => file.version === version) ?? [];
  if (status === "quarantined") return what < 5 ? history.unquarantine(project) : undefined;
  // No index takes a file's name twice: what comes again is another file.
  if (release.length === 0)
    return history.release(project, version, [
      sdist(project, version),
      wheel(project, version, `py3-none-any${history.lastSerial}`),
    ]);
  if (what < 2)
    return history.addFile(
      project,
      version,
      wheel(project, version, `cp3${history.lastSerial}-abi3-any`),
    );
  if (what < 5)
    return release[0]?.yanked === null
      ? history.yank(project, version, "because")
      : history.unyank(project, version);
  if (what < 7) return history.removeRelease(project, version);
  if (what < 8) return history.quarantine(project);
  return history.other(project);
}

/** By project and version: is it yanked. What was there at the beginning nobody heard of; what is quarantined nobody sees. */
function truth(history: ChangeHistory): unknown {
  return ["p0", "p1", "p2"].map((name) => {
    const { files, status } = history.page(name);
    const yanks = (files ?? []).map(({ version, yanked }) => [version, yanked !== null] as const);
    return {
      name,
      quarantined: status === "quarantined",
      yanked: Object.fromEntries(
        yanks.filter(([version]) => version !== "0.1" && status === "active"),
      ),
    };
  });
}

function believed(reader: Reader): unknown {
  return ["p0", "p1", "p2"].map((name) => {
    const project = reader.projects.get(name);
    const yanks = [...(project?.releases ?? [])].map(
      ([version, { yanked }]) => [version, yanked] as const,
    );
    return {
      name,
      quarantined: project?.quarantined ?? false,
      yanked: Object.fromEntries(
        yanks.filter(([version]) => version !== "0.1" && project?.quarantined !== true),
      ),
    };
  });
}

test(
  `a round of ${FULL ? "45,000" : "1,500"} projects: each release is told once, and the state is small`,
  { timeout: 1_800_000 },
  async () => {
    const count = FULL ? 45_000 : 1500;
    const projects = Array.from({ length: count }, (_, index) => `project-${index}`);
    await using it = await setUp(projects, { etag: true, serials: true });
    // Twenty files of ten releases each.
    for (const name of projects)
      for (let version = 0; version < 10; version++)
        it.history.release(name, `1.${version}`, [
          sdist(name, `1.${version}`),
          wheel(name, `1.${version}`),
        ]);
    const round = (count / 4) * 1000;
    const released = projects.filter((_, index) => index % 100 === 0);
    await runTrial({
      ...it,
      steps: [
        {
          at: 1.02 * round,
          act: () => released.forEach((name) => it.history.release(name, "2.0")),
        },
      ],
      restarts: [1.01 * round, 1.5 * round],
      endsAt: 3.2 * round,
    });
    expect(
      it.events.map((event) => (event.kind === "released" ? event.project : "")).toSorted(),
    ).toEqual(released.toSorted());
    const kept = await it.memory.load(it.make({ now: () => 0, sleep: async () => undefined }).name);
    let chars = 0;
    for (const [key, text] of kept.state) chars += key.length + text.length;
    expect(kept.state.size).toBe(count);
    expect(chars / count).toBeLessThan(700);
  },
);
