import { expect, test } from "vitest";

import { PUBLIC_INDEX, type Load } from "./arrivals.ts";
import { simulate, type Claim, type Simulation, type SimulationOptions } from "./simulate.ts";

const SERVICE = {
  mu: Math.log(20),
  sigmaOfProjects: 1,
  sigmaWithin: 0.2,
  skippedShare: 0.05,
  skippedSeconds: 0.1,
  longestSeconds: 1800,
};
const LOAD: Load = {
  ...PUBLIC_INDEX,
  hours: 1,
  releasesPerMinute: 2,
  configurations: 4,
  manualPerHour: 30,
  pushShare: 0.5,
  massRelease: 0,
  retests: false,
};

async function run(
  load: Partial<Load> = {},
  change: Partial<SimulationOptions> = {},
): Promise<Simulation & { readonly claims: readonly Claim[] }> {
  const claims: Claim[] = [];
  const simulation = await simulate({
    load: { ...LOAD, ...load },
    slots: 4,
    service: SERVICE,
    seed: 1,
    signal: new AbortController().signal,
    onClaim: (claim) => claims.push(claim),
    ...change,
  });
  return { ...simulation, claims };
}

const endOf = ({ atMs, seconds }: Claim) => atMs + Math.max(1, Math.round(seconds * 1000));

test.each([
  ["that is idle at times", { releasesPerMinute: 0.2 }, 8],
  ["that is behind", { releasesPerMinute: 6 }, 2],
  ["with a mass release and retests", { massRelease: 200, retests: true }, 4],
])("no job is lost in a farm %s", async (_, load, slots) => {
  const { arrived, states, lanes, claims } = await run(load, { slots });
  const { queued, waiting, leased, done, superseded, dead, cancelled } = states;
  expect(arrived).toBeGreaterThan(20);
  expect(queued + waiting + leased + done + superseded).toBe(arrived);
  expect(dead + cancelled).toBe(0);
  expect(done + leased).toBe(claims.length);
  expect(new Set(claims.map(({ key }) => key)).size).toBe(claims.length);
  expect(Object.values(lanes).reduce((sum, { claimed }) => sum + claimed, 0)).toBe(claims.length);
  expect(Object.values(lanes).reduce((sum, { left }) => sum + left, 0)).toBe(queued);
});

test("the same seed gives the same day, another one another", async () => {
  const [first, again, other] = [await run(), await run(), await run({}, { seed: 2 })];
  expect(again).toEqual(first);
  expect(other.claims).not.toEqual(first.claims);
});

test("no more run than there are slots, and none is idle while something is due", async () => {
  const { claims } = await run({ releasesPerMinute: 6 });
  const waited = claims.filter(({ atMs, dueMs }) => atMs > dueMs);
  expect(waited.length).toBeGreaterThan(50);
  const runningAt = (ms: number) =>
    claims.filter((one) => one.atMs <= ms && endOf(one) > ms).length;
  for (const { atMs } of claims) expect(runningAt(atMs)).toBeLessThanOrEqual(4);
  // All slots are held from when it was due until it was begun.
  for (const { dueMs, atMs } of waited.slice(0, 200)) {
    expect(runningAt(dueMs)).toBe(4);
    expect(runningAt(atMs - 1)).toBe(4);
  }
});

test("a person waits for a slot and for nothing else: no other lane's job is begun meanwhile", async () => {
  const { claims, lanes } = await run({ releasesPerMinute: 6, massRelease: 200, retests: true });
  const manual = claims.filter(({ lane }) => lane === "manual");
  const waited = manual.filter(({ atMs, dueMs }) => atMs > dueMs);
  expect(waited.length).toBeGreaterThan(10);
  for (const { dueMs, atMs } of waited) {
    const meanwhile = claims.filter((one) => one.atMs > dueMs && one.atMs < atMs);
    expect(meanwhile.filter(({ lane }) => lane !== "manual")).toEqual([]);
    // A slot became free at the very instant, so it waited no longer than what ran then took.
    expect(claims.some((one) => endOf(one) === atMs)).toBe(true);
  }
  expect(lanes.manual.left).toBeLessThanOrEqual(3);
});

test("pushes to one branch are begun a cool-down apart", async () => {
  const cooldownMs = 20 * 60_000;
  const { claims, states } = await run(
    { hours: 2, releasesPerMinute: 4, pushShare: 2, configurations: 1 },
    { policy: { cooldownMs }, slots: 60 },
  );
  const pushes = Map.groupBy(
    claims.filter(({ project }) => project.startsWith("repository-")),
    ({ project }) => project,
  );
  const pauses = [...pushes.values()].flatMap((own) =>
    own.slice(1).map(({ dueMs }, index) => dueMs - (own[index]?.dueMs ?? 0)),
  );
  expect(pauses.length).toBeGreaterThan(20);
  for (const pause of pauses) expect(pause).toBeGreaterThanOrEqual(cooldownMs);
  expect(states.waiting).toBeGreaterThan(0);
  // With a slot to spare each is begun at the instant at which its branch has cooled down, whatever else comes.
  for (const { atMs, dueMs } of claims) expect(atMs).toBe(dueMs);
});

test("retests fill what nobody else wants, and are begun when nothing else is due", async () => {
  const { claims, busyShare, lanes } = await run({ releasesPerMinute: 0.5, retests: true });
  expect(lanes.background.claimed).toBeGreaterThan(20);
  expect(busyShare).toBeGreaterThan(0.99);
  const others = claims.filter(({ lane }) => lane !== "background");
  for (const { atMs } of claims.filter(({ lane }) => lane === "background"))
    expect(others.filter((one) => one.dueMs < atMs && one.atMs > atMs)).toEqual([]);
});

test("whether it keeps up shows in what is left", async () => {
  const behind = await run({ releasesPerMinute: 12 });
  expect(behind.keepsUp).toBe(false);
  expect(behind.states.superseded).toBeGreaterThan(0);
  expect(behind.lanes.rest.left).toBeGreaterThan(100);
  expect(behind.busyShare).toBeGreaterThan(0.95);
  const ahead = await run({ releasesPerMinute: 0.3 });
  expect(ahead.keepsUp).toBe(true);
  expect(ahead.busyShare).toBeLessThan(0.6);
});

test("it can be ended", async () => {
  const reason = new Error("enough");
  await expect(run({}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});
