import { expect, test } from "vitest";

import { onBothDatabases } from "../../../test/postgresql/on-both-databases.ts";
import { sampleAttempt } from "../../model/result-json.sample.ts";
import type { Within } from "../../model/authorise.ts";
import { newestOfCells, visibleProjects, visibleResults } from "./report-queries.ts";
import { SqlStore } from "./sql-store.ts";

const PUBLIC: Within = { allPublic: true, private: [], public: [] };
const STARTED_MS = Date.UTC(2026, 10, 24, 10);

onBothDatabases("what a report is of", (open) => {
  test("the newest of each cell, oldest first, and never what is not to be seen", async () => {
    await using database = await open();
    const store = new SqlStore(database);
    let serial = 0;
    const record = async (
      change: Parameters<typeof sampleAttempt>[0],
      told: { readonly reason?: "confirm"; readonly visibility?: "private" } = {},
    ): Promise<string> => {
      const id = `0${String(serial++).padStart(3, "0")}`;
      await store.recordAttempt({
        attempt: sampleAttempt({ id, ...change }),
        visibility: "public",
        reason: "release",
        startedAt: new Date(STARTED_MS + serial).toISOString(),
        results: [],
        ...told,
      });
      return id;
    };
    await record({ project: "six", version: "1.0" });
    const second = await record({ project: "six", version: "1.0" });
    const confirming = await record({ project: "six", version: "1.0" }, { reason: "confirm" });
    const third = await record({ project: "six", version: "1.0" });
    const other = await record({ project: "six", version: "1.0", configuration: "pypy-3.11" });
    const newer = await record({ project: "six", version: "1.1" });
    const secret = await record({ project: "secret" }, { visibility: "private" });

    const of = async (newest: number) =>
      (await newestOfCells(database, "six", newest, PUBLIC)).map(({ id }) => id);
    expect(await of(1)).toEqual([confirming, third, other, newer]);
    expect(await of(2)).toEqual([second, confirming, third, other, newer]);
    const [first] = await newestOfCells(database, "six", 1, PUBLIC);
    expect(first).toEqual({ id: confirming, version: "1.0", startedMs: STARTED_MS + 3 });

    expect(await newestOfCells(database, "secret", 1, PUBLIC)).toEqual([]);
    const projects: string[] = [];
    for await (const { name } of visibleProjects(database, PUBLIC)) projects.push(name);
    expect(projects).toEqual(["six"]);
    const seen = await visibleResults(database, [third, secret, newer], PUBLIC);
    expect(seen.map(({ attempt }) => attempt.id)).toEqual([newer, third]);
    expect(await visibleResults(database, [], PUBLIC)).toEqual([]);
  });
});
