import { expect, test } from "vitest";

import { onBothDatabases } from "../../test/postgresql/on-both-databases.ts";
import { sampleAttempt } from "../model/result-json.sample.ts";
import type { AttemptJson } from "../model/result-json.ts";
import type { Visibility } from "../model/principals.ts";
import { HostFacts, Hosts } from "../queue/hosts.ts";
import { Queue } from "../queue/queue.ts";
import { newAttemptId } from "../store/attempt-id.ts";
import { forgetNotices, NOTICE_STATE, waitingNotices } from "../store/sql/notice-rows.ts";
import { SqlStore } from "../store/sql/sql-store.ts";
import type { Notice } from "./change-notice.ts";
import type { Delivery, NoticeTarget, Sending, TargetKind } from "./notice-target.ts";
import { planNotices } from "./plan-notices.ts";
import { NoticeSender } from "./send-notices.ts";

const HOUR_MS = 3_600_000;
const COMMIT = "c".repeat(40);
const REPOSITORY = "https://git.example/mine";
const never = new AbortController().signal;

const PASS = { outcome: "pass", cause: null, confidence: "unconfirmed" } as const;
const LATER: Delivery = { kind: "later", reason: "is away", afterMs: null, isOfHost: true };

/** A target that remembers what it was sent, and answers as it is told. */
class Receiver implements NoticeTarget {
  readonly kind: TargetKind;
  readonly project: string;
  readonly host: string;
  readonly takes: Notice["about"];
  readonly got: Sending[] = [];
  answer: (sending: Sending) => Delivery | Promise<Delivery> = () => ({ kind: "delivered" });

  constructor(kind: TargetKind, project = "mine", host = `${kind}.example`) {
    this.kind = kind;
    this.project = project;
    this.host = host;
    this.takes = kind === "webhook" ? "change" : "commit";
  }

  async send(sending: Sending): Promise<Delivery> {
    this.got.push(sending);
    return await this.answer(sending);
  }

  get told(): string[] {
    return this.got.map(({ notice }) =>
      notice.about === "change"
        ? `${notice.kind} ${notice.project} ${notice.version}`
        : `${notice.outcome} ${notice.configuration} ${notice.commit.slice(0, 3)}`,
    );
  }
}

