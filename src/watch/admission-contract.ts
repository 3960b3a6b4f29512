import { expect, test } from "vitest";

import { sampleAttempt } from "../model/result-json.sample.ts";
import type { DependencyKind } from "../python/depends-on.ts";
import { ADMISSION_POLICY, type AdmissionPolicy } from "../queue/admission/admission-policy.ts";
import { ReleaseAdmission } from "../queue/admission/admit.ts";
import { Hosts, HostFacts } from "../queue/hosts.ts";
import type { LeasedJob, RequestedConfiguration } from "../queue/job.ts";
import { jobs } from "../queue/job-views.ts";
import { Queue } from "../queue/queue.ts";
import { newAttemptId } from "../store/attempt-id.ts";
import type { Database } from "../store/database.ts";
import { measuredMeans, newNameCounts, putSeenRelease } from "../store/sql/admission-rows.ts";
import { coverage, notAdmitted } from "../store/sql/coverage.ts";
import { SqlStore } from "../store/sql/sql-store.ts";
import type { WatchEvent } from "./event.ts";
import { planEvents } from "./plan-events.ts";

const HOUR_MS = 3_600_000;
const START_MS = Date.parse("2026-11-02T00:00:00Z");

/** A farm that watches, with a clock and no machine. */
export async function openAdmissionFarm(
  database: Database,
  change: Partial<AdmissionPolicy> = {},
  configurations: readonly RequestedConfiguration[] = [
    { name: "cpython-3.13", lane: "priority" },
    { name: "cpython-3.9", lane: "rest" },
  ],
) {
  const clock = { nowMs: START_MS };
  const now = () => clock.nowMs;
  const queue = new Queue(database, {
    now,
    random: () => 1,
    newId: () => newAttemptId(clock.nowMs),
  });
  const hosts = new Hosts(database, now);
  const policy = { ...ADMISSION_POLICY, ...change };
  const admission = new ReleaseAdmission(policy, now);
  const plan = planEvents({
    queue,
    kind: database.kind,
    configurations: () => configurations,
    projectOf: () => ({ visibility: "public", repository: null }),
    admission,
    now,
  });
  const store = new SqlStore(database);
  const worker = async () =>
    (await hosts.arrive({ name: "one", boot: "1", slots: 1, facts: HostFacts.parse({}) })).host.id;
  return {
    clock,
    queue,
    admission,
    plan,
    store,
    worker,
    watch: (...names: readonly string[]) =>
      database.write((within) =>
        within
          .insertInto("watched")
          .values(names.map((name) => ({ name, since_ms: 0 })))
          .execute(),
      ),
    see: (...events: readonly WatchEvent[]) => database.write((within) => plan(within, events)),
    needs: (project: string, ...names: readonly string[]) =>
      store.recordAttempt({
        attempt: sampleAttempt({ id: newAttemptId(clock.nowMs), project }),
        visibility: "public",
        reason: "manual",
        startedAt: new Date(clock.nowMs).toISOString(),
        results: [],
        dependencies: names.map((name) => ({ name, kind: "run" satisfies DependencyKind })),
      }),
    /** Ends a lease as a worker would. */
    finish: (workerId: number, job: LeasedJob, cause = "test-failure") =>
      queue.finish(workerId, job.attempt, {
        kind: "done",
        recordings: [
          {
            attempt: {
              ...sampleAttempt({ id: job.attempt, project: job.project, version: job.version }),
              configuration: job.configuration,
              ...(job.plan === "smoke"
                ? { outcome: "skip", cause: "smoke-only", tests: null }
                : { cause }),
            },
            visibility: "public",
            reason: job.reason,
            startedAt: new Date(clock.nowMs).toISOString(),
            results: [],
          },
        ],
      }),
    queued: async () =>
      (await database.read((db) => jobs(db, { limit: 10_000 }))).filter(
        ({ state }) => state === "queued",
      ),
    seen: async () =>
      new Map(
        (await database.read((db) => db.selectFrom("seen_release").selectAll().execute())).map(
          (row) => [row.project, row],
        ),
      ),
    coverage: (sinceMs = 0) => database.read((db) => coverage(db, { sinceMs, visibility: "all" })),
    notAdmitted: () => database.read((db) => notAdmitted(db, { sinceMs: 0, limit: 1000 })),
  };
}

