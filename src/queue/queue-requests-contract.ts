import { expect, test } from "vitest";

import { sampleAttempt } from "../model/result-json.sample.ts";
import type { Database } from "../store/database.ts";
import { SqlStore } from "../store/sql/sql-store.ts";
import { changesAfter } from "../store/sql/verdict-changes.ts";
import type { AttemptRecording } from "../store/store.ts";
import { laneCounts } from "./job-counts.ts";
import { HOUR_MS, queueTrial } from "./queue-trial.sample.ts";

/** What is asked of the queue comes to: jobs, and no job twice. On either database; `open` as `queueTrial`. */
export function requestsContract(open: () => Promise<Database>): void {
  const trial = queueTrial(open);
  const { opened, request, push, recording, stateOf } = trial;

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
      leaseUntilMs: trial.nowMs + 60_000,
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
      trial.nowMs += 60_000;
      return job;
    };
    const good = { outcome: "pass", cause: null, confidence: "unconfirmed" } as const;
    const build = { phase: "build", outcome: "fail", confidence: "unconfirmed" } as const;
    trial.nowMs = base;
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
      trial.nowMs += 5 * HOUR_MS;
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
      trial.nowMs += 5 * 3_600_000;
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
    trial.nowMs += HOUR_MS;
    const [second] = await farm.queue.enqueue([push("c2")]);
    expect(second?.jobs[0]?.readyMs).toBe(trial.nowMs + 3 * HOUR_MS);
    trial.nowMs += HOUR_MS;
    await farm.queue.enqueue([push("c3"), push("d1", { line: "refs/heads/other" })]);
    expect(await claim()).toEqual(["d1"]);
    trial.nowMs += 2 * HOUR_MS;
    expect(await claim()).toEqual(["c3"]);
    expect(await stateOf(farm.database, "r2-0")).toBe("superseded");
    trial.nowMs += HOUR_MS;
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
    trial.nowMs += 60_001;
    await farm.queue.reap();
    expect(await stateOf(farm.database, "r1-0")).toBe("superseded");
    trial.nowMs += HOUR_MS;
    expect((await farm.queue.claim({ workerId: worker, most: 5 })).map(({ key }) => key)).toEqual([
      "r2-0",
    ]);
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
}
