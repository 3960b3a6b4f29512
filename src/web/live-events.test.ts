import { expect, test } from "vitest";

import { LiveEvents, type Heard, type LiveBounds, type Reading } from "./live-events.ts";

const everything = (): Reading => ({ sees: () => true, signal: new AbortController().signal });
const attempt = (id: string, visibility: "public" | "private" = "public") => ({
  attempt: id,
  job: null,
  project: "six",
  visibility,
  configuration: "cpython-3.13",
});
const log = (text: string) => ({ kind: "log", text }) as const;

async function all(heard: AsyncGenerator<Heard, void>): Promise<Heard[]> {
  const list: Heard[] = [];
  for await (const one of heard) list.push(one);
  return list;
}

const kinds = (heard: readonly Heard[]) =>
  heard.map((one) => (one.kind === "event" ? one.event.name : one.kind));

function hub(bounds: Partial<LiveBounds> = {}) {
  const clock = { nowMs: 0 };
  return { clock, live: new LiveEvents(bounds, () => clock.nowMs) };
}

test("a reader that is too slow is told how much it missed, and costs nothing meanwhile", async () => {
  const { live } = hub({ channelEvents: 10 });
  live.begin(attempt("a"));
  const reading = live.ofAttempt("a", everything());
  expect((await reading.next()).value).toMatchObject({ kind: "event" });
  for (let at = 0; at < 50; at++) live.publish("a", log(`${at}`));
  expect(await all(reading)).toEqual([{ kind: "missed", count: 40 }]);
});

test("no more text is kept than the bound, however long a piece is", async () => {
  const { live } = hub({ channelChars: 1000 });
  live.begin(attempt("a"));
  for (let at = 0; at < 100; at++) live.publish("a", log("x".repeat(90)));
  live.publish("a", log("y".repeat(300_000)));
  live.end("a", "pass");
  const heard = await all(live.ofAttempt("a", everything()));
  expect(JSON.stringify(heard).length).toBeLessThan(70_000);
  expect(kinds(heard).at(-1)).toBe("ended");
});

test("what a reader may not see is not told", async () => {
  const { live } = hub();
  const reading = live.ofFarm({
    ...everything(),
    sees: ({ visibility }) => visibility === "public",
  });
  const first = reading.next();
  for (const [id, visibility] of [
    ["hidden", "private"],
    ["shown", "public"],
  ] as const)
    live.changed({
      kind: "attempt",
      id,
      project: "six",
      visibility,
      configuration: "cpython-3.13",
      outcome: "pass",
    });
  expect((await first).value).toMatchObject({ event: { name: "attempt", data: { id: "shown" } } });
  await reading.return();
  expect(live.readers).toBe(0);
});

test("an attempt that was never begun, or has ended, takes nothing", () => {
  const { live } = hub();
  expect(live.publish("a", log("x"))).toBe(false);
  live.begin(attempt("a"));
  expect(live.publish("a", log("x"))).toBe(true);
  live.end("a", "pass");
  live.end("a", "pass");
  expect(live.publish("a", log("x"))).toBe(false);
});

test("what has ended is there for a while for who comes late, and then no more", async () => {
  const { live, clock } = hub({ lingerMs: 1000 });
  live.begin(attempt("a"));
  live.end("a", "pass");
  expect(kinds(await all(live.ofAttempt("a", everything())))).toEqual(["begun", "ended", "ended"]);
  clock.nowMs = 1001;
  live.begin(attempt("b"));
  expect(live.ownerOf("a")).toBeNull();
});

test("of too many the one that was written to longest ago is given up, and its readers hear the end", async () => {
  const { live } = hub({ channels: 3 });
  live.begin(attempt("a"));
  const reading = all(live.ofAttempt("a", everything()));
  for (const id of ["b", "c", "d", "e"]) live.begin(attempt(id));
  expect(live.channels).toBe(3);
  expect(kinds(await reading).at(-1)).toBe("ended");
});

test("a reader that leaves is gone at once, also while nothing comes", async () => {
  const { live } = hub();
  const left = new AbortController();
  const reading = all(live.ofAttempt("a", { ...everything(), signal: left.signal }));
  await Promise.resolve();
  expect(live.readers).toBe(1);
  left.abort();
  await reading;
  expect([live.readers, live.channels]).toEqual([0, 0]);
});

test("all that is followed ends with the farm", async () => {
  const { live } = hub();
  live.begin(attempt("a"));
  const readings = [all(live.ofAttempt("a", everything())), all(live.ofFarm(everything()))];
  await Promise.resolve();
  live[Symbol.dispose]();
  expect((await Promise.all(readings)).map((heard) => heard.at(-1)?.kind)).toEqual([
    "ended",
    "ended",
  ]);
});
