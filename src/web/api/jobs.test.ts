import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";

import { arrive, posted, sampleFarm, type SampleFarm } from "./farm.sample.ts";
import { EnqueuedJobs, Job, Jobs, QueueState } from "./schemas/queue.ts";

let farm: SampleFarm;
beforeEach(async () => {
  farm = await sampleFarm();
});
afterEach(async () => {
  const [failure] = farm.failures;
  await farm[Symbol.asyncDispose]();
  if (failure !== undefined) throw failure;
});

const enqueue = (as: string | undefined, body: unknown, headers: Record<string, string> = {}) =>
  farm.ask("/jobs", { ...(as === undefined ? {} : { as }), ...posted(body, headers) });
const enqueued = async (answer: Response) => EnqueuedJobs.parse(await answer.json()).jobs;
const listed = async (query = "", as?: string) => {
  const answer = await farm.ask(`/jobs${query}`, as === undefined ? {} : { as });
  return Jobs.parse(await answer.json());
};

test("what is asked for is queued on the configurations that are named", async () => {
  const as = await farm.token(["enqueue"]);
  for (const [configurations, wanted] of [
    [undefined, ["cpython-3.13"]],
    ["priority", ["cpython-3.13"]],
    [
      ["pypy-3.11", "cpython-3.15"],
      ["pypy-3.11", "cpython-3.15"],
    ],
    ["all", ["cpython-3.13", "cpython-3.15", "pypy-3.11"]],
  ] as const) {
    const project = `p${String(configurations).replaceAll(/\W/gu, "")}`;
    const jobs = await enqueued(
      await enqueue(as, { targets: [`${project}==2.0`], configurations }),
    );
    expect(jobs.map(({ configuration }) => configuration)).toEqual(wanted);
    expect(jobs.map(({ kind }) => kind)).toEqual(wanted.map(() => "added"));
  }
  const { jobs } = await listed("?project=Pall&configuration=pypy-3.11");
  expect(jobs).toMatchObject([
    {
      project: "pall",
      word: "pall==2.0",
      version: "2.0",
      lane: "priority",
      reason: "manual",
      state: "queued",
      visibility: "public",
    },
  ]);
});

test.each([
  ["lmdb", { project: "lmdb", version: "" }],
  ["lmdb>=1", { project: "lmdb", version: "" }],
  ["lmdb==1.*", { project: "lmdb", version: "" }],
  ["Zope.Interface[test] == 7.1", { project: "zope-interface", version: "7.1" }],
  [
    "git+https://git.example/octo/hello@v1",
    { project: "hello", version: "", visibility: "public" },
  ],
  ["git+https://git.example/octo/other.git", { project: "other", version: "" }],
  ["git+https://private.example/x/own", { project: "own", visibility: "private" }],
])("%s is queued for what it is", async (word, wanted) => {
  const as = await farm.token(["enqueue", "read-private"]);
  const [job] = await enqueued(await enqueue(as, { targets: [word] }));
  const { jobs } = await listed("", as);
  expect(jobs).toMatchObject([{ key: job?.key, word, ...wanted }]);
});

test.each([
  ["./here", "usage"],
  ["/etc/passwd", "usage"],
  ["six ; python_version < '3'", "bad-requirement"],
  ["git+http://git.example/x/y", "address-refused"],
  ["git+https://me:hunter2@git.example/x/y", "address-refused"],
  ["   ", "usage"],
])("%j is no target, and nothing is queued where one is none", async (word, code) => {
  const as = await farm.token(["enqueue"]);
  const answer = await enqueue(as, { targets: ["six", word] });
  const told = z.object({ code: z.string() }).parse(await answer.clone().json());
  expect([answer.status, told.code]).toEqual([400, code]);
  expect(await answer.text()).not.toContain("hunter2");
  expect((await listed()).jobs).toEqual([]);
});

test("an unknown configuration is told with the nearest", async () => {
  const as = await farm.token(["enqueue"]);
  const answer = await enqueue(as, { targets: ["six"], configurations: ["3.13"] });
  expect(await answer.json()).toMatchObject({
    status: 400,
    code: "unknown-configuration",
  });
});

test("with an Idempotency-Key the same is queued once, and another request is refused under it", async () => {
  const as = await farm.token(["enqueue"]);
  const other = await farm.token(["enqueue"], { name: "other" });
  const key = { "idempotency-key": "k-1" };
  const first = await enqueued(await enqueue(as, { targets: ["six", "attrs"] }, key));
  expect(await enqueued(await enqueue(as, { targets: ["six", "attrs"] }, key))).toEqual(first);
  expect((await enqueue(as, { targets: ["click"] }, key)).status).toBe(422);
  const theirs = await enqueued(await enqueue(other, { targets: ["click"] }, key));
  expect(theirs).toMatchObject([{ kind: "added", project: "click" }]);
  expect((await listed()).jobs.length).toBe(3);
  // Also when the farm was started anew meanwhile, and the jobs are done.
  const worker = await arrive(farm, "one");
  for (const { attempt } of await farm.deps.queue.claim({ workerId: worker, most: 9 }))
    await farm.deps.queue.finish(worker, attempt, { kind: "impossible", reason: "no" });
  await using again = await sampleFarm({ database: farm.database });
  // What it makes ids of is the time: none is one that was made before.
  again.nowMs = farm.nowMs + 60_000;
  const principal = (await farm.principals.list({ limit: 9 })).principals.find(
    ({ name }) => name !== "other",
  );
  again.principals.findByHash = async () => principal ?? null;
  const kinds = await enqueued(
    await again.ask("/jobs", { as, ...posted({ targets: ["six", "attrs"] }, key) }),
  );
  expect(kinds.map(({ kind }) => kind)).toEqual(["known", "known"]);
});

