import { expect, test } from "vitest";

import { onBothDatabases } from "../../../test/postgresql/on-both-databases.ts";
import type { Within } from "../../model/authorise.ts";
import { sampleAttempt } from "../../model/result-json.sample.ts";
import type { AttemptJson } from "../../model/result-json.ts";
import type { Dependency } from "../../python/depends-on.ts";
import { newAttemptId } from "../attempt-id.ts";
import type { Database } from "../database.ts";
import type { AttemptRecording } from "../store.ts";
import { dependenciesOf, newestOfProjects, visibleDependents } from "./dependent-queries.ts";
import { visibleProject } from "./matrix-queries.ts";
import { SqlStore } from "./sql-store.ts";

const EVERYTHING: Within = { allPublic: true, private: "all", public: [] };
const PUBLIC: Within = { allPublic: true, private: [], public: [] };

onBothDatabases("who depends on a project", (open) => {
  let serial = 0;
  async function record(
    database: Database,
    change: Partial<AttemptJson>,
    needs: readonly `${Dependency["kind"]} ${string}`[] = [],
    told: Partial<AttemptRecording> = {},
  ): Promise<void> {
    const atMs = 1_800_000_000_000 + ++serial;
    await new SqlStore(database).recordAttempt({
      attempt: sampleAttempt({ id: newAttemptId(atMs), ...change }),
      visibility: "public",
      reason: "release",
      startedAt: new Date(atMs).toISOString(),
      results: [],
      dependencies: needs.map((text) => {
        const [kind, name = ""] = text.split(" ");
        return { name, kind: kind === "run" || kind === "build" ? kind : "extra" };
      }),
      ...told,
    });
  }

  async function idOf(database: Database, name: string): Promise<number> {
    return (await visibleProject(database, name, EVERYTHING))?.id ?? 0;
  }

  test("is counted once, those on which most depend first, and without extras and itself", async () => {
    await using database = await open();
    await record(database, { project: "lmdb" }, ["run lmdb"]);
    await record(database, { project: "alone" }, ["run lmdb", "build lmdb"]);
    await record(database, { project: "busy" }, ["build lmdb"]);
    await record(database, { project: "user" }, ["run busy", "extra lmdb"]);
    const found = await visibleDependents(database, "lmdb", PUBLIC, 20);
    expect([found.count, found.hasMore, found.first.map(({ name }) => name)]).toEqual([
      2,
      false,
      ["busy", "alone"],
    ]);
  });

  test("is not there for who may not see it", async () => {
    await using database = await open();
    await record(database, { project: "secret" }, ["run lmdb"], { visibility: "private" });
    const counts = [];
    for (const within of [PUBLIC, EVERYTHING, { ...PUBLIC, private: ["secret"] }])
      counts.push((await visibleDependents(database, "lmdb", within, 20)).count);
    expect(counts).toEqual([0, 1, 1]);
  });

  test("is looked through so far, and then said to be more", async () => {
    await using database = await open();
    for (const project of ["one", "two", "three"])
      await record(database, { project }, ["run lmdb"]);
    const found = await visibleDependents(database, "lmdb", PUBLIC, 1, 2);
    expect([found.count, found.hasMore, found.first.length]).toEqual([2, true, 1]);
  });

  test("and on whom it depends are told with what the farm knows of them, as far as it may be seen", async () => {
    await using database = await open();
    await record(database, { project: "cffi" });
    await record(database, { project: "secret" }, [], { visibility: "private" });
    await record(database, { project: "lmdb" }, [
      "extra cffi",
      "run cffi",
      "run secret",
      "extra pytest",
    ]);
    const id = await idOf(database, "lmdb");
    expect(await dependenciesOf(database, id, PUBLIC)).toEqual([
      { name: "cffi", kind: "run", isKnown: true },
      { name: "pytest", kind: "extra", isKnown: false },
      { name: "secret", kind: "run", isKnown: false },
    ]);
    expect((await dependenciesOf(database, id, EVERYTHING))[2]?.isKnown).toBe(true);
  });

  test("stands as its newest attempts on each configuration say", async () => {
    await using database = await open();
    await record(database, { project: "user", outcome: "crash", cause: "segfault" });
    await record(database, { project: "user", version: "2.0", outcome: "pass", cause: null });
    await record(database, { project: "user" }, [], { reason: "confirm" });
    await record(database, { project: "user", configuration: "pypy-3.11" });
    await record(database, { project: "other", configuration: "pypy-3.10" });
    const id = await idOf(database, "user");
    const cells = (await newestOfProjects(database, [id])).get(id) ?? [];
    expect(
      cells
        .map(({ configuration, outcome }) => `${configuration} ${outcome}`)
        .toSorted((left, right) => (left < right ? -1 : 1)),
    ).toEqual(["cpython-3.13 pass", "pypy-3.11 fail"]);
  });
});