export const released = (project: string, version = "1.0"): WatchEvent => ({
  kind: "released",
  project,
  version,
  uploadedAt: null,
});

/** What is admitted, on either database. */
export function admissionContract(open: () => Promise<Database>): void {
  test("with little to do all is tested whole; whoever was named has the lanes of their own", async () => {
    await using database = await open();
    const farm = await openAdmissionFarm(database);
    await farm.watch("*", "mine");
    await farm.see(released("other"), released("mine"));
    const lanes = (await farm.queued()).map((job) => [job.project, job.lane, job.plan]);
    expect(lanes.toSorted((one, other) => (one.join() < other.join() ? -1 : 1))).toEqual([
      ["mine", "priority", "full"],
      ["mine", "rest", "full"],
      ["other", "rest", "full"],
      ["other", "rest", "full"],
    ]);
    expect((await farm.seen()).get("mine")).toMatchObject({ class: "named", decision: "queued" });
    expect((await farm.seen()).get("other")?.reason).toMatch(/nothing known depends on it/u);
  });

  test("what nobody watches leaves no row and no job", async () => {
    await using database = await open();
    const farm = await openAdmissionFarm(database);
    await farm.watch("mine");
    await farm.see(released("other"));
    expect(await farm.queued()).toEqual([]);
    expect((await farm.seen()).size).toBe(0);
  });

  test("the more there is to do, the less of the tail is tested, and of what others need last", async () => {
    await using database = await open();
    const farm = await openAdmissionFarm(database, {
      dependedOnLeast: 2,
      newNamesPerHour: 100_000,
      mostDelayed: 5,
      bounds: { ...ADMISSION_POLICY.bounds, tail: { fullMs: HOUR_MS, smokeMs: 2 * HOUR_MS } },
    });
    await farm.needs("app", "needed");
    await farm.needs("site", "needed");
    await farm.watch("*", "mine");
    // One slot and a minute each: a release takes two minutes whole.
    const names = Array.from({ length: 400 }, (_, index) => `p${index}`);
    for (let start = 0; start < names.length; start += 100) {
      const batch = names.slice(start, start + 100);
      await farm.see(...batch.map((name) => released(name)));
    }
    await farm.see(released("late"), released("needed"), released("mine"));
    const seen = await farm.seen();
    expect(seen.get("p0")).toMatchObject({ class: "tail", decision: "queued" });
    expect(seen.get("p60")).toMatchObject({ class: "tail", decision: "smoke-only" });
    expect(seen.get("late")).toMatchObject({ class: "tail", decision: "not-admitted" });
    expect(seen.get("needed")).toMatchObject({ class: "depended-on", decision: "queued" });
    expect(seen.get("mine")).toMatchObject({ class: "named", decision: "queued" });
    const decisions = [...seen.values()].map(({ decision }) => decision);
    expect(decisions.filter((one) => one === "delayed")).toHaveLength(5);
    expect(seen.size).toBe(names.length + 3);
    const first = await farm.queue.claim({ workerId: await farm.worker(), most: 1 });
    expect(first).toMatchObject([{ project: "mine", plan: "full" }]);
    const found = await farm.coverage();
    expect(found.seen).toBe(names.length + 3);
    expect(Object.values(found.states).reduce((sum, count) => sum + count, 0)).toBe(found.seen);
    expect(found.states["not-admitted"]).toBe(
      decisions.filter((one) => one === "not-admitted").length,
    );
    expect((await farm.notAdmitted())[0]?.reason).toMatch(/5 at most/u);
  }, 120_000);

  test("within one batch those whom most depend on come first", async () => {
    await using database = await open();
    const none = { fullMs: 1, smokeMs: 1 };
    const farm = await openAdmissionFarm(database, {
      dependedOnLeast: 1,
      bounds: { "depended-on": none, tail: none, flood: { fullMs: 0, smokeMs: 0 } },
    });
    await farm.needs("a", "much", "little");
    await farm.needs("b", "much");
    await farm.watch("*");
    await farm.see(released("tail"), released("little"), released("much"));
    const seen = await farm.seen();
    expect(seen.get("much")?.decision).toBe("queued");
    expect(seen.get("little")?.decision).toBe("delayed");
    expect(seen.get("tail")?.decision).toBe("delayed");
  });

  test("a flood of new names comes last, and holds up nobody who was known before", async () => {
    await using database = await open();
    const farm = await openAdmissionFarm(database, {
      newNamesPerHour: 10,
      bounds: { ...ADMISSION_POLICY.bounds, flood: { fullMs: 0, smokeMs: 0 } },
    });
    await farm.watch("*");
    await farm.see(released("known", "1.0"));
    await farm.see(...Array.from({ length: 50 }, (_, index) => released(`spam-${index}`)));
    await farm.see(released("known", "1.1"));
    const classes = [...(await farm.seen()).values()].map((row) => row.class);
    expect(classes.filter((one) => one === "flood")).toHaveLength(41);
    const rows = await database.read((db) =>
      db.selectFrom("seen_release").selectAll().where("project", "=", "known").execute(),
    );
    expect(rows.map((row) => row.class)).toEqual(["tail", "tail"]);
    const flooding = (await farm.queued()).filter((job) => job.lane === "background");
    expect(flooding).toHaveLength(41);
    expect(flooding.every(({ plan }) => plan === "smoke")).toBe(true);
  });

  test("what was delayed and nobody began is recorded as not admitted, and its jobs are cancelled", async () => {
    await using database = await open();
    const delayed = { fullMs: 0, smokeMs: 0 };
    const farm = await openAdmissionFarm(database, {
      bounds: { "depended-on": delayed, tail: delayed, flood: delayed },
    });
    const worker = await farm.worker();
    await farm.watch("*");
    await farm.see(released("begun"), released("never"), released("old"));
    await farm.see(released("old", "1.1"));
    const [job] = await farm.queue.claim({ workerId: worker, most: 1 });
    expect(job).toMatchObject({ project: "begun", lane: "background", plan: "smoke" });
    if (job !== undefined) await farm.finish(worker, job);
    farm.clock.nowMs += 47 * HOUR_MS;
    expect(await farm.admission.settle(database)).toEqual({ notAdmitted: [] });
    farm.clock.nowMs += 2 * HOUR_MS;
    const settled = await farm.admission.settle(database);
    expect(settled.notAdmitted.toSorted()).toEqual(["never==1.0", "old==1.1"]);
    expect(await farm.admission.settle(database)).toEqual({ notAdmitted: [] });
    expect(await farm.queued()).toEqual([]);
    expect(await farm.coverage()).toMatchObject({
      seen: 4,
      states: { "smoke-only": 1, "not-admitted": 2, superseded: 1, waiting: 0 },
    });
    const [told] = await farm.notAdmitted();
    expect(told?.reason).toMatch(/not begun in 49 h/u);
  });

  test("what was begun of a delayed release counts; only what is left of it is cancelled", async () => {
    await using database = await open();
    const delayed = { fullMs: 0, smokeMs: 0 };
    const farm = await openAdmissionFarm(
      database,
      { bounds: { "depended-on": delayed, tail: delayed, flood: delayed } },
      [
        { name: "cpython-3.13", lane: "priority" },
        { name: "pypy-3.11", lane: "priority" },
      ],
    );
    const worker = await farm.worker();
    await farm.watch("*");
    await farm.see(released("half"));
    const [job] = await farm.queue.claim({ workerId: worker, most: 1 });
    if (job !== undefined) await farm.finish(worker, job);
    farm.clock.nowMs += 49 * HOUR_MS;
    expect(await farm.admission.settle(database)).toEqual({ notAdmitted: [] });
    expect(await farm.queued()).toEqual([]);
    expect((await farm.seen()).get("half")).toMatchObject({
      decision: "delayed",
      expires_ms: null,
    });
    expect(await farm.coverage()).toMatchObject({ seen: 1, states: { "smoke-only": 1 } });
  });

  test("a usual hour is one without floods, and nothing is usual before a day is known", async () => {
    await using database = await open();
    const add = (name: string, hour: number, kind: string, isNew = true) =>
      database.write((within) =>
        putSeenRelease(within, {
          project: name,
          version: "1.0",
          seen_ms: START_MS + hour * HOUR_MS,
          class: kind,
          decision: "queued",
          reason: "",
          new_name: isNew ? 1 : 0,
          expires_ms: null,
        }),
      );
    const counts = (hour: number) =>
      database.read((db) => newNameCounts(db, START_MS + hour * HOUR_MS));
    expect(await counts(0)).toEqual({ lastHour: 0, usualHour: null });
    for (let hour = 0; hour < 48; hour++) await add(`new-${hour}`, hour, "tail");
    for (let index = 0; index < 30; index++) await add(`spam-${index}`, 30, "flood");
    await add("known", 47.5, "tail", false);
    expect(await counts(12)).toMatchObject({ usualHour: null });
    const { lastHour, usualHour } = await counts(48);
    expect(lastHour).toBe(0);
    expect(usualHour).toBeCloseTo(48 / 47, 5);
    expect((await counts(47.5)).lastHour).toBe(1);
  });

  test("what a job takes is what jobs took, as soon as enough are known; a damaged row holds nobody up", async () => {
    await using database = await open();
    const farm = await openAdmissionFarm(database);
    const means = () => database.read((db) => measuredMeans(db));
    expect(await means()).toEqual({ fullMs: 60_000, smokeMs: 15_000 });
    for (let index = 0; index < 21; index++) await farm.needs(`p${index}`);
    await database.write((within) =>
      within
        .updateTable("result")
        .set({ detail: Buffer.from([9]) })
        .where(
          "id",
          "=",
          within.selectFrom("result").select(({ fn }) => fn.max("id").as("id")),
        )
        .execute(),
    );
    expect(await means()).toEqual({ fullMs: 2050, smokeMs: 512.5 });
    await farm.watch("*");
    await farm.see(released("one"));
    expect(await farm.queued()).toHaveLength(2);
  });

  test("a release that is seen again is what it was; one that was not admitted gets another look", async () => {
    await using database = await open();
    const farm = await openAdmissionFarm(database, { mostDelayed: 0 });
    const delayed = { fullMs: 0, smokeMs: 0 };
    const full = await openAdmissionFarm(database, {
      mostDelayed: 0,
      bounds: { "depended-on": delayed, tail: delayed, flood: delayed },
    });
    await farm.watch("*");
    await full.see(released("one"));
    expect((await farm.seen()).get("one")?.decision).toBe("not-admitted");
    expect(await farm.queued()).toEqual([]);
    await farm.see(released("one"));
    expect((await farm.seen()).get("one")?.decision).toBe("queued");
    const before = await farm.queued();
    await full.see(released("one"));
    expect((await farm.seen()).get("one")?.decision).toBe("queued");
    expect(await farm.queued()).toEqual(before);
  });

  test("each release that was seen is in one state, and the states add up", async () => {
    await using database = await open();
    const farm = await openAdmissionFarm(database);
    const worker = await farm.worker();
    await farm.watch("full", "faulty", "old", "gone", "waits", "ended", "private");
    await farm.see(
      released("full"),
      released("faulty"),
      released("old"),
      released("gone"),
      released("ended"),
    );
    await farm.see(released("old", "2.0"));
    await farm.see({ kind: "yanked", project: "gone", version: "1.0", reason: "broken" });
    for (const job of await farm.queue.claim({ workerId: worker, most: 20 }))
      if (job.project === "full" || job.project === "old") await farm.finish(worker, job);
      else if (job.project === "faulty") await farm.finish(worker, job, "host");
      else if (job.project === "ended") await farm.queue.cancel(job.key, "by an operator");
    await farm.see(released("waits"));
    const found = await farm.coverage();
    expect(found).toMatchObject({
      seen: 7,
      states: {
        full: 2,
        "smoke-only": 0,
        waiting: 1,
        superseded: 1,
        withdrawn: 1,
        "not-admitted": 0,
        "no-verdict": 2,
      },
    });
    expect(await farm.coverage(farm.clock.nowMs + 1)).toMatchObject({ seen: 0, classes: [] });
  });

  test("a release after which others are to be tested again is noted once, a pre-release not at all", async () => {
    await using database = await open();
    const farm = await openAdmissionFarm(database);
    await farm.needs("app", "numpy");
    await farm.watch("*");
    await farm.see(released("numpy", "2.4"), released("numpy", "2.5rc1"));
    await farm.see(released("numpy", "2.4"), released("numpy", "1.26.9"), released("lonely"));
    const waves = await database.read((db) =>
      db.selectFrom("retest_wave").select(["project", "version"]).execute(),
    );
    expect(waves).toEqual([{ project: "numpy", version: "2.4" }]);
  });
}
