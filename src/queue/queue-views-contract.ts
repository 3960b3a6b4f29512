import { expect, test } from "vitest";

import type { Database } from "../store/database.ts";
import { busiestProjects, laneCounts } from "./job-counts.ts";
import { jobs } from "./job-views.ts";
import { queueTrial } from "./queue-trial.sample.ts";

const signal = new AbortController().signal;

/** What the queue tells of itself. On either database; `open` as `queueTrial`. */
export function viewsContract(open: () => Promise<Database>): void {
  const trial = queueTrial(open);
  const { opened, request } = trial;

  test("how much is open is counted as one by one, for whoever looks, and says nothing of what is not theirs", async () => {
    await using farm = await opened();
    const worker = await farm.arrive("one");
    const names = ["secret", "a", "b", "hidden", "c"];
    for (const [index, project] of names.entries()) {
      const isPrivate = project === "secret" || project === "hidden";
      trial.nowMs += 1000;
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
}
