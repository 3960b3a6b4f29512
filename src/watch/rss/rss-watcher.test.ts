import fc from "fast-check";
import { expect, test } from "vitest";

import { startChangeFeeds, type ChangeFeedsOptions } from "../../../test/upstream/change-feeds.ts";
import { ChangeHistory, sdist, wheel } from "../../../test/upstream/change-history.ts";
import type { WatchClock } from "../clock.ts";
import { feedAddresses } from "../feed-addresses.ts";
import type { WatcherHealth } from "../run-watcher.ts";
import { Reader, runTrial, sampleIndex, ShakyMemory, TRIAL_BEGIN } from "../trial.sample.ts";
import type { Watcher, WatchNote } from "../watcher.ts";
import { readFeed } from "./rss-feed.ts";
import { RssWatcher, type RssOptions } from "./rss-watcher.ts";
import { newsOf, type SeenFeed } from "./seen-feed.ts";

const FULL = (process.env["CREAMERY_TEST_FULL"] ?? "") !== "";
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

async function setUp(
  projects: readonly string[],
  feeds: Partial<ChangeFeedsOptions> = {},
  more: Partial<RssOptions> = {},
) {
  let now = (): number => TRIAL_BEGIN;
  const history = new ChangeHistory({ now: () => now() });
  const upstream = await startChangeFeeds({ history, feeds: ["rss"], etag: true, ...feeds });
  const index = await sampleIndex(upstream.url);
  const url = feedAddresses(index.client.upstream)?.updates ?? "";
  const make = (clock: WatchClock): Watcher => {
    now = () => clock.now();
    return new RssWatcher({
      ...index,
      url,
      projects,
      others: "told",
      now: () => clock.now(),
      ...more,
    });
  };
  const memory = new ShakyMemory();
  const notes: WatchNote[] = [];
  const health: WatcherHealth[] = [];
  return {
    history,
    upstream,
    make,
    memory,
    notes,
    health,
    events: memory.inner.events,
    onNote: (note: WatchNote) => void notes.push(note),
    onHealth: (one: WatcherHealth) => void health.push(one),
    [Symbol.asyncDispose]: async () => {
      index[Symbol.dispose]();
      await upstream[Symbol.asyncDispose]();
    },
  };
}

test("a release of a project whose page is looked at is told from its page, another's from the feed, both once", async () => {
  await using it = await setUp(["a", "b"]);
  it.history.release("a", "1.0");
  it.history.release("other", "1.0");
  await runTrial({
    ...it,
    steps: [
      {
        at: 2 * HOUR,
        act: () => it.history.release("a", "1.1", [sdist("a", "1.1"), wheel("a", "1.1")]),
      },
      { at: 2 * HOUR, act: () => it.history.release("other", "1.1") },
      { at: 3 * HOUR, act: () => it.history.yank("a", "1.0", "old") },
    ],
    restarts: [2 * HOUR + 90_000, 2.5 * HOUR],
    endsAt: 5 * HOUR,
  });
  expect(
    it.events
      .map((event) => ("version" in event ? `${event.project} ${event.kind} ${event.version}` : ""))
      .toSorted(),
  ).toEqual(["a released 1.1", "a yanked 1.0", "other released 1.1"]);
  expect(
    it.events.find((event) => event.kind === "released" && event.project === "a"),
  ).toMatchObject({
    files: [sdist("a", "1.1"), wheel("a", "1.1")],
  });
});

test("a release that the feed announces before the project's page was ever looked at is told", async () => {
  await using it = await setUp(["a", "b", "c", "d"], {}, { others: "passed-over" });
  for (const name of ["a", "b", "c", "d"]) it.history.release(name, "1.0");
  await runTrial({
    ...it,
    steps: ["a", "b", "c", "d", "other"].map((name) => ({
      at: 90_000,
      act: () => it.history.release(name, "1.1"),
    })),
    endsAt: 3 * HOUR,
  });
  // The first round began with one of the four: for it the page is compared, for the others it is announced.
  expect(
    it.events
      .map(
        (event) =>
          `${"project" in event ? event.project : ""} ${"version" in event ? event.version : ""}`,
      )
      .toSorted(),
  ).toEqual(["a 1.1", "b 1.1", "c 1.1", "d 1.1"]);
});

