import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";

import { startCluster, type Cluster } from "../../../test/postgresql/cluster.ts";
import type { Database } from "../../store/database.ts";
import { openDatabase } from "../../store/open-database.ts";
import { resultsPage } from "../../store/sql/result-queries.ts";
import { jobsPage } from "../../queue/job-views.ts";
import { sampleFarm, type SampleFarm } from "./farm.sample.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster[Symbol.asyncDispose]());

const EVERYTHING = { allPublic: true, private: "all", public: [] } as const;

const STORES: Readonly<Record<string, () => Promise<Database | undefined>>> = {
  SQLite: async () => undefined,
  PostgreSQL: async () => openDatabase(await cluster.database()),
};

async function filled(database: Database | undefined): Promise<SampleFarm> {
  const farm = await sampleFarm(database === undefined ? {} : { database });
  for (const [at, project] of ["attrs", "six", "zope-interface", "zope-event"].entries()) {
    farm.nowMs += 1000;
    const outcome = at === 0 ? "crash" : "fail";
    await farm.record(
      { project, outcome, version: `${at}.0` },
      { results: [{ id: "t::a", outcome: "failed", seconds: 0, message: "no" }] },
    );
    await farm.enqueue(project);
  }
  await farm.record({ project: "secret" }, { visibility: "private" });
  await farm.enqueue("secret", { visibility: "private" });
  return farm;
}

const PATHS = [
  "/projects?prefix=zope",
  "/projects?limit=2",
  "/projects/six",
  "/projects/six/releases",
  "/releases/six/1.0",
  "/attempts?outcome=crash",
  "/attempts?project=six&version=1.0",
  "/attempts?configuration=nothere",
  "/jobs?state=queued&lane=priority",
  "/jobs?project=secret",
  "/queue",
];

test("both databases answer the same", async () => {
  const answers: unknown[][] = [];
  for (const open of Object.values(STORES)) {
    await using farm = await filled(await open());
    const as = await farm.token(["read-private", "operate"]);
    const told: unknown[] = [];
    for (const path of PATHS)
      for (const token of [undefined, as]) {
        const answer = await farm.ask(path, token === undefined ? {} : { as: token });
        const body: unknown = await answer.json();
        told.push({ path, known: token !== undefined, status: answer.status, body });
      }
    expect(farm.failures).toEqual([]);
    answers.push(told);
  }
  expect(answers[1]).toEqual(answers[0]);
  const text = JSON.stringify(answers[0]);
  for (const part of ["zope-event", "crash", "secret", '"count":5', '"lastDay":4'])
    expect(text).toContain(part);
});

describe.each(Object.entries(STORES))("of %s", (_, open) => {
  test("by a filter that fits little is looked for a part at a time, and found", async () => {
    await using farm = await filled(await open());
    const found: string[] = [];
    let pages = 0;
    for (let olderThan: string | null | undefined; olderThan !== null; pages++) {
      const page: Awaited<ReturnType<typeof resultsPage>> = await resultsPage(
        farm.database,
        {
          within: EVERYTHING,
          outcome: "crash",
          limit: 10,
          ...(olderThan === undefined ? {} : { olderThan }),
        },
        2,
      );
      found.push(...page.results.map(({ attempt }) => attempt.project));
      olderThan = page.next;
    }
    expect([found, pages]).toEqual([["attrs"], 3]);
    const first = await farm.database.read((db) =>
      jobsPage(db, { within: EVERYTHING, configuration: "nothere", limit: 10 }, 2),
    );
    expect(first).toEqual({ jobs: [], next: z.number().parse(first.next) });
  });
});
