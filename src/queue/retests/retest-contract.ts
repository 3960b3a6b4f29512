import { expect, test } from "vitest";

import { sampleAttempt } from "../../model/result-json.sample.ts";
import type { DependencyKind } from "../../python/depends-on.ts";
import { newAttemptId } from "../../store/attempt-id.ts";
import type { Database } from "../../store/database.ts";
import { SqlStore } from "../../store/sql/sql-store.ts";
import { HostFacts, Hosts } from "../hosts.ts";
import { jobs } from "../job-views.ts";
import { Queue } from "../queue.ts";
import { noteReleased } from "./note-released.ts";
import { planRetests, type RetestEnvironment } from "./plan-retests.ts";
import { RETEST_POLICY, type RetestPolicy } from "./retest-policy.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const START_MS = Date.parse("2026-11-02T00:00:00Z");
const CPYTHON = { name: "cpython-3.13", interpreter: "cpython-3.13.5" };
const PYPY = { name: "pypy-3.11", interpreter: "pypy-3.11.9" };
export const IMAGE = sampleAttempt().image;

interface TestedChange {
  readonly version?: string;
  readonly needs?: readonly string[];
  readonly visibility?: "public" | "private";
}

/** A farm that knows projects, with a clock and no machine. */
export function openRetestFarm(database: Database, change: Partial<RetestPolicy> = {}) {
  const clock = { nowMs: START_MS };
  const now = () => clock.nowMs;
  const queue = new Queue(database, {
    now,
    random: () => 1,
    newId: () => newAttemptId(clock.nowMs),
  });
  const hosts = new Hosts(database, now);
  const store = new SqlStore(database);
  const policy = { ...RETEST_POLICY, jobsPerHour: 1200, ...change };
  const environment: RetestEnvironment = { image: IMAGE, configurations: [CPYTHON] };
  const tested = (
    project: string,
    { version = "1.0", needs = [], visibility = "public" }: TestedChange = {},
  ) => {
    const sample = sampleAttempt({ id: newAttemptId(clock.nowMs), project, version });
    const { name: configuration, interpreter } = CPYTHON;
    return store.recordAttempt({
      attempt: {
        ...sample,
        configuration,
        axes: { ...sample.axes, interpreter },
      },
      visibility,
      reason: "release",
      startedAt: new Date(clock.nowMs).toISOString(),
      results: [],
      dependencies: needs.map((name) => ({ name, kind: "run" satisfies DependencyKind })),
    });
  };
  return {
    clock,
    queue,
    tested,
    environment,
    release: (project: string, version: string, dependents = 1) =>
      database.write((within) =>
        noteReleased(within, {
          project,
          version,
          dependents,
          uploadedMs: null,
          nowMs: clock.nowMs,
        }),
      ),
    plan: (other: Partial<RetestEnvironment> = {}) =>
      planRetests({ ...environment, ...other }, { database, queue, policy, now }),
    waiting: async () =>
      (await database.read((db) => jobs(db, { limit: 10_000, state: "queued" }))).map(
        ({ project, version, configuration, why, lane, reason }) => ({
          project,
          version,
          configuration,
          why,
          lane,
          reason,
        }),
      ),
    /** A host that runs all that waits, at once. */
    async work(on = CPYTHON) {
      const { host } = await hosts.arrive({
        name: "one",
        boot: "1",
        slots: 1,
        facts: HostFacts.parse({}),
      });
      const done = await queue.claim({ workerId: host.id, most: 10_000 });
      for (const job of done) {
        const sample = sampleAttempt({ id: job.attempt, project: job.project });
        const { configuration, version } = job;
        await queue.finish(host.id, job.attempt, {
          kind: "done",
          recordings: [
            {
              attempt: {
                ...sample,
                configuration,
                version,
                axes: { ...sample.axes, interpreter: on.interpreter },
              },
              visibility: "public",
              reason: job.reason,
              startedAt: new Date(clock.nowMs).toISOString(),
              results: [],
            },
          ],
        });
      }
      return done;
    },
  };
}