test("a page that does not show yet what the feed announced is looked at again", async () => {
  await using it = await setUp(["a"]);
  it.history.release("a", "1.0");
  const stale = it.history.lastSerial;
  const told: number[] = [];
  await runTrial({
    ...it,
    steps: [
      { at: 2 * HOUR, act: () => it.history.release("a", "1.1") },
      { at: 2 * HOUR, act: () => (it.upstream.edge = () => stale) },
      { at: 2 * HOUR + 10 * MINUTE, act: () => (it.upstream.edge = () => Infinity) },
    ],
    endsAt: 4 * HOUR,
    onHealth: ({ events }, now) => {
      if (events > 0) told.push((now - TRIAL_BEGIN) / MINUTE - 120);
    },
  });
  expect(it.events).toMatchObject([{ kind: "released", version: "1.1" }]);
  expect(told[0]).toBeLessThan(17);
  expect(it.notes).toMatchObject([{ kind: "set-aside", project: "a" }]);
});

test("a window that was missed is a gap that is told: all pages are looked at, and nothing of them is lost", async () => {
  const projects = Array.from({ length: 60 }, (_, index) => `p${index}`);
  await using it = await setUp(projects, { rssItems: 10 });
  for (const name of projects) it.history.release(name, "1.0");
  let heard = 0;
  const told: number[] = [];
  await runTrial({
    ...it,
    steps: [
      { at: 2 * HOUR, act: () => it.upstream.faults.push({ on: "/", kind: "down" }) },
      { at: 2 * HOUR + 1, act: () => projects.forEach((name) => it.history.release(name, "1.1")) },
      {
        at: 2 * HOUR + 2,
        act: () => Array.from({ length: 20 }, (_, index) => it.history.release(`o${index}`, "1.0")),
      },
      { at: 2 * HOUR + 5 * MINUTE, act: () => it.upstream.faults.splice(0) },
    ],
    // A process that ends in the midst of it: the next goes on.
    restarts: [2 * HOUR + 7 * MINUTE, 2 * HOUR + 8 * MINUTE],
    endsAt: 4 * HOUR,
    onHealth: (_health, now) => {
      if (it.events.length > heard) told.push((now - TRIAL_BEGIN) / MINUTE - 120);
      heard = it.events.length;
    },
  });
  const ours = it.events.filter((event) => "project" in event && event.project.startsWith("p"));
  expect(ours).toHaveLength(60);
  expect(new Reader(it.events).tooMany).toEqual([]);
  expect(it.notes.filter(({ kind }) => kind === "gap")).toHaveLength(1);
  // Not by and by, as their turns come, but at once.
  expect(told.at(-1)).toBeLessThan(20);
});

test("a feed that is down or garbage holds up no page, and its health says so", async () => {
  await using it = await setUp(["a"]);
  it.history.release("a", "1.0");
  await runTrial({
    ...it,
    steps: [
      { at: 2 * HOUR, act: () => it.upstream.faults.push({ on: "/rss", kind: "garbage" }) },
      { at: 2 * HOUR + 1, act: () => it.history.release("a", "1.1") },
      { at: 4 * HOUR, act: () => it.upstream.faults.splice(0, 1, { on: "/rss", kind: "down" }) },
      { at: 6 * HOUR, act: () => it.upstream.faults.splice(0) },
    ],
    endsAt: 7 * HOUR,
  });
  expect(it.events).toMatchObject([{ kind: "released", project: "a", version: "1.1" }]);
  expect(it.health.some(({ fault }) => fault?.includes("no XML") === true)).toBe(true);
  const feed = it.upstream.requests.filter((line) => line.includes("/rss"));
  expect(feed.length).toBeLessThan(3 * 60 + 2 * 4 * 8);
});

test("an old copy of the feed is no news and no gap", () => {
  const item = (minute: number) => ({
    project: `p${minute}`,
    version: "1.0",
    publishedAt: minute * MINUTE,
  });
  const window = (from: number) => ({
    items: Array.from({ length: 10 }, (_, index) => item(from + index)),
    etag: null,
    modified: null,
  });
  let seen: SeenFeed | null = null;
  for (let from = 100; from < 2000; from += 5) ({ seen } = newsOf(seen, window(from)));
  for (const from of [1995, 1900, 1500, 1100, 500, 100, 50]) {
    const { news, gap } = newsOf(seen, window(from));
    expect([news, gap]).toEqual([[], false]);
  }
  expect(newsOf(seen, window(1998)).news).toHaveLength(3);
  expect(newsOf(seen, window(2050)).gap).toBe(true);
  expect(JSON.stringify(seen).length).toBeLessThan(20_000);
});

