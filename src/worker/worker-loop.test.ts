import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";

import { CreameryError } from "../base/errors.ts";
import { sampleAttempt } from "../model/result-json.sample.ts";
import { HostFacts, Hosts } from "../queue/hosts.ts";
import type { EnqueueRequest, LeasedJob } from "../queue/job.ts";
import { jobByKey } from "../queue/job-views.ts";
import { Queue, type Finish } from "../queue/queue.ts";
import { newAttemptId } from "../store/attempt-id.ts";
import { openDatabase } from "../store/open-database.ts";
import { SqlStore } from "../store/sql/sql-store.ts";
import type { Coordinator } from "./coordinator.ts";
import { LocalCoordinator } from "./local-coordinator.ts";
import { WorkerLoop, type WorkerLoopOptions } from "./worker-loop.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "creamery-worker-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function farm(leaseMs = 60_000, now: () => number = Date.now) {
  const database = await openDatabase(join(directory, "store.sqlite"));
  const queue = new Queue(database, { policy: { leaseMs }, now, newId: () => newAttemptId() });
  const hosts = new Hosts(database);
  const coordinator = (name = "one") =>
    new LocalCoordinator({ name, queue, hosts, store: new SqlStore(database) });
  return {
    database,
    queue,
    hosts,
    coordinator,
    stateOf: async (key: string) => (await database.read((db) => jobByKey(db, key)))?.state,
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}

let serial = 0;
const request = (project: string): EnqueueRequest => ({
  id: `r${++serial}`,
  project,
  visibility: "public",
  word: project,
  version: "1.0",
  line: "",
  reason: "manual",
  configurations: [{ name: "cpython-3.13", lane: "manual" }],
});

const pass = ({ attempt: id, project }: LeasedJob): Finish => ({
  kind: "done",
  recordings: [
    {
      attempt: sampleAttempt({ id, project, outcome: "pass", cause: null }),
      visibility: "public",
      reason: "manual",
      startedAt: "2026-11-24T10:00:00Z",
      results: [],
    },
  ],
});

const loop = (coordinator: Coordinator, change: Partial<WorkerLoopOptions> = {}) =>
  new WorkerLoop({
    coordinator,
    slots: 2,
    boot: newAttemptId(),
    facts: (running) => HostFacts.parse({ running }),
    run: async (job) => pass(job),
    ...change,
  });

/** A run of a job that lasts until it is told to end. */
const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) =>
    signal.addEventListener("abort", () => reject(new Error("aborted")), { once: true }),
  );

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(5);
}

test("runs what is there, and what comes later, so many side by side", async () => {
  await using here = await farm();
  const stop = new AbortController();
  let [now, most] = [0, 0];
  const worker = loop(here.coordinator(), {
    run: async (job) => {
      most = Math.max(most, ++now);
      await sleep(20);
      now--;
      return pass(job);
    },
  });
  const keys = ["a", "b", "c", "d"].map((name) => request(name));
  await here.queue.enqueue(keys);
  const running = worker.run(stop.signal);
  const late = request("late");
  await until(async () => (await here.stateOf(`${keys[3]?.id}-0`)) === "done");
  await here.queue.enqueue([late]);
  await until(async () => (await here.stateOf(`${late.id}-0`)) === "done");
  stop.abort();
  await running;
  expect(most).toBe(2);
});

test("a worker that is stopped gives back what it runs, and another takes it at once", async () => {
  await using here = await farm();
  const stop = new AbortController();
  const wanted = request("a");
  await here.queue.enqueue([wanted]);
  const first = loop(here.coordinator("one"), { run: (_, signal) => untilAborted(signal) });
  const running = first.run(stop.signal);
  await until(() => first.running === 1);
  stop.abort();
  await running;
  expect(await here.stateOf(`${wanted.id}-0`)).toBe("queued");
  const end = new AbortController();
  const second = loop(here.coordinator("two")).run(end.signal);
  await until(async () => (await here.stateOf(`${wanted.id}-0`)) === "done");
  end.abort();
  await second;
});

test("a job that was cancelled is ended where it runs, and nothing of it is kept", async () => {
  await using here = await farm(1500);
  const stop = new AbortController();
  const wanted = request("a");
  await here.queue.enqueue([wanted]);
  const worker = loop(here.coordinator(), { run: (_, signal) => untilAborted(signal) });
  const running = worker.run(stop.signal);
  await until(() => worker.running === 1);
  await here.queue.cancel(`${wanted.id}-0`, "not wanted");
  await until(() => worker.running === 0);
  expect(await here.stateOf(`${wanted.id}-0`)).toBe("cancelled");
  stop.abort();
  await running;
});