/** What is tested again, on either database. */
export function retestContract(open: () => Promise<Database>): void {
  test("those who depend on a release are tested again, direct ones first, and their results say why", async () => {
    await using database = await open();
    const farm = openRetestFarm(database, { jobsPerHour: 12 });
    await farm.tested("pandas", { needs: ["numpy"] });
    await farm.tested("plots", { needs: ["pandas"] });
    await farm.tested("other");
    await farm.plan();
    farm.clock.nowMs += HOUR_MS / 12;
    await farm.release("numpy", "2.4");
    // Never seen before, so that it is not known at all and its release means nothing yet.
    expect(await farm.plan()).toMatchObject({ total: 0 });
    await farm.tested("numpy");
    await farm.release("numpy", "2.4");
    farm.clock.nowMs += HOUR_MS / 12;
    expect(await farm.plan()).toMatchObject({ planned: { dependency: 1 }, bound: "budget" });
    const why = "numpy 2.4 is new";
    const rest = { version: "1.0", configuration: "cpython-3.13", lane: "background", why };
    expect(await farm.waiting()).toEqual([{ project: "pandas", reason: "retest", ...rest }]);
    farm.clock.nowMs += HOUR_MS / 12;
    expect(await farm.plan()).toMatchObject({ planned: { dependency: 1 } });
    await farm.work();
    farm.clock.nowMs += HOUR_MS / 12;
    expect(await farm.plan()).toMatchObject({ total: 0, bound: "nothing is due" });
    const [newest] = await new SqlStore(database).attempts({ project: "plots", limit: 1 });
    expect(newest).toMatchObject({ reason: "retest", attempt: { why } });
    const waves = await database.read((db) => db.selectFrom("retest_wave").selectAll().execute());
    expect(waves).toMatchObject([{ planned: 2, note: "all were planned" }]);
  });

  test("planned twice it is planned once, also by two at once", async () => {
    await using database = await open();
    const farm = openRetestFarm(database);
    await farm.tested("numpy");
    await farm.tested("pandas", { needs: ["numpy"] });
    farm.clock.nowMs += 1000;
    await farm.release("numpy", "2.4");
    farm.clock.nowMs += 1000;
    await Promise.all([farm.plan(), farm.plan(), farm.plan()]);
    farm.clock.nowMs += HOUR_MS;
    await farm.plan();
    expect(await farm.waiting()).toHaveLength(1);
  });

  test("a job that came to nothing is not planned again for the same cause until that is due anew", async () => {
    await using database = await open();
    const farm = openRetestFarm(database, { ageMs: DAY_MS });
    await farm.tested("six");
    farm.clock.nowMs += 2 * DAY_MS;
    expect(await farm.plan()).toMatchObject({ planned: { age: 1 } });
    const [job] = await database.read((db) => jobs(db, { limit: 1 }));
    await farm.queue.cancel(job?.key ?? "", "by an operator");
    farm.clock.nowMs += HOUR_MS;
    expect(await farm.plan()).toMatchObject({ total: 0, bound: "nothing is due" });
  });

  test("private, withdrawn and superseded ones are not tested again, nor what waits already", async () => {
    await using database = await open();
    const farm = openRetestFarm(database, { ageMs: DAY_MS });
    await farm.tested("secret", { visibility: "private" });
    await farm.tested("yanked");
    await farm.tested("removed");
    await farm.tested("renewed", { version: "1.0" });
    farm.clock.nowMs += 1;
    await farm.tested("renewed", { version: "2.0" });
    await farm.tested("waits");
    await database.write(async (within) => {
      const row = { reason: null, since_ms: 0 };
      await within
        .insertInto("withdrawn")
        .values([
          { project: "yanked", version: "1.0", state: "yanked", ...row },
          { project: "removed", version: "", state: "removed", ...row },
        ])
        .execute();
    });
    await farm.tested("runs");
    const asked = (project: string, version = "1.0") =>
      farm.queue.enqueue([
        {
          id: project,
          project,
          visibility: "public",
          word: `${project}==${version}`,
          version,
          line: "",
          reason: "manual",
          configurations: [{ name: "cpython-3.13", lane: "manual" }],
        },
      ]);
    await asked("runs");
    expect(await farm.queue.claim({ workerId: 1, most: 1 })).toHaveLength(1);
    await asked("waits");
    farm.clock.nowMs += 2 * DAY_MS;
    expect(await farm.plan()).toMatchObject({ planned: { age: 1 } });
    const again = (await farm.waiting()).filter(({ reason }) => reason === "retest");
    expect(again).toMatchObject([
      { project: "renewed", version: "2.0", why: "last tested on 2026-11-02" },
    ]);
  });

  test("a new interpreter, a new image and a new configuration are told from each other", async () => {
    await using database = await open();
    const farm = openRetestFarm(database);
    await farm.tested("six");
    await farm.tested("attrs");
    farm.clock.nowMs += 1000;
    expect(await farm.plan()).toMatchObject({ total: 0 });
    farm.clock.nowMs += HOUR_MS;
    const interpreter = "cpython-3.13.6";
    const configurations = [{ ...CPYTHON, interpreter }, PYPY];
    const done = await farm.plan({ image: "next", configurations });
    expect(done.planned).toEqual({ interpreter: 1, image: 1, new: 2 });
    const told = (await farm.waiting()).map(({ configuration, why }) => `${configuration}: ${why}`);
    expect(told.toSorted()).toEqual([
      "cpython-3.13: cpython 3.13.6 is new",
      "cpython-3.13: image next is new",
      "pypy-3.11: never tested on pypy-3.11",
      "pypy-3.11: never tested on pypy-3.11",
    ]);
  });

  test("no more are planned in an hour than the budget has, nor while the lane is full", async () => {
    await using database = await open();
    const farm = openRetestFarm(database, { jobsPerHour: 12, mostWaiting: 20, ageMs: DAY_MS });
    for (let index = 0; index < 60; index++) await farm.tested(`p${index}`);
    farm.clock.nowMs += 2 * DAY_MS;
    const planned: number[] = [];
    // A step that is rounded up, each minute, would come to five times as many.
    for (let step = 0; step < 110; step++) {
      planned.push((await farm.plan()).total);
      farm.clock.nowMs += HOUR_MS / 60;
    }
    for (let step = 0; step + 60 <= planned.length; step++)
      expect(planned.slice(step, step + 60).reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(
        12,
      );
    expect(await farm.waiting()).toHaveLength(20);
    expect(await farm.plan()).toMatchObject({ total: 0, bound: "background lane" });
    await farm.work();
    farm.clock.nowMs += HOUR_MS / 12;
    expect((await farm.plan()).total).toBeGreaterThan(0);
  });

  test("no cause has all of the budget: each release's dependents, the image and age have their turns", async () => {
    await using database = await open();
    const farm = openRetestFarm(database, { jobsPerHour: 108, ageMs: DAY_MS });
    for (let index = 0; index < 20; index++) {
      await farm.tested(`big${index}`, { needs: ["numpy"] });
      await farm.tested(`plain${index}`);
    }
    await farm.tested("small", { needs: ["lmdb"] });
    await farm.tested("numpy");
    await farm.tested("lmdb");
    farm.clock.nowMs += 2 * DAY_MS;
    await farm.release("numpy", "2.4", 20);
    await farm.release("lmdb", "2.0", 1);
    const done = await farm.plan({ image: "next" });
    expect(done.planned).toEqual({ dependency: 3, image: 3, age: 3 });
    const why = (await farm.waiting()).map((job) => job.why);
    expect(why).toContain("lmdb 2.0 is new");
    expect(why).toContain("numpy 2.4 is new");
  });

  test("a wave that is not done in its time ends, and says so", async () => {
    await using database = await open();
    const farm = openRetestFarm(database, { jobsPerHour: 0, ageMs: null });
    await farm.tested("numpy");
    await farm.tested("pandas", { needs: ["numpy"] });
    farm.clock.nowMs += 1000;
    await farm.release("numpy", "2.4");
    expect(await farm.plan()).toMatchObject({ total: 0 });
    const wave = () =>
      database.read((db) => db.selectFrom("retest_wave").selectAll().executeTakeFirstOrThrow());
    expect((await wave()).ended_ms).toBeNull();
    farm.clock.nowMs += 8 * DAY_MS;
    expect(await farm.plan()).toMatchObject({ total: 0 });
    expect(await wave()).toMatchObject({ note: "the time for it is over, 1 are left" });
  });

  test("a week of the daily cycle tests its share of all known projects each day, all in their turn", async () => {
    await using database = await open();
    const farm = openRetestFarm(database, { ageMs: null, cycleShare: 0.2 });
    for (let index = 0; index < 40; index++) await farm.tested(`p${index}`);
    await farm.tested("secret", { visibility: "private" });
    farm.clock.nowMs += DAY_MS;
    const days: string[][] = [];
    for (let day = 0; day < 7; day++) {
      const done: string[] = [];
      for (let hour = 0; hour < 24; hour++) {
        farm.clock.nowMs += HOUR_MS - 1000;
        await farm.plan();
        done.push(...(await farm.work()).map(({ project }) => project));
        farm.clock.nowMs += 1000;
      }
      days.push(done);
    }
    // Evenly: 8 of 40 a day, the sixth day begins anew.
    expect(days.map((day) => day.length)).toEqual([8, 8, 8, 8, 8, 8, 8]);
    expect(new Set(days.slice(0, 5).flat()).size).toBe(40);
    expect(days[5]).toEqual(days[0]);
  });
}
