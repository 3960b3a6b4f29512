import fc from "fast-check";
import { beforeEach, expect, test } from "vitest";

import { sampleAttempt } from "../model/result-json.sample.ts";
import { newAttemptId } from "../store/attempt-id.ts";
import type { Database } from "../store/database.ts";
import { SqlStore } from "../store/sql/sql-store.ts";
import { changesAfter } from "../store/sql/verdict-changes.ts";
import type { AttemptRecording } from "../store/store.ts";
import { Hosts, HostFacts } from "./hosts.ts";
import type { EnqueueRequest, JobState, Lane } from "./job.ts";
import { busiestProjects, laneCounts } from "./job-counts.ts";
import { jobByKey, jobs } from "./job-views.ts";
import { Queue } from "./queue.ts";
import type { QueuePolicy } from "./queue-policy.ts";

const HOUR_MS = 3_600_000;
const signal = new AbortController().signal;

/** What the queue does on either database; `open` opens the same, at first empty, one each time within one test. */
export function queueContract(open: () => Promise<Database>): void {
  let nowMs = 0;
  let serial = 0;
  beforeEach(() => {
    nowMs = 1_000_000_000_000;
    serial = 0;
  });

  async function opened(policy: Partial<QueuePolicy> = {}) {
    const database = await open();
    const queue = new Queue(database, {
      policy,
      now: () => nowMs,
      random: () => 1,
      newId: () => newAttemptId(),
    });
    const hosts = new Hosts(database, () => nowMs);
    const arrive = async (name: string, boot = "1") =>
      (await hosts.arrive({ name, boot, slots: 1, facts: HostFacts.parse({}) })).host.id;
    return {
      database,
      queue,
      hosts,
      arrive,
      [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
    };
  }

  const request = (
    project: string,
    change: Partial<EnqueueRequest> & { lane?: Lane } = {},
  ): EnqueueRequest => {
    const { lane = "priority", ...rest } = change;
    const version = rest.version ?? "1.0";
    return {
      id: `r${++serial}`,
      project,
      visibility: "public",
      word: `${project}==${version}`,
      version,
      line: "",
      reason: "release",
      configurations: [{ name: "cpython-3.13", lane }],
      ...rest,
    };
  };
  const push = (commit: string, change: Partial<EnqueueRequest> = {}) =>
    request("repo", {
      reason: "push",
      version: commit,
      word: `git+https://git.example/repo@${commit}`,
      line: "refs/heads/main",
      ...change,
    });
  const recording = (
    id: string,
    project = "six",
    change: Partial<AttemptRecording> = {},
  ): AttemptRecording => ({
    attempt: sampleAttempt({ id, project }),
    visibility: "public",
    reason: "release",
    startedAt: "2026-11-24T10:00:00Z",
    results: [],
    ...change,
  });
  const stateOf = async (database: Database, key: string): Promise<JobState | undefined> =>
    (await database.read((db) => jobByKey(db, key)))?.state;

  test("gives what was enqueued, once, with all that a worker needs", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    await farm.queue.enqueue([request("six", { version: "1.17.0", visibility: "private" })]);
    const [job, none] = await farm.queue.claim({ workerId: worker, most: 5 });
    expect(none).toBeUndefined();
    expect(job).toMatchObject({
      key: "r1-0",
      project: "six",
      visibility: "private",
      word: "six==1.17.0",
      version: "1.17.0",
      configuration: "cpython-3.13",
      reason: "release",
      lane: "priority",
      try: 1,
      leaseUntilMs: nowMs + 60_000,
    });
    expect(await farm.queue.claim({ workerId: worker, most: 5 })).toEqual([]);
  });

  test("a build that failed where it had not is run once more, so that people can be told; never for ever", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    const base = Date.UTC(2026, 10, 24, 10);
    const run = async (attempt: Partial<AttemptRecording["attempt"]>) => {
      const [job] = await farm.queue.claim({ workerId: worker, most: 1 });
      if (job === undefined) return null;
      const sent = recording(job.attempt, "six", { reason: job.reason });
      await farm.queue.finish(worker, job.attempt, {
        kind: "done",
        recordings: [{ ...sent, attempt: { ...sent.attempt, version: job.version, ...attempt } }],
      });
      nowMs += 60_000;
      return job;
    };
    const good = { outcome: "pass", cause: null, confidence: "unconfirmed" } as const;
    const build = { phase: "build", outcome: "fail", confidence: "unconfirmed" } as const;
    nowMs = base;
    await farm.queue.enqueue([request("six", { version: "1.0" })]);
    await run(good);
    await farm.queue.enqueue([request("six", { version: "1.1" })]);
    await run({ ...build, cause: "build-backend(hatchling)" });
    const kinds = async () =>
      (await farm.database.read((db) => changesAfter(db, { after: 0, limit: 9 }))).map(
        ({ kind }) => kind,
      );
    expect(await kinds()).toEqual([]);
    const second = await run({ ...build, cause: "build-backend(hatchling)" });
    expect(second).toMatchObject({
      version: "1.1",
      configuration: "cpython-3.13",
      reason: "retest",
      lane: "rest",
    });
    expect(await kinds()).toEqual(["broke"]);
    expect(await run(good)).toBeNull();
    // What ends otherwise each time is not run for ever.
    await farm.queue.enqueue([request("six", { version: "1.2" })]);
    await run(good);
    await farm.queue.enqueue([request("six", { version: "1.3" })]);
    await run({ ...build, cause: "compiler" });
    await run({ ...build, cause: "build-backend(hatchling)" });
    expect(await run(good)).toBeNull();
    // A commit, too, on its own branch; and each as often.
    const source = { kind: "repository", sha256: "a".repeat(64) } as const;
    for (const commit of ["c1", "c2"]) {
      await farm.queue.enqueue([push(commit, { project: "six" })]);
      nowMs += 5 * HOUR_MS;
      const [first, again, none] = [
        await run({ ...build, source, cause: "compiler" }),
        await run({ ...build, source, cause: "compiler" }),
        await run(good),
      ];
      expect([first?.version, again?.version, none]).toEqual([commit, commit, null]);
    }
  });

  test("what is asked for as smoke is leased as smoke, and whole as soon as anybody asks for all of it", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    await farm.queue.enqueue([
      request("six", { plan: "smoke" }),
      request("lmdb", { plan: "smoke" }),
      request("attrs"),
    ]);
    await farm.queue.enqueue([request("lmdb"), request("attrs", { plan: "smoke" })]);
    const leased = await farm.queue.claim({ workerId: worker, most: 5 });
    expect(Object.fromEntries(leased.map(({ project, plan }) => [project, plan]))).toEqual({
      six: "smoke",
      lmdb: "full",
      attrs: "full",
    });
  });

  test("a result says why it was tested again as the farm planned it, whatever the worker says", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    await farm.queue.enqueue([
      request("six", { reason: "retest", why: "numpy 2.4 is new" }),
      request("attrs"),
    ]);
    for (const { attempt, project } of await farm.queue.claim({ workerId: worker, most: 5 })) {
      const sent = recording(attempt, project);
      await farm.queue.finish(worker, attempt, {
        kind: "done",
        recordings: [{ ...sent, attempt: { ...sent.attempt, why: "forged" } }],
      });
    }
    const kept = await new SqlStore(farm.database).attempts({ limit: 5 });
    expect(Object.fromEntries(kept.map(({ attempt: { project, why } }) => [project, why]))).toEqual(
      { attrs: undefined, six: "numpy 2.4 is new" },
    );
  });

  test("what a push comes to is held against its own branch, and not against another's", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    const source = { kind: "repository", sha256: "c".repeat(64) } as const;
    const pushed = async (line: string, outcome: "pass" | "fail") => {
      await farm.queue.enqueue([request("six", { line, reason: "push", version: "" })]);
      nowMs += 5 * 3_600_000;
      const [job] = await farm.queue.claim({ workerId: worker, most: 1 });
      const id = job?.attempt ?? "";
      const cause = outcome === "pass" ? null : "test-failure";
      const attempt = sampleAttempt({ id, project: "six", version: "", source, outcome, cause });
      const sent = recording(id, "six", { reason: "push", attempt });
      await farm.queue.finish(worker, id, { kind: "done", recordings: [sent] });
    };
    await pushed("refs/heads/main", "pass");
    await pushed("refs/heads/wild", "fail");
    await pushed("refs/heads/main", "pass");
    await pushed("refs/heads/wild", "pass");
    const changes = await farm.database.read((db) => changesAfter(db, { after: 0, limit: 9 }));
    expect(changes.map(({ line, kind }) => `${line} ${kind}`)).toEqual(["refs/heads/wild fixed"]);
  });

  test("a request that is made again is no other, also when its jobs are long done", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    const wanted = request("six");
    expect((await farm.queue.enqueue([wanted]))[0]?.jobs).toMatchObject([{ kind: "added" }]);
    expect((await farm.queue.enqueue([wanted]))[0]?.jobs).toMatchObject([
      { kind: "known", key: "r1-0" },
    ]);
    const [job] = await farm.queue.claim({ workerId: worker, most: 1 });
    await farm.queue.finish(worker, job?.attempt ?? "", {
      kind: "done",
      recordings: [recording(job?.attempt ?? "")],
    });
    expect((await farm.queue.enqueue([wanted]))[0]?.jobs).toMatchObject([
      { kind: "known", key: "r1-0" },
    ]);
    expect(await farm.queue.claim({ workerId: worker, most: 1 })).toEqual([]);
  });

  test("what waits already is not queued twice, and moves up where it is more urgent now", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    await farm.queue.enqueue([
      request("a", { lane: "background" }),
      request("b", { lane: "priority" }),
    ]);
    const [again] = await farm.queue.enqueue([request("a", { lane: "manual" })]);
    expect(again?.jobs).toMatchObject([{ kind: "coalesced", key: "r1-0" }]);
    const order = await farm.queue.claim({ workerId: worker, most: 5 });
    expect(order.map(({ project, lane }) => `${project} ${lane}`)).toEqual([
      "a manual",
      "b priority",
    ]);
  });

  test("lanes come in their order", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    const lanes: Lane[] = ["background", "rest", "priority", "manual"];
    await farm.queue.enqueue(lanes.map((lane) => request(lane, { lane })));
    const given = await farm.queue.claim({ workerId: worker, most: 4 });
    expect(given.map(({ lane }) => lane)).toEqual(["manual", "priority", "rest", "background"]);
  });

  test("priority configurations come before the rest of the same release", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    await farm.queue.enqueue([
      request("a", {
        configurations: [
          { name: "cpython-2.7", lane: "rest" },
          { name: "cpython-3.13", lane: "priority" },
        ],
      }),
    ]);
    await farm.queue.enqueue([request("b")]);
    const given = await farm.queue.claim({ workerId: worker, most: 3 });
    expect(given.map(({ project, configuration }) => `${project} ${configuration}`)).toEqual([
      "a cpython-3.13",
      "b cpython-3.13",
      "a cpython-2.7",
    ]);
  });

  test("two thousand projects that come at once hold up nobody: a person's job is the next, and a small project waits for one of each", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    const names = Array.from({ length: 2000 }, (_, index) => `p${index}`);
    const many = Array.from({ length: 5 }, (_, index) => ({
      name: `c${index}`,
      lane: "priority" as const,
    }));
    await farm.queue.enqueue(names.map((name) => request(name, { configurations: many })));
    await farm.queue.claim({ workerId: worker, most: 1 });
    await farm.queue.enqueue([request("mine", { reason: "manual", lane: "manual" })]);
    const [next] = await farm.queue.claim({ workerId: worker, most: 1 });
    expect(next?.project).toBe("mine");
    await farm.queue.enqueue([request("small")]);
    const given = await farm.queue.claim({ workerId: worker, most: 2001 });
    expect(given.map(({ project }) => project)).toContain("small");
  });

  test("a project with many jobs shares with the others one by one", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    const many = Array.from({ length: 4 }, (_, index) => ({
      name: `c${index}`,
      lane: "rest" as const,
    }));
    await farm.queue.enqueue([request("big", { configurations: many })]);
    await farm.queue.enqueue([request("late", { configurations: many })]);
    const given = await farm.queue.claim({ workerId: worker, most: 8 });
    expect(given.map(({ project }) => project).join(" ")).toBe(
      "big late big late big late big late",
    );
  });

  test("who had much while nobody else wanted anything is not made to wait for it", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    for (let round = 0; round < 20; round++) {
      await farm.queue.enqueue([request("busy", { version: `1.${round}`, lane: "rest" })]);
      await farm.queue.claim({ workerId: worker, most: 1 });
    }
    const both = [
      request("busy", { version: "2.0", lane: "rest" }),
      ...["x", "y", "z"].map((name) => request(name, { lane: "rest" })),
    ];
    await farm.queue.enqueue(both);
    const [first] = await farm.queue.claim({ workerId: worker, most: 1 });
    expect(first?.project).toBe("busy");
  });

  test("a lower lane that has waited for too long gets its share, and never before what somebody waits for", async () => {
    await using farm = await opened({ agedShare: 2 });
    const worker = await farm.arrive("one");
    await farm.queue.enqueue([request("old", { lane: "background" })]);
    nowMs += 73 * HOUR_MS;
    const fresh = Array.from({ length: 6 }, (_, index) => request(`new${index}`));
    await farm.queue.enqueue([...fresh, request("person", { lane: "manual", reason: "manual" })]);
    const order: string[] = [];
    for (let turn = 0; turn < 4; turn++)
      for (const { project } of await farm.queue.claim({ workerId: worker, most: 1 }))
        order.push(project);
    expect(order[0]).toBe("person");
    expect(order.slice(1)).toContain("old");
  });

  test("an ended lease goes back with a pause, and is dead after its tries", async () => {
    await using farm = await opened({ mostTries: 2 });
    const worker = await farm.arrive("one");
    await farm.queue.enqueue([request("six")]);
    const [first] = await farm.queue.claim({ workerId: worker, most: 1 });
    expect(await farm.queue.reap()).toEqual({ requeued: [], dead: [] });
    nowMs += 60_001;
    expect(await farm.queue.reap()).toEqual({ requeued: ["r1-0"], dead: [] });
    expect(await farm.queue.claim({ workerId: worker, most: 1 })).toEqual([]);
    nowMs += 30_000;
    const [second] = await farm.queue.claim({ workerId: worker, most: 1 });
    expect(second?.try).toBe(2);
    expect(second?.attempt).not.toBe(first?.attempt);
    nowMs += 60_001;
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
      nowMs += 40_000;
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
    nowMs += 60_001;
    await farm.queue.reap();
    nowMs += HOUR_MS;
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
    nowMs += 20_000;
    // The answer may still be on its way.
    expect(await farm.queue.heartbeat(worker, [attempt])).toEqual([]);
    const other = await farm.arrive("two");
    expect(await farm.queue.claim({ workerId: other, most: 2 })).toEqual([]);
    nowMs += 20_000;
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
      nowMs += 2 * HOUR_MS;
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

  test("a newer release supersedes what waits of an older one, never of another project or what runs", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    await farm.queue.enqueue([request("a", { version: "1.0" }), request("b", { version: "1.0" })]);
    const [running] = await farm.queue.claim({ workerId: worker, most: 1 });
    await farm.queue.enqueue([request("a", { version: "1.1" }), request("b", { version: "1.1" })]);
    const [newest] = await farm.queue.enqueue([request("b", { version: "1.2" })]);
    expect(newest?.superseded).toEqual(["r4-0"]);
    expect(await stateOf(farm.database, "r2-0")).toBe("superseded");
    expect(running?.key).toBe("r1-0");
    expect(await stateOf(farm.database, "r1-0")).toBe("leased");
    // A pre-release makes no final release old, and an older one that comes late supersedes nothing.
    await farm.queue.enqueue([
      request("b", { version: "2.0rc1" }),
      request("b", { version: "1.1.5" }),
    ]);
    expect(await stateOf(farm.database, "r5-0")).toBe("queued");
    expect(await stateOf(farm.database, "r6-0")).toBe("queued");
  });

  test("pushes to a branch are tested once in a cool-down, the newest of them", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    await farm.queue.enqueue([push("c1")]);
    const claim = async () =>
      (await farm.queue.claim({ workerId: worker, most: 5 })).map(({ version }) => version);
    expect(await claim()).toEqual(["c1"]);
    nowMs += HOUR_MS;
    const [second] = await farm.queue.enqueue([push("c2")]);
    expect(second?.jobs[0]?.readyMs).toBe(nowMs + 3 * HOUR_MS);
    nowMs += HOUR_MS;
    await farm.queue.enqueue([push("c3"), push("d1", { line: "refs/heads/other" })]);
    expect(await claim()).toEqual(["d1"]);
    nowMs += 2 * HOUR_MS;
    expect(await claim()).toEqual(["c3"]);
    expect(await stateOf(farm.database, "r2-0")).toBe("superseded");
    nowMs += HOUR_MS;
    // A person does not wait.
    await farm.queue.enqueue([push("c4", { reason: "manual" })]);
    expect(await claim()).toEqual(["c4"]);
  });

  test("a cancelled job is not given out; one that runs is lost to its worker", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    await farm.queue.enqueue([request("a"), request("b")]);
    const [running] = await farm.queue.claim({ workerId: worker, most: 1 });
    expect(await farm.queue.cancel("r1-0", "not wanted")).toBe(true);
    expect(await farm.queue.cancel("r2-0", "not wanted")).toBe(true);
    expect(await farm.queue.cancel("none", "")).toBe(false);
    const attempt = running?.attempt ?? "";
    expect(await farm.queue.heartbeat(worker, [attempt])).toEqual([attempt]);
    const done = { kind: "done", recordings: [recording(attempt, "a")] } as const;
    expect(await farm.queue.finish(worker, attempt, done)).toBe("gone");
    expect(await farm.queue.claim({ workerId: worker, most: 5 })).toEqual([]);
    expect(await farm.queue.cancel("r1-0", "again")).toBe(false);
    expect(await farm.queue.retry("r1-0")).toBe(true);
    expect(await farm.queue.claim({ workerId: worker, most: 5 })).toHaveLength(1);
  });

  test("a lost job whose twin waits is no second one", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    await farm.queue.enqueue([request("six")]);
    await farm.queue.claim({ workerId: worker, most: 1 });
    const [again] = await farm.queue.enqueue([request("six")]);
    expect(again?.jobs).toMatchObject([{ kind: "added", key: "r2-0" }]);
    nowMs += 60_001;
    await farm.queue.reap();
    expect(await stateOf(farm.database, "r1-0")).toBe("superseded");
    nowMs += HOUR_MS;
    expect((await farm.queue.claim({ workerId: worker, most: 5 })).map(({ key }) => key)).toEqual([
      "r2-0",
    ]);
  });

  test("a worker gets no configuration that it can't run", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    await farm.queue.enqueue([
      request("a", {
        configurations: ["cpython-3.12", "cpython-3.13"].map((name) => ({
          name,
          lane: "priority",
        })),
      }),
    ]);
    const given = await farm.queue.claim({ workerId: worker, most: 5, without: ["cpython-3.12"] });
    expect(given.map(({ configuration }) => configuration)).toEqual(["cpython-3.13"]);
  });

  test("of many who claim at once each gets other jobs, and all are given out", async () => {
    await using farm = await opened();
    const workers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => farm.arrive(`w${index}`)),
    );
    await farm.queue.enqueue(Array.from({ length: 60 }, (_, index) => request(`p${index}`)));
    const given = await Promise.all(
      workers.flatMap((workerId) =>
        Array.from({ length: 10 }, () => farm.queue.claim({ workerId, most: 1 })),
      ),
    );
    // Where two take the same head at the same instant one of them may come away with nothing, and asks again.
    for (;;) {
      const more = await farm.queue.claim({ workerId: workers[0] ?? 0, most: 20 });
      if (more.length === 0) break;
      given.push(more);
    }
    const keys = given.flat().map(({ key }) => key);
    expect(keys).toHaveLength(60);
    expect(new Set(keys).size).toBe(60);
  });

  test("many who enqueue for the same project at once leave one job for each configuration", async () => {
    await using farm = await opened();
    await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        farm.queue.enqueue([request(index % 2 === 0 ? "a" : "b")]),
      ),
    );
    const counts = await farm.database.read(laneCounts);
    expect(counts).toMatchObject([{ lane: "priority", state: "queued", count: 2 }]);
  });

  test("how much is open is counted as one by one, for whoever looks, and says nothing of what is not theirs", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    const names = ["secret", "a", "b", "hidden", "c"];
    for (const [index, project] of names.entries()) {
      const isPrivate = project === "secret" || project === "hidden";
      nowMs += 1000;
      await farm.queue.enqueue([
        request(project, {
          visibility: isPrivate ? "private" : "public",
          configurations: ["cpython-3.13", "cpython-3.14", "pypy-3.11"].map((name) => ({
            name,
            lane: index % 2 === 0 ? ("rest" as const) : ("priority" as const),
          })),
        }),
      ]);
    }
    await farm.queue.claim({ workerId: worker, most: 4 });
    const everything = { allPublic: true, private: "all", public: [] } as const;
    for (const within of [
      everything,
      { allPublic: true, private: [], public: [] },
      { allPublic: true, private: ["hidden"], public: [] },
      { allPublic: false, private: ["secret"], public: ["b"] },
      { allPublic: false, private: [], public: [] },
    ] as const) {
      const seen = await farm.database.read((db) => jobs(db, { limit: 100, within }));
      const groups = Map.groupBy(seen, ({ lane, state }) => `${state} ${lane}`);
      const expected = [...groups.values()].map((group) => ({
        lane: group[0]?.lane,
        state: group[0]?.state,
        count: group.length,
        oldestMs: Math.min(...group.map(({ enqueuedMs }) => enqueuedMs)),
      }));
      const counts = await farm.database.read((db) => laneCounts(db, within));
      expect(counts).toHaveLength(expected.length);
      expect(counts).toEqual(expect.arrayContaining(expected));
      const busiest = await farm.database.read((db) => busiestProjects(db, within, 10));
      const projects = Map.groupBy(seen, ({ project }) => project);
      expect(busiest).toEqual(
        [...projects]
          .map(([project, group]) => ({ project, count: group.length }))
          .toSorted((one, other) => (one.project < other.project ? -1 : 1)),
      );
    }
    expect(await farm.database.read((db) => laneCounts(db))).toEqual(
      await farm.database.read((db) => laneCounts(db, everything)),
    );
  });

  test("who waits for work hears of it", async () => {
    await using farm = await opened();
    const waiting = farm.queue.changed(60_000, signal);
    await farm.queue.enqueue([request("six")]);
    await waiting;
    const worker = await farm.arrive("one");
    expect(await farm.queue.claim({ workerId: worker, most: 1 })).toHaveLength(1);
  });

  test("jobs are listed newest first, by project and state, page by page", async () => {
    await using farm = await opened();
    await farm.queue.enqueue(["a", "b", "c"].map((name) => request(name)));
    await farm.queue.enqueue([request("a", { version: "2.0" })]);
    const listed = (query: object) => farm.database.read((db) => jobs(db, { limit: 2, ...query }));
    expect((await listed({})).map(({ key }) => key)).toEqual(["r4-0", "r3-0"]);
    const last = (await listed({}))[1];
    expect((await listed({ olderThan: last?.id })).map(({ key }) => key)).toEqual(["r2-0", "r1-0"]);
    expect((await listed({ project: "a", state: "superseded" })).map(({ key }) => key)).toEqual([
      "r1-0",
    ]);
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
                request(`${prefix}p${one.project}`, { id: `${prefix}r${++serial}` }),
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
              nowMs += 61_000;
              await farm.queue.reap();
              break;
            case "restart":
              await farm.queue.releaseWorker(workers[one.worker] ?? 0);
              break;
          }
        }
        // Whatever is left comes to its end.
        while ((await farm.database.read(laneCounts)).length > 0) {
          nowMs += 2 * HOUR_MS;
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
