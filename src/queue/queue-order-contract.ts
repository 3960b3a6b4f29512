import { expect, test } from "vitest";

import type { Database } from "../store/database.ts";
import type { Lane } from "./job.ts";
import { HOUR_MS, queueTrial } from "./queue-trial.sample.ts";

/** Which job is the next, and for whom. On either database; `open` as `queueTrial`. */
export function orderContract(open: () => Promise<Database>): void {
  const trial = queueTrial(open);
  const { opened, request } = trial;

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
    trial.nowMs += 73 * HOUR_MS;
    const fresh = Array.from({ length: 6 }, (_, index) => request(`new${index}`));
    await farm.queue.enqueue([...fresh, request("person", { lane: "manual", reason: "manual" })]);
    const order: string[] = [];
    for (let turn = 0; turn < 4; turn++)
      for (const { project } of await farm.queue.claim({ workerId: worker, most: 1 }))
        order.push(project);
    expect(order[0]).toBe("person");
    expect(order.slice(1)).toContain("old");
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
}
