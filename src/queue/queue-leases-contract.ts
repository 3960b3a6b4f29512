import fc from "fast-check";
import { expect, test } from "vitest";

import type { Database } from "../store/database.ts";
import type { AttemptRecording } from "../store/store.ts";
import { laneCounts } from "./job-counts.ts";
import { jobByKey } from "./job-views.ts";
import { HostFacts } from "./hosts.ts";
import { HOUR_MS, queueTrial } from "./queue-trial.sample.ts";

/** Who has a job, for how long, and what becomes of it. On either database; `open` as `queueTrial`. */
export function leasesContract(open: () => Promise<Database>): void {
  const trial = queueTrial(open);
  const { opened, request, recording, stateOf } = trial;

  test("an ended lease goes back with a pause, and is dead after its tries", async () => {
    await using farm = await opened({ mostTries: 2 });
    const worker = await farm.arrive("one");
    await farm.queue.enqueue([request("six")]);
    const [first] = await farm.queue.claim({ workerId: worker, most: 1 });
    expect(await farm.queue.reap()).toEqual({ requeued: [], dead: [] });
    trial.nowMs += 60_001;
    expect(await farm.queue.reap()).toEqual({ requeued: ["r1-0"], dead: [] });
    expect(await farm.queue.claim({ workerId: worker, most: 1 })).toEqual([]);
    trial.nowMs += 30_000;
    const [second] = await farm.queue.claim({ workerId: worker, most: 1 });
    expect(second?.try).toBe(2);
    expect(second?.attempt).not.toBe(first?.attempt);
    trial.nowMs += 60_001;
    expect(await farm.queue.reap()).toEqual({ requeued: [], dead: ["r1-0"] });
    expect(await stateOf(farm.database, "r1-0")).toBe("dead");
    expect(await farm.queue.retry("r1-0")).toBe(true);
    const [third] = await farm.queue.claim({ workerId: worker, most: 1 });
    expect(third?.try).toBe(1);
  });

  test("a lease lives as long as it is renewed, and what was lost is told", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    const other = await farm.arrive("two");
    await farm.queue.enqueue([request("six")]);
    const [job] = await farm.queue.claim({ workerId: worker, most: 1 });
    const attempt = job?.attempt ?? "";
    for (let beat = 0; beat < 5; beat++) {
      trial.nowMs += 40_000;
      expect(await farm.queue.heartbeat(worker, [attempt, "zz"])).toEqual(["zz"]);
      expect(await farm.queue.reap()).toEqual({ requeued: [], dead: [] });
    }
    expect(await farm.queue.heartbeat(other, [attempt])).toEqual([attempt]);
  });

  test("who lost his lease keeps nothing: the other's result stands alone", async () => {
    await using farm = await opened();
    const [slow, quick] = [await farm.arrive("slow"), await farm.arrive("quick")];
    await farm.queue.enqueue([request("six")]);
    const [lost] = await farm.queue.claim({ workerId: slow, most: 1 });
    trial.nowMs += 60_001;
    await farm.queue.reap();
    trial.nowMs += HOUR_MS;
    const [job] = await farm.queue.claim({ workerId: quick, most: 1 });
    const done = (attempt = "") => ({ kind: "done", recordings: [recording(attempt)] }) as const;
    expect(await farm.queue.finish(slow, lost?.attempt ?? "", done(lost?.attempt))).toBe("gone");
    expect(await farm.queue.finish(slow, job?.attempt ?? "", done(job?.attempt))).toBe("gone");
    expect(await farm.queue.finish(quick, job?.attempt ?? "", done(job?.attempt))).toBe("kept");
    // Its answer was lost: said again, it is done once.
    expect(await farm.queue.finish(quick, job?.attempt ?? "", done(job?.attempt))).toBe("kept");
    const ids = await farm.database.read((db) => db.selectFrom("result").select("id").execute());
    expect(ids).toEqual([{ id: job?.attempt }]);
    expect(await stateOf(farm.database, "r1-0")).toBe("done");
  });

  test("a lease is good for results of its own job, and for no other's", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    await farm.queue.enqueue([request("six")]);
    const [job] = await farm.queue.claim({ workerId: worker, most: 1 });
    const attempt = job?.attempt ?? "";
    const finish = (recordings: AttemptRecording[]) =>
      farm.queue.finish(worker, attempt, { kind: "done", recordings });
    const own = recording(attempt);
    const elsewhere = { ...own, attempt: { ...own.attempt, configuration: "pypy-3.11" } };
    for (const foreign of [recording("zz"), recording(attempt, "attrs"), elsewhere])
      await expect(finish([foreign])).rejects.toMatchObject({ code: "farm-refused" });
    await expect(finish([own, recording("zz", "six", { of: "yy" })])).rejects.toThrow(
      "not of the job",
    );
    expect(await finish([own, recording("zz", "six", { of: attempt })])).toBe("kept");
  });

  test("a job whose worker never heard that it was given to it is queued again long before its lease ends", async () => {
    await using farm = await opened({ leaseMs: 60_000 });
    const worker = await farm.arrive("one");
    await farm.queue.enqueue([request("six"), request("attrs")]);
    const [heard, unheard] = await farm.queue.claim({ workerId: worker, most: 2 });
    const attempt = heard?.attempt ?? "";
    trial.nowMs += 20_000;
    // The answer may still be on its way.
    expect(await farm.queue.heartbeat(worker, [attempt])).toEqual([]);
    const other = await farm.arrive("two");
    expect(await farm.queue.claim({ workerId: other, most: 2 })).toEqual([]);
    trial.nowMs += 20_000;
    expect(await farm.queue.heartbeat(worker, [attempt])).toEqual([]);
    expect(await farm.queue.claim({ workerId: other, most: 2 })).toMatchObject([
      { key: unheard?.key, try: 1 },
    ]);
    // It would be told, if it came to run it after all.
    const late = unheard?.attempt ?? "";
    expect(await farm.queue.heartbeat(worker, [attempt, late])).toEqual([late]);
  });

  test("a worker that was started anew gives back what it held, at once and at its own cost alone", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    await farm.queue.enqueue([request("six"), request("attrs")]);
    await farm.queue.claim({ workerId: worker, most: 2 });
    const { host, before } = await farm.hosts.arrive({
      name: "one",
      boot: "2",
      slots: 1,
      facts: HostFacts.parse({}),
    });
    expect(before?.boot).toBe("1");
    expect((await farm.queue.releaseWorker(host.id)).requeued.toSorted()).toEqual(["r1-0", "r2-0"]);
    expect((await farm.queue.releaseWorker(host.id)).requeued).toEqual([]);
  });

  test("a job that is given back is as it was, and due at once", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    await farm.queue.enqueue([request("six")]);
    for (let round = 0; round < 5; round++) {
      const [job] = await farm.queue.claim({ workerId: worker, most: 1 });
      expect(job?.try).toBe(1);
      expect(await farm.queue.finish(worker, job?.attempt ?? "", { kind: "returned" })).toBe(
        "kept",
      );
    }
  });

  test("the farm's own fault is kept and tried again, not counted against the job; three in a row end it", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    await farm.queue.enqueue([request("six")]);
    for (const fault of [1, 2, 3]) {
      trial.nowMs += 2 * HOUR_MS;
      const [job] = await farm.queue.claim({ workerId: worker, most: 1 });
      const attempt = job?.attempt ?? "";
      expect(job?.try).toBe(1);
      await farm.queue.finish(worker, attempt, {
        kind: "farm-fault",
        reason: "agent-lost",
        recordings: [recording(attempt)],
      });
      expect(await stateOf(farm.database, "r1-0")).toBe(fault === 3 ? "dead" : "waiting");
    }
    const kept = await farm.database.read((db) => db.selectFrom("result").select("id").execute());
    expect(kept).toHaveLength(3);
    const view = await farm.database.read((db) => jobByKey(db, "r1-0"));
    expect(view?.note).toBe("agent-lost");
  });

  test("whatever happens in whatever order, no job is lost, none is done twice, none is invented", async () => {
    await using farm = await opened({ mostTries: 1000 });
    let round = 0;
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant("enqueue" as const),
          project: fc.integer({ min: 0, max: 3 }),
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant("claim" as const),
          worker: fc.integer({ min: 0, max: 1 }),
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant("finish" as const),
          which: fc.nat(),
          twice: fc.boolean(),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("fault" as const), which: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("late" as const) }) },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant("restart" as const),
          worker: fc.integer({ min: 0, max: 1 }),
        }),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const prefix = `x${round++}`;
        const workers = [await farm.arrive(`${prefix}-0`), await farm.arrive(`${prefix}-1`)];
        const wanted = new Set<string>();
        const held: { workerId: number; attempt: string; key: string; project: string }[] = [];
        const finished = new Map<string, string>();
        const claim = async (workerId: number) => {
          for (const { attempt, key, project } of await farm.queue.claim({ workerId, most: 1 })) {
            expect(wanted).toContain(key);
            expect(finished.has(key)).toBe(false);
            held.push({ workerId, attempt, key, project });
          }
        };
        const finish = async (which: number) => {
          const lease = held[which % Math.max(1, held.length)];
          if (lease === undefined) return;
          const recordings = [recording(lease.attempt, lease.project)];
          const answer = await farm.queue.finish(lease.workerId, lease.attempt, {
            kind: "done",
            recordings,
          });
          if (answer === "gone") return;
          const before = finished.get(lease.key);
          expect(before === undefined || before === lease.attempt).toBe(true);
          finished.set(lease.key, lease.attempt);
        };
        for (const one of steps) {
          switch (one.kind) {
            case "enqueue": {
              const [answer] = await farm.queue.enqueue([
                request(`${prefix}p${one.project}`, { id: `${prefix}r${++trial.serial}` }),
              ]);
              for (const { key } of answer?.jobs ?? []) wanted.add(key);
              break;
            }
            case "claim":
              await claim(workers[one.worker] ?? 0);
              break;
            case "finish":
              await finish(one.which);
              if (one.twice) await finish(one.which);
              break;
            case "fault": {
              const lease = held[one.which % Math.max(1, held.length)];
              if (lease !== undefined && !finished.has(lease.key))
                await farm.queue.finish(lease.workerId, lease.attempt, { kind: "returned" });
              break;
            }
            case "late":
              trial.nowMs += 61_000;
              await farm.queue.reap();
              break;
            case "restart":
              await farm.queue.releaseWorker(workers[one.worker] ?? 0);
              break;
          }
        }
        // Whatever is left comes to its end.
        while ((await farm.database.read(laneCounts)).length > 0) {
          trial.nowMs += 2 * HOUR_MS;
          await farm.queue.reap();
          const before = held.length;
          await claim(workers[0] ?? 0);
          if (held.length > before) await finish(held.length - 1);
        }
        for (const key of wanted) {
          const state = await stateOf(farm.database, key);
          expect(state === "done" || state === "superseded").toBe(true);
          expect(state === "done").toBe(finished.has(key));
        }
        const there = await farm.database.read((db) =>
          db
            .selectFrom("result")
            .select("id")
            .where("id", "in", ["", ...held.map(({ attempt }) => attempt)])
            .execute(),
        );
        expect(there.map(({ id }) => id).toSorted()).toEqual([...finished.values()].toSorted());
      }),
      { numRuns: 25 },
    );
  });
}