test("who may not enqueue is refused, and of a private project hears nothing", async () => {
  await farm.record({ project: "secret" }, { visibility: "private" });
  expect((await enqueue(undefined, { targets: ["six"] })).status).toBe(401);
  expect((await enqueue(await farm.token(["operate"]), { targets: ["six"] })).status).toBe(403);
  const plain = await farm.token(["enqueue"]);
  expect((await enqueue(plain, { targets: ["secret"] })).status).toBe(404);
  const bound = await farm.token(["enqueue"], { projects: ["secret"] });
  expect((await enqueue(bound, { targets: ["secret"] })).status).toBe(200);
  expect((await enqueue(bound, { targets: ["six"] })).status).toBe(403);
});

test("the lane in which somebody waits is for operators", async () => {
  const body = { targets: ["six"], lane: "manual" };
  expect((await enqueue(await farm.token(["enqueue"]), body)).status).toBe(403);
  const as = await farm.token(["enqueue", "operate"]);
  expect((await enqueue(as, body)).status).toBe(200);
  expect((await listed()).jobs).toMatchObject([{ lane: "manual" }]);
  const many = { ...body, targets: Array.from({ length: 50 }, (_, at) => `p${at}`) };
  expect((await enqueue(as, { ...many, configurations: "all" })).status).toBe(400);
});

test("a job is cancelled and tried again by operators, and both are in the record", async () => {
  const key = await farm.enqueue("six");
  const as = await farm.token(["operate"], { name: "ops" });
  const act = (what: string, by?: string) =>
    farm.ask(`/jobs/${key}/${what}`, { method: "POST", ...(by === undefined ? {} : { as: by }) });
  expect((await act("cancel")).status).toBe(401);
  expect((await act("cancel", await farm.token(["enqueue"]))).status).toBe(403);
  expect((await act("cancel", await farm.token(["operate"], { projects: ["other"] }))).status).toBe(
    403,
  );
  expect(Job.parse(await (await act("cancel", as)).json())).toMatchObject({
    state: "cancelled",
    note: "by ops",
  });
  expect((await act("cancel", as)).status).toBe(409);
  expect(Job.parse(await (await act("retry", as)).json())).toMatchObject({ state: "queued" });
  expect((await act("retry", as)).status).toBe(409);
  expect((await farm.ask("/jobs/nothere/retry", { as, method: "POST" })).status).toBe(404);
  const { records } = await farm.audit.list({ limit: 20 });
  expect(records.map(({ outcome, detail }) => [outcome, detail]).toReversed()).toEqual([
    ["refused", "this needs a token with operate or admin"],
    ["refused", "this token is bound to other projects"],
    ["done", "six cpython-3.13 cancelled"],
    ["failed", "it is over already"],
    ["done", "six cpython-3.13 queued again"],
    ["failed", "it is neither dead nor cancelled, or the same was asked for again meanwhile"],
  ]);
});

test("the queue is counted for each as far as they see it", async () => {
  await farm.enqueue("six");
  await farm.enqueue("attrs");
  farm.nowMs += 1000;
  await farm.enqueue("secret", { visibility: "private" });
  await farm.record({ project: "secret" }, { visibility: "private" });
  await farm.record({ project: "six" });
  const ask = async (as?: string) =>
    QueueState.parse(await (await farm.ask("/queue", as === undefined ? {} : { as })).json());
  expect(await ask()).toEqual({
    lanes: [{ lane: "priority", state: "queued", count: 2, oldestAt: "2026-11-24T10:00:00.000Z" }],
    busiest: [
      { project: "attrs", jobs: 1 },
      { project: "six", jobs: 1 },
    ],
    attempts: { lastHour: 1, lastDay: 1 },
  });
  expect(await ask(await farm.token(["operate"]))).toMatchObject({
    lanes: [{ count: 3 }],
    busiest: [{}, { project: "secret" }, {}],
    attempts: { lastDay: 2 },
  });
  farm.nowMs += 2 * 3_600_000;
  expect((await ask()).attempts).toEqual({ lastHour: 0, lastDay: 1 });
});

test("which host runs a job, and what is wrong with it, is told to operators alone", async () => {
  const key = await farm.enqueue("six");
  const worker = await arrive(farm, "one");
  await farm.deps.queue.claim({ workerId: worker, most: 1 });
  const shown = async (as?: string) =>
    Job.parse(await (await farm.ask(`/jobs/${key}`, as === undefined ? {} : { as })).json());
  expect(await shown()).toMatchObject({ state: "leased", host: null });
  expect(await shown(await farm.token(["operate"]))).toMatchObject({ host: "one" });
});