onBothDatabases("notices", (open) => {
  async function opened(...targets: Receiver[]) {
    const database = await open();
    const store = new SqlStore(database);
    const clock = { nowMs: Date.UTC(2026, 10, 24, 10) };
    const now = () => clock.nowMs;
    const newId = () => newAttemptId(clock.nowMs);
    const queue = new Queue(database, { now, random: () => 1, newId });
    const { host } = await new Hosts(database, now).arrive({
      name: "host",
      boot: "1",
      slots: 1,
      facts: HostFacts.parse({}),
    });
    const log: string[] = [];
    let serial = 0;
    const startedAt = () => new Date(clock.nowMs).toISOString();
    const farm = {
      database,
      clock,
      log,
      async tested(
        version: string,
        change: Partial<AttemptJson> = {},
        visibility: Visibility = "public",
      ) {
        const id = newAttemptId(clock.nowMs + ++serial);
        const attempt = sampleAttempt({ id, version, ...change });
        await store.recordAttempt({
          attempt,
          visibility,
          reason: "release",
          startedAt: startedAt(),
          results: [],
        });
        return id;
      },
      /** A push that was queued, claimed and tested. */
      async pushed(commit: string, change: Partial<AttemptJson> = {}, url = REPOSITORY) {
        return await farm.ended(await farm.begun(commit, url), change);
      },
      async begun(commit: string, url = REPOSITORY) {
        await queue.enqueue([
          {
            id: `push${++serial}`,
            project: "mine",
            visibility: "public",
            word: `git+${url}@${commit}`,
            version: commit,
            line: "refs/heads/main",
            reason: "push",
            configurations: [{ name: "cpython-3.13", lane: "priority" }],
          },
        ]);
        clock.nowMs += 5 * HOUR_MS;
        const [job] = await queue.claim({ workerId: host.id, most: 1 });
        return job?.attempt ?? "";
      },
      async ended(id: string, change: Partial<AttemptJson> = {}) {
        const source = { kind: "repository", sha256: "c".repeat(64) } as const;
        const attempt = sampleAttempt({ id, version: "1.1.dev0", source, ...change });
        const recording = {
          attempt,
          visibility: "public",
          reason: "push",
          startedAt: startedAt(),
          results: [],
        } as const;
        expect(await queue.finish(host.id, id, { kind: "done", recordings: [recording] })).toBe(
          "kept",
        );
        return id;
      },
      plan: (to: readonly Receiver[] = targets) =>
        planNotices({ database, targets: to, repositoryOf: () => REPOSITORY, now }),
      sender: (to: readonly Receiver[] = targets) =>
        new NoticeSender({
          database,
          targets: to,
          now,
          random: () => 1,
          events: {
            onFault: ({ project }, reason) => log.push(`${project}: ${reason}`),
            onLost: ({ project }, end, reason) => log.push(`${project}: ${end}: ${reason}`),
          },
        }),
      rows: () =>
        database.read((db) => db.selectFrom("notice").selectAll().orderBy("id").execute()),
      waiting: async () => (await database.read(waitingNotices)).count,
      [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
    };
    return farm;
  }

  test("a change is told once, and what is no change never", async () => {
    const hook = new Receiver("webhook");
    await using farm = await opened(hook);
    const sender = farm.sender();
    for (const [version, change] of [
      ["1.0", PASS],
      ["1.1", {}],
      ["1.2", {}],
      ["1.3", { outcome: "crash", cause: "segfault" }],
      ["1.4", PASS],
      ["1.5", PASS],
    ] as const) {
      await farm.tested(version, change);
      expect(await farm.plan()).toBe(false);
      await farm.plan();
      await sender.round(never);
    }
    await sender.round(never);
    expect(hook.told).toEqual(["broke mine 1.1", "changed mine 1.3", "fixed mine 1.4"]);
    expect(new Set(hook.got.map(({ id }) => id)).size).toBe(3);
    expect(hook.got[0]?.id).toMatch(/^msg_[0-9a-z]+$/u);
    expect(await farm.waiting()).toBe(0);
  });

  test("neither what the farm did wrong is told, nor what was not confirmed or did not repeat", async () => {
    const hook = new Receiver("webhook");
    const forge = new Receiver("github");
    await using farm = await opened(hook, forge);
    await farm.tested("1.0", PASS);
    const wrong = [
      { outcome: "error", cause: "vm-resume", confidence: "unconfirmed" },
      { cause: "machine-difference", confidence: "confirmed(3/3)" },
      { confidence: "unconfirmed" },
      { confidence: "flaky" },
      { outcome: "skip", cause: "no-tests", confidence: "inferred" },
    ] as const;
    for (const [index, change] of wrong.entries()) {
      await farm.tested(`1.${index + 1}`, change);
      await farm.pushed(COMMIT, change);
    }
    await farm.plan();
    await farm.sender().round(never);
    expect([...hook.got, ...forge.got]).toEqual([]);
  });

  test("nobody is told of what happened before they asked, nor of another's project", async () => {
    const [mine, other] = [new Receiver("webhook"), new Receiver("webhook", "other")];
    await using farm = await opened(mine, other);
    await farm.tested("1.0", PASS);
    await farm.tested("1.1");
    await farm.plan([]);
    await farm.plan();
    await farm.tested("1.0", { project: "hidden", ...PASS }, "private");
    await farm.tested("1.1", { project: "hidden" }, "private");
    await farm.plan();
    await farm.sender().round(never);
    expect(await farm.rows()).toEqual([]);
    const hidden = new Receiver("webhook", "hidden");
    await farm.tested("1.2", { project: "hidden", ...PASS }, "private");
    await farm.plan([mine, other, hidden]);
    await farm.sender([mine, other, hidden]).round(never);
    expect(hidden.told).toEqual(["fixed hidden 1.2"]);
    expect([...mine.got, ...other.got]).toEqual([]);
  });

  test("a process that dies before it notes that it sent leaves it to be sent again, later and under the same id", async () => {
    const hook = new Receiver("webhook");
    await using farm = await opened(hook);
    await farm.tested("1.0", PASS);
    await farm.tested("1.1");
    await farm.plan();
    const sent = Promise.withResolvers<void>();
    hook.answer = () => {
      sent.resolve();
      return new Promise<Delivery>(() => undefined);
    };
    void farm.sender().round(never);
    await sent.promise;
    hook.answer = () => ({ kind: "delivered" });
    await farm.sender().round(never);
    expect(hook.got).toHaveLength(1);
    farm.clock.nowMs += 3 * 60_000;
    await farm.sender().round(never);
    await farm.sender().round(never);
    expect(hook.got.map(({ isRepeat }) => isRepeat)).toEqual([false, true]);
    expect(new Set(hook.got.map(({ id }) => id)).size).toBe(1);
    expect((await farm.rows()).map(({ state }) => state)).toEqual([NOTICE_STATE.delivered]);
  });

  test("two who plan and send at once tell it once", async () => {
    const hook = new Receiver("webhook");
    await using farm = await opened(hook);
    await farm.tested("1.0", PASS);
    await farm.tested("1.1");
    // A file has one coordinator.
    await using second = farm.database.kind === "sqlite" ? null : await open();
    const other = {
      database: second ?? farm.database,
      targets: [hook],
      now: () => farm.clock.nowMs,
    };
    const planning = { ...other, repositoryOf: () => null };
    await Promise.all([farm.plan(), planNotices(planning), farm.plan(), planNotices(planning)]);
    expect(await farm.rows()).toHaveLength(1);
    const senders = [farm.sender(), new NoticeSender(other), farm.sender()];
    await Promise.all(senders.map((sender) => sender.round(never)));
    expect(hook.got).toHaveLength(1);
  });

  test("a receiver that is away for hours is asked ever more seldom, and gets all of it in the end", async () => {
    const hook = new Receiver("webhook");
    await using farm = await opened(hook);
    const sender = farm.sender();
    await farm.tested("1.0", PASS);
    for (let version = 1; version <= 6; version++)
      await farm.tested(`1.${version}`, version % 2 === 0 ? PASS : {});
    await farm.plan();
    hook.answer = () => LATER;
    for (let minute = 0; minute < 12 * 60; minute++) {
      await sender.round(never);
      farm.clock.nowMs += 60_000;
    }
    // Not once a minute for each, nor so seldom that nobody hears of it for hours after.
    expect(hook.got.length).toBeGreaterThan(40);
    expect(hook.got.length).toBeLessThan(90);
    expect(await farm.waiting()).toBe(6);
    // What is new does not begin anew with asking twice a minute.
    const before = hook.got.length;
    await farm.tested("1.7");
    await farm.plan();
    for (let second = 0; second < 15 * 60; second += 15) {
      await sender.round(never);
      farm.clock.nowMs += 15_000;
    }
    expect(hook.got.length - before).toBeLessThanOrEqual(2);
    hook.got.length = 0;
    hook.answer = () => ({ kind: "delivered" });
    for (let minute = 0; minute < 16; minute++) {
      await sender.round(never);
      farm.clock.nowMs += 60_000;
    }
    expect(
      hook.told.toSorted((one, other) => one.slice(-1).localeCompare(other.slice(-1))),
    ).toEqual([
      "broke mine 1.1",
      "fixed mine 1.2",
      "broke mine 1.3",
      "fixed mine 1.4",
      "broke mine 1.5",
      "fixed mine 1.6",
      "broke mine 1.7",
    ]);
    expect(farm.log).toEqual(["mine: is away", "mine: null"]);
  });

  test("what nobody takes for two days is given up, and what is refused at once", async () => {
    const hook = new Receiver("webhook");
    await using farm = await opened(hook);
    const sender = farm.sender();
    await farm.tested("1.0", PASS);
    await farm.tested("1.1");
    await farm.plan();
    hook.answer = () => LATER;
    for (let hour = 0; hour < 47; hour++) {
      await sender.round(never);
      farm.clock.nowMs += HOUR_MS;
    }
    expect(await farm.waiting()).toBe(1);
    farm.clock.nowMs += 2 * HOUR_MS;
    await sender.round(never);
    await farm.tested("1.2", PASS);
    await farm.plan();
    hook.answer = () => ({ kind: "refused", reason: "no more" });
    farm.clock.nowMs += HOUR_MS;
    await sender.round(never);
    const { expired, refused } = NOTICE_STATE;
    expect(await farm.rows()).toMatchObject([
      { state: expired, answer: "is away" },
      { state: refused, answer: "no more" },
    ]);
    expect(farm.log).toEqual([
      "mine: is away",
      "mine: expired: is away",
      "mine: null",
      "mine: refused: no more",
    ]);
    await farm.database.write((within) => forgetNotices(within, farm.clock.nowMs + 1));
    expect(await farm.rows()).toEqual([]);
  });

  test("no one receiver holds up another, and none is asked before it said", async () => {
    const [slow, quick] = [new Receiver("webhook"), new Receiver("webhook", "other", "b.example")];
    const neighbour = new Receiver("webhook", "third", slow.host);
    await using farm = await opened(slow, quick, neighbour);
    for (const project of ["mine", "other", "third"]) {
      await farm.tested("1.0", { project, ...PASS });
      await farm.tested("1.1", { project });
    }
    await farm.plan();
    slow.answer = () => ({ kind: "later", reason: "429", afterMs: HOUR_MS / 2, isOfHost: true });
    const sender = farm.sender();
    await sender.round(never);
    expect([slow, quick, neighbour].map(({ got }) => got.length)).toEqual([1, 1, 0]);
    farm.clock.nowMs += HOUR_MS / 2 - 1000;
    await sender.round(never);
    expect([slow, neighbour].map(({ got }) => got.length)).toEqual([1, 0]);
    farm.clock.nowMs += HOUR_MS / 10;
    slow.answer = () => ({ kind: "delivered" });
    await sender.round(never);
    expect([slow, neighbour].map(({ got }) => got.length)).toEqual([2, 1]);
  });

  test("what was being sent when the farm was told to stop waits for its next start, and is no failure", async () => {
    const hook = new Receiver("webhook");
    await using farm = await opened(hook);
    await farm.tested("1.0", PASS);
    await farm.tested("1.1");
    await farm.plan();
    const ends = new AbortController();
    hook.answer = () => {
      ends.abort();
      return { kind: "later", reason: "was interrupted", afterMs: null, isOfHost: false };
    };
    await farm.sender().round(ends.signal);
    expect(farm.log).toEqual([]);
    hook.answer = () => ({ kind: "delivered" });
    await farm.sender().round(never);
    expect(hook.got).toHaveLength(2);
  });

  test("where nobody is to be told any more, what waits is dropped", async () => {
    await using farm = await opened(new Receiver("webhook"));
    await farm.tested("1.0", PASS);
    await farm.tested("1.1");
    await farm.plan();
    await farm.sender([]).round(never);
    expect(await farm.rows()).toMatchObject([{ state: NOTICE_STATE.dropped }]);
  });

  test("each tested commit is told what came of it, the good too, and the same once", async () => {
    const [github, gitlab] = [new Receiver("github"), new Receiver("gitlab")];
    await using farm = await opened(github, gitlab);
    const sender = farm.sender();
    const step = async (commit: string, change: Partial<AttemptJson>) => {
      const attempt = await farm.pushed(commit, change);
      await farm.plan();
      await sender.round(never);
      return attempt;
    };
    await step(COMMIT, PASS);
    await step("d".repeat(40), PASS);
    await step("d".repeat(40), PASS);
    await step("d".repeat(40), {});
    const attempt = await step("d".repeat(40), PASS);
    const told = [
      "pass cpython-3.13 ccc",
      "pass cpython-3.13 ddd",
      "fail cpython-3.13 ddd",
      "pass cpython-3.13 ddd",
    ];
    expect(github.told).toEqual(told);
    expect(gitlab.told).toEqual(told);
    expect(github.got.at(-1)?.notice).toMatchObject({
      commit: "d".repeat(40),
      line: "refs/heads/main",
      attempt,
      tests: { passed: 1, failed: 1, errors: 0 },
    });
  });

  test("a commit whose test ends after that of a later one is told all the same", async () => {
    const forge = new Receiver("github");
    await using farm = await opened(forge);
    const first = await farm.begun(COMMIT);
    await farm.pushed("d".repeat(40), PASS);
    await farm.ended(first, PASS);
    await farm.plan();
    await farm.sender().round(never);
    expect(forge.told).toEqual(["pass cpython-3.13 ddd", "pass cpython-3.13 ccc"]);
  });

  test("of one commit nothing older is said after what is newer", async () => {
    const forge = new Receiver("github");
    await using farm = await opened(forge);
    const sender = farm.sender();
    forge.answer = () => LATER;
    await farm.pushed(COMMIT, {});
    await farm.plan();
    await sender.round(never);
    await farm.pushed(COMMIT, PASS);
    await farm.plan();
    forge.answer = () => ({ kind: "delivered" });
    farm.clock.nowMs += HOUR_MS;
    await sender.round(never);
    expect(forge.told).toEqual(["fail cpython-3.13 ccc", "pass cpython-3.13 ccc"]);
    const { superseded, delivered } = NOTICE_STATE;
    expect((await farm.rows()).map(({ state }) => state)).toEqual([superseded, delivered]);
  });

  test("a build that fails twice of a commit is believed; releases and other repositories have no commit here", async () => {
    const forge = new Receiver("github");
    await using farm = await opened(forge);
    const build = { phase: "build", cause: "compiler", confidence: "unconfirmed" } as const;
    await farm.pushed(COMMIT, build);
    await farm.pushed("e".repeat(40), PASS, "https://git.example/somebody-elses");
    await farm.tested("1.0", PASS);
    await farm.tested("1.1");
    await farm.plan();
    await farm.sender().round(never);
    expect(forge.told).toEqual([]);
    await farm.pushed(COMMIT, build);
    await farm.pushed(COMMIT, build);
    await farm.plan();
    await farm.sender().round(never);
    expect(forge.told).toEqual(["fail cpython-3.13 ccc"]);
  });
});
