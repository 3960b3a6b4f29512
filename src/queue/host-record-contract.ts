import { expect, test } from "vitest";

import { newAttemptId } from "../store/attempt-id.ts";
import type { Database } from "../store/database.ts";
import { Hosts, HostFacts } from "./hosts.ts";
import { Queue, type Finish } from "./queue.ts";

const FAULT: Finish = { kind: "farm-fault", recordings: [], reason: "machine" };
const GOOD: Finish = { kind: "impossible", reason: "there is no such release" };

/** How hosts go out of service by themselves, on either database; `open` opens an empty one. */
export function hostRecordContract(open: () => Promise<Database>): void {
  async function opened() {
    const database = await open();
    let nowMs = 1_000_000_000_000;
    let serial = 0;
    const out: string[] = [];
    const finished: string[] = [];
    const queue = new Queue(database, {
      policy: { mostFarmFaults: 1 },
      now: () => nowMs,
      newId: () => newAttemptId(),
      events: {
        onHostOut: ({ host }) => out.push(host),
        onFinished: ({ kind }) => finished.push(kind),
      },
    });
    const hosts = new Hosts(database, () => nowMs);
    const ids = new Map<string, number>();
    for (const name of ["good", "bad", "fine"]) {
      const arrival = { name, boot: "1", slots: 1, facts: HostFacts.parse({}) };
      ids.set(name, (await hosts.arrive(arrival)).host.id);
    }
    /** So many leases of a host, each ended so. */
    const end = async (host: string, finish: Finish, times: number): Promise<void> => {
      const workerId = ids.get(host) ?? 0;
      const projects = Array.from({ length: times }, () => `p${++serial}`);
      await queue.enqueue(
        projects.map((project) => ({
          id: project,
          project,
          visibility: "public" as const,
          word: `${project}==1`,
          version: "1",
          line: "",
          reason: "release" as const,
          configurations: [{ name: "cpython-3.13", lane: "priority" as const }],
        })),
      );
      for (const { attempt } of await queue.claim({ workerId, most: times }))
        // Said twice, as by a worker that did not hear the answer.
        for (const _ of [1, 2]) await queue.finish(workerId, attempt, finish);
    };
    return {
      hosts,
      out,
      finished,
      end,
      later: (ms: number) => (nowMs += ms),
      state: async (name: string) => (await hosts.byName(name))?.state,
      [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
    };
  }

  test("a host that alone fails goes out of service, says why, and comes back when an operator says so", async () => {
    await using farm = await opened();
    await farm.end("good", GOOD, 20);
    await farm.end("fine", GOOD, 20);
    await farm.end("bad", FAULT, 4);
    expect(await farm.state("bad")).toBe("active");
    await farm.end("bad", FAULT, 1);
    expect(await farm.state("bad")).toBe("out-of-service");
    expect((await farm.hosts.byName("bad"))?.reason).toMatch(/^5 of its last 5 jobs/u);
    expect(farm.out).toEqual(["bad"]);
    // What it still ran changes nothing, and is not told again.
    await farm.end("bad", FAULT, 1);
    expect(farm.out).toEqual(["bad"]);
    await farm.hosts.setState("bad", "active", null);
    await farm.end("bad", FAULT, 4);
    expect(await farm.state("bad")).toBe("active");
    await farm.end("bad", FAULT, 1);
    expect(await farm.state("bad")).toBe("out-of-service");
    expect(await farm.state("good")).toBe("active");
  });

  test("leases that were given back say nothing of a host, and an end is counted once", async () => {
    await using farm = await opened();
    await farm.end("good", GOOD, 30);
    await farm.end("good", FAULT, 4);
    await farm.end("fine", GOOD, 24);
    await farm.end("fine", FAULT, 2);
    expect(farm.finished).toHaveLength(60);
    // Were these good ends, five faults would be what the others have too.
    await farm.end("bad", { kind: "returned" }, 40);
    await farm.end("bad", FAULT, 4);
    expect(await farm.state("bad")).toBe("active");
    await farm.end("bad", FAULT, 1);
    expect(await farm.state("bad")).toBe("out-of-service");
  });

  test("what was a day ago counts no more", async () => {
    await using farm = await opened();
    await farm.end("good", GOOD, 30);
    await farm.end("bad", FAULT, 4);
    farm.later(25 * 3_600_000);
    await farm.end("good", GOOD, 30);
    await farm.end("bad", FAULT, 4);
    expect(await farm.state("bad")).toBe("active");
  });

  test("a host that is being drained stays so", async () => {
    await using farm = await opened();
    await farm.end("good", GOOD, 30);
    await farm.end("bad", FAULT, 4);
    await farm.hosts.setState("bad", "draining", "a new disk");
    await farm.end("bad", FAULT, 3);
    expect(await farm.hosts.byName("bad")).toMatchObject({
      state: "draining",
      reason: "a new disk",
    });
    expect(farm.out).toEqual([]);
  });

  test("where all fail alike nobody goes", async () => {
    await using farm = await opened();
    for (let round = 0; round < 4; round++)
      for (const name of ["good", "bad", "fine"]) {
        await farm.end(name, GOOD, 3);
        await farm.end(name, FAULT, 3);
      }
    expect(farm.out).toEqual([]);
  });
}