test("a lease is renewed for as long as its job takes", async () => {
  let nowMs = Date.now();
  await using here = await farm(300, () => nowMs);
  const stop = new AbortController();
  const wanted = request("a");
  await here.queue.enqueue([wanted]);
  const coordinator = here.coordinator();
  let [begun, heard] = [0, 0];
  const heartbeat = coordinator.heartbeat.bind(coordinator);
  coordinator.heartbeat = async (beat) => {
    const which = ++begun;
    const answer = await heartbeat(beat);
    heard = which;
    return answer;
  };
  let runs = 0;
  const running = loop(coordinator, {
    run: async (job) => {
      runs++;
      // The farm's time passes from beat to beat, however long one takes.
      for (let beat = 0; beat < 10; beat++) {
        const before = begun;
        await until(() => heard > before);
        nowMs += 200;
        await here.queue.reap();
      }
      return pass(job);
    },
  }).run(stop.signal);
  await until(async () => (await here.stateOf(`${wanted.id}-0`)) === "done");
  stop.abort();
  await running;
  expect(runs).toBe(1);
});

test("a farm that is away for a while loses nothing that was tested meanwhile", async () => {
  await using here = await farm();
  const stop = new AbortController();
  const inner = here.coordinator();
  let isAway = false;
  const guarded =
    <Words extends unknown[], Answer>(ask: (...words: Words) => Promise<Answer>) =>
    async (...words: Words): Promise<Answer> => {
      if (isAway) throw new CreameryError("no-network", "the farm is away");
      return await ask(...words);
    };
  const coordinator: Coordinator = {
    arrive: guarded((arrival) => inner.arrive(arrival)),
    claim: guarded((wish, signal) => inner.claim(wish, signal)),
    heartbeat: guarded((beat) => inner.heartbeat(beat)),
    finish: guarded((attempt, finish) => inner.finish(attempt, finish)),
    tell: guarded((attempt, pieces) => inner.tell(attempt, pieces)),
    latestComparable: guarded((query) => inner.latestComparable(query)),
  };
  const troubles: unknown[] = [];
  let recovered = 0;
  const wanted = request("a");
  await here.queue.enqueue([wanted]);
  const running = loop(coordinator, {
    run: async (job) => {
      isAway = true;
      setTimeout(() => {
        isAway = false;
      }, 600);
      return pass(job);
    },
    events: { onTrouble: (fault) => troubles.push(fault), onRecovered: () => recovered++ },
  }).run(stop.signal);
  await until(async () => (await here.stateOf(`${wanted.id}-0`)) === "done");
  stop.abort();
  await running;
  // Told once, not with each try.
  expect(troubles).toHaveLength(1);
  expect(recovered).toBe(1);
});

test("a job whose run breaks is the farm's fault, with its reason, and is tried again", async () => {
  await using here = await farm();
  const stop = new AbortController();
  const wanted = request("a");
  await here.queue.enqueue([wanted]);
  const running = loop(here.coordinator(), {
    run: () => Promise.reject(new CreameryError("machine-start", "no guest starts")),
  }).run(stop.signal);
  const view = () => here.database.read((db) => jobByKey(db, `${wanted.id}-0`));
  await until(async () => (await view())?.state === "waiting");
  expect(await view()).toMatchObject({ farmFaults: 1, tries: 0, note: "no guest starts" });
  stop.abort();
  await running;
});

test("a worker whose place another took ends, and says why", async () => {
  await using here = await farm(300);
  const { signal } = new AbortController();
  const old = loop(here.coordinator()).run(signal);
  await until(async () => (await here.hosts.all()).length === 1);
  const stop = new AbortController();
  const fresh = loop(here.coordinator()).run(stop.signal);
  await expect(old).rejects.toMatchObject({ code: "farm-refused" });
  stop.abort();
  await fresh;
});

test("a host that is draining takes nothing more, and ends what it runs", async () => {
  await using here = await farm();
  const stop = new AbortController();
  const [running, waiting] = [request("a"), request("b")];
  await here.queue.enqueue([running]);
  const release = Promise.withResolvers<void>();
  const worker = loop(here.coordinator(), {
    slots: 1,
    run: async (job) => {
      await release.promise;
      return pass(job);
    },
  });
  const ended = worker.run(stop.signal);
  await until(() => worker.running === 1);
  await here.hosts.setState("one", "draining", "by an operator");
  await here.queue.enqueue([waiting]);
  release.resolve();
  await until(async () => (await here.stateOf(`${running.id}-0`)) === "done");
  await sleep(100);
  expect(await here.stateOf(`${waiting.id}-0`)).toBe("queued");
  await here.hosts.setState("one", "active", null);
  await until(async () => (await here.stateOf(`${waiting.id}-0`)) === "done");
  stop.abort();
  await ended;
});

test("nothing is claimed while there is no room", async () => {
  await using here = await farm();
  const stop = new AbortController();
  let room = false;
  const wanted = request("a");
  await here.queue.enqueue([wanted]);
  const ended = loop(here.coordinator(), { hasRoom: () => room }).run(stop.signal);
  await sleep(50);
  expect(await here.stateOf(`${wanted.id}-0`)).toBe("queued");
  room = true;
  await until(async () => (await here.stateOf(`${wanted.id}-0`)) === "done");
  stop.abort();
  await ended;
});
