import { expect, test } from "vitest";

import { sampleAttempt } from "../model/result-json.sample.ts";
import { HostFacts, type Hosts } from "../queue/hosts.ts";
import type { EnqueueRequest, LeasedJob } from "../queue/job.ts";
import type { Finish, Queue } from "../queue/queue.ts";
import type { Store } from "../store/store.ts";
import type { Coordinator } from "./coordinator.ts";

export interface CoordinatorTrial extends AsyncDisposable {
  readonly queue: Queue;
  readonly hosts: Hosts;
  readonly store: Pick<Store, "attempts" | "nonPasses">;
  /** The farm as one process of a host sees it. */
  coordinator(host: string, boot: string): Promise<Coordinator>;
}

const signal = new AbortController().signal;
const facts = HostFacts.parse({ version: "0.1.0", machine: "gvisor", cores: 2, running: 1 });

/** What the farm does for a worker, in the same process or by HTTP alike. */
export function coordinatorContract(open: () => Promise<CoordinatorTrial>): void {
  let serial = 0;
  const request = (project: string): EnqueueRequest => ({
    id: `q${++serial}`,
    project,
    visibility: "private",
    word: `${project}==1.0`,
    version: "1.0",
    line: "",
    reason: "release",
    configurations: [{ name: "cpython-3.13", lane: "priority" }],
  });
  const wish = { most: 5, without: [], waitMs: 0 };
  const done = ({ attempt: id, project }: LeasedJob): Finish => ({
    kind: "done",
    recordings: [
      {
        attempt: sampleAttempt({ id, project }),
        visibility: "private",
        reason: "release",
        startedAt: "2026-11-24T10:00:00.000Z",
        results: [
          { id: "t::a", outcome: "failed", seconds: 1.5, message: "AssertionError: \u0000 \u202e" },
          { id: "t::b", outcome: "error", seconds: 0 },
        ],
      },
      {
        attempt: sampleAttempt({ id: `${id}c`, project, machine: "container" }),
        visibility: "private",
        reason: "confirm",
        of: id,
        startedAt: "2026-11-24T10:00:01.000Z",
        results: [],
      },
    ],
  });

  test("a worker that is gone is given nothing of what it waited for", async () => {
    await using trial = await open();
    const farm = await trial.coordinator("one", "b1");
    await farm.arrive({ boot: "b1", slots: 2, facts }, signal);
    const [waits, heard] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const changed = trial.queue.changed.bind(trial.queue);
    trial.queue.changed = async (timeoutMs, ends) => {
      ends.addEventListener("abort", () => heard.resolve(), { once: true });
      waits.resolve();
      await changed(timeoutMs, ends);
    };
    const gone = new AbortController();
    const asked = farm.claim({ ...wish, waitMs: 20_000 }, gone.signal).catch(() => []);
    await waits.promise;
    gone.abort();
    expect(await asked).toEqual([]);
    // The farm hears of it by its connection's end.
    await heard.promise;
    await trial.queue.enqueue([request("six")]);
    const other = await trial.coordinator("two", "b2");
    await other.arrive({ boot: "b2", slots: 2, facts }, signal);
    const given = await other.claim({ ...wish, waitMs: 5000 }, signal);
    expect(given).toMatchObject([{ project: "six", try: 1 }]);
  });

  test("a worker arrives, is given jobs, renews them and finishes them, with all that came of them", async () => {
    await using trial = await open();
    const farm = await trial.coordinator("one", "b1");
    const welcome = await farm.arrive({ boot: "b1", slots: 2, facts }, signal);
    expect(welcome).toEqual({ leaseMs: 60_000, heartbeatMs: 20_000 });
    expect(await farm.claim(wish, signal)).toEqual([]);
    await trial.queue.enqueue([request("six")]);
    const [job] = await farm.claim(wish, signal);
    if (job === undefined) throw new Error("nothing was given");
    expect(job).toMatchObject({
      project: "six",
      visibility: "private",
      word: "six==1.0",
      configuration: "cpython-3.13",
      reason: "release",
      lane: "priority",
      try: 1,
    });
    expect(await farm.heartbeat({ attempts: [job.attempt, "zz"], facts }, signal)).toEqual({
      lost: ["zz"],
      state: "active",
      reason: null,
    });
    expect(await farm.finish(job.attempt, done(job), signal)).toBe("kept");
    expect(await farm.finish(job.attempt, done(job), signal)).toBe("kept");
    const kept = await trial.store.attempts({ limit: 10 });
    expect(
      kept.map(({ attempt, visibility, reason, of }) => [attempt.id, visibility, reason, of]),
    ).toEqual([
      [`${job.attempt}c`, "private", "confirm", job.attempt],
      [job.attempt, "private", "release", null],
    ]);
    expect(await trial.store.nonPasses(job.attempt)).toMatchObject([
      { id: "t::a", outcome: "failed" },
      { id: "t::b", outcome: "error", message: "" },
    ]);
    const baseline = await farm.latestComparable(
      { project: "six", configuration: "cpython-3.13", olderThan: "zzz" },
      signal,
    );
    expect(baseline?.attempt.id).toBe(job.attempt);
    expect(baseline).toEqual(kept[1]);
  });

  test("who waits for work is given what comes meanwhile", async () => {
    await using trial = await open();
    const farm = await trial.coordinator("one", "b1");
    await farm.arrive({ boot: "b1", slots: 2, facts }, signal);
    const waiting = farm.claim({ ...wish, waitMs: 20_000 }, signal);
    await trial.queue.enqueue([request("six")]);
    expect(await waiting).toHaveLength(1);
  });

  test("an earlier process of the same host has nothing to say any more, and its jobs are others'", async () => {
    await using trial = await open();
    const old = await trial.coordinator("one", "b1");
    await old.arrive({ boot: "b1", slots: 2, facts }, signal);
    await trial.queue.enqueue([request("six")]);
    const [job] = await old.claim(wish, signal);
    const fresh = await trial.coordinator("one", "b2");
    await fresh.arrive({ boot: "b2", slots: 2, facts }, signal);
    for (const ask of [
      () => old.claim(wish, signal),
      () => old.heartbeat({ attempts: [job?.attempt ?? ""], facts }, signal),
      () => old.finish(job?.attempt ?? "", { kind: "returned" }, signal),
    ])
      await expect(ask()).rejects.toMatchObject({ code: "farm-refused" });
  });

  test("a job of another host is nobody's to finish", async () => {
    await using trial = await open();
    const [one, two] = [await trial.coordinator("one", "b1"), await trial.coordinator("two", "b2")];
    await one.arrive({ boot: "b1", slots: 2, facts }, signal);
    await two.arrive({ boot: "b2", slots: 2, facts }, signal);
    await trial.queue.enqueue([request("six")]);
    const [job] = await one.claim(wish, signal);
    if (job === undefined) throw new Error("nothing was given");
    expect(await two.finish(job.attempt, done(job), signal)).toBe("gone");
    expect(await trial.store.attempts({ limit: 10 })).toEqual([]);
    const foreign = done({ ...job, project: "attrs" });
    await expect(one.finish(job.attempt, foreign, signal)).rejects.toMatchObject({
      code: "farm-refused",
    });
    expect(await one.finish(job.attempt, { kind: "impossible", reason: "gone" }, signal)).toBe(
      "kept",
    );
  });

  test("a host that drains is told so, and given nothing", async () => {
    await using trial = await open();
    const farm = await trial.coordinator("one", "b1");
    await farm.arrive({ boot: "b1", slots: 2, facts }, signal);
    const [host] = await trial.hosts.all();
    await trial.hosts.setState(host?.name ?? "", "draining", "for the night");
    await trial.queue.enqueue([request("six")]);
    expect(await farm.claim(wish, signal)).toEqual([]);
    expect(await farm.heartbeat({ attempts: [], facts }, signal)).toEqual({
      lost: [],
      state: "draining",
      reason: "for the night",
    });
  });
}