test("a release that was removed lets an older one into the window: that is no news", () => {
  const items = [5, 6, 7].map((minute) => ({
    project: "a",
    version: `1.${minute}`,
    publishedAt: minute * MINUTE,
  }));
  const { seen } = newsOf(null, { items, etag: null, modified: null });
  const older = { project: "a", version: "1.4", publishedAt: 4 * MINUTE };
  expect(
    newsOf(seen, { items: [older, ...items.slice(0, 2)], etag: null, modified: null }).news,
  ).toEqual([]);
});

test("items that tell no release are passed over, and what is no RSS is a fault", () => {
  const feed = (items: string): Buffer =>
    Buffer.from(
      `<?xml version="1.0"?><!DOCTYPE rss PUBLIC "-//a//DTD RSS 0.91//EN" "http://index.example/rss.dtd"><rss version="0.91"><channel><title>x</title>${items}</channel></rss>`,
    );
  const item = (title: string, date = "Tue, 24 Nov 2026 10:00:00 GMT"): string =>
    `<item><title>${title}</title><description>&lt;b&gt; &x;</description><pubDate>${date}</pubDate></item>`;
  expect(
    readFeed(
      feed(
        item("My.Project v1.0") +
          item("a added to the index") +
          item("a 1.0", "soon") +
          item("../x 1.0") +
          item("a one") +
          "<item/>",
      ),
      "x",
    ),
  ).toEqual([{ project: "my-project", version: "1.0", publishedAt: Date.UTC(2026, 10, 24, 10) }]);
  expect(readFeed(feed(""), "x")).toEqual([]);
  for (const bad of [
    "",
    "<html></html>",
    "<rss><channel>",
    "{}",
    `<!DOCTYPE a [<!ENTITY x "y">]><rss><channel>&x;</channel></rss>`,
  ])
    expect(() => readFeed(Buffer.from(bad), "x")).toThrow(/sends/u);
});

test(
  "whatever happens, and whatever fails, a reader hears it once",
  { timeout: 600_000 },
  async () => {
    const anyChange = fc.tuple(fc.nat({ max: 20 }), fc.nat({ max: 5 }), fc.nat({ max: 3 }));
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyChange, { minLength: 1, maxLength: 15 }),
        fc.array(fc.nat({ max: 150 }), { maxLength: 4 }),
        fc.array(fc.constantFrom("well", "before", "after"), { maxLength: 30 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }),
        fc.constantFrom(3, 40),
        async (changes, restarts, commits, edges, rssItems) => {
          await using it = await setUp(["p0", "p1", "p2"], { rssItems, serials: true });
          const { history } = it;
          for (const name of ["p0", "p1", "p2", "p3"]) history.release(name, "0.1");
          let [version, at] = [0, 2 * HOUR];
          const steps = changes.map(([minutes, what, number]) => {
            at += minutes * MINUTE;
            const act = (): void => {
              const name = `p${number}`;
              const one = history.page(name).files?.at(-1);
              if (what < 3 || one === undefined) history.release(name, `1.${version++}`);
              else if (what < 4)
                history.addFile(
                  name,
                  one.version,
                  wheel(name, one.version, `cp3${version++}-abi3-any`),
                );
              else if (one.yanked === null) history.yank(name, one.version);
            };
            return { at, act };
          });
          const outcomes = [...commits];
          let [edge, stale] = [0, false];
          const lags = (): boolean => stale && edges[edge++ % edges.length] === true;
          it.upstream.edge = () => (lags() ? history.lastSerial - 3 : Infinity);
          it.upstream.replica = () => (lags() ? history.lastSerial - 3 : Infinity);
          await runTrial({
            ...it,
            steps: [
              {
                at: 1.9 * HOUR,
                act: () => {
                  stale = true;
                  it.memory.failing(() => outcomes.shift() ?? "well");
                },
              },
              ...steps,
              {
                at: at + MINUTE,
                act: () => {
                  stale = false;
                  outcomes.length = 0;
                },
              },
            ],
            restarts: restarts.map((minutes) => 2 * HOUR + minutes * MINUTE),
            endsAt: at + 4 * HOUR,
          });
          const reader = new Reader(it.events);
          expect(reader.tooMany.filter((event) => !event.includes('"0.1"'))).toEqual([]);
          for (const name of ["p0", "p1", "p2"]) {
            const truth = new Map(
              (history.page(name).files ?? []).map(
                (file) => [file.version, file.yanked !== null] as const,
              ),
            );
            const believed = [...(reader.projects.get(name)?.releases ?? [])];
            truth.delete("0.1");
            expect(
              new Map(
                believed.filter(([of]) => of !== "0.1").map(([of, { yanked }]) => [of, yanked]),
              ),
            ).toEqual(truth);
          }
        },
      ),
      { numRuns: FULL ? 200 : 25 },
    );
  },
);
