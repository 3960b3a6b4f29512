import { expect, test } from "vitest";

import { onBothDatabases } from "../../../test/postgresql/on-both-databases.ts";
import type { Within } from "../../model/authorise.ts";
import { sampleAttempt } from "../../model/result-json.sample.ts";
import type { AttemptJson } from "../../model/result-json.ts";
import { newAttemptId } from "../attempt-id.ts";
import type { Database } from "../database.ts";
import type { AttemptRecording } from "../store.ts";
import { knownVersions, newestCells, pendingOf, visibleProject } from "./matrix-queries.ts";
import { SqlStore } from "./sql-store.ts";

const EVERYTHING: Within = { allPublic: true, private: "all", public: [] };
const PUBLIC: Within = { allPublic: true, private: [], public: [] };

onBothDatabases("the cells of a project", (open) => {
  async function filled(
    recordings: readonly (Partial<AttemptJson> & { readonly told?: Partial<AttemptRecording> })[],
  ): Promise<{ readonly database: Database; readonly ids: readonly string[] }> {
    const database = await open();
    const store = new SqlStore(database);
    const ids: string[] = [];
    for (const [at, { told, ...change }] of recordings.entries()) {
      const id = newAttemptId(1_800_000_000_000 + at, Buffer.alloc(16, 1));
      ids.push(id);
      await store.recordAttempt({
        attempt: sampleAttempt({ id, ...change }),
        visibility: "public",
        reason: "release",
        startedAt: new Date(1_800_000_000_000 + at).toISOString(),
        results: [],
        ...told,
      });
    }
    return { database, ids };
  }

  async function cellsOf(database: Database, name: string, mostEach?: number) {
    const project = await visibleProject(database, name, EVERYTHING);
    const versions = await knownVersions(database, project?.id ?? 0);
    const cells = await newestCells(
      database,
      project?.id ?? 0,
      versions.map(({ id }) => id),
      mostEach,
    );
    return cells
      .map(({ versionId, ...cell }) => ({
        ...cell,
        version: versions.find(({ id }) => id === versionId)?.version,
      }))
      .toSorted((one, other) => (one.attempt < other.attempt ? -1 : 1));
  }

  test("are the newest of each version and configuration, and no other project's", async () => {
    const { database, ids } = await filled([
      { version: "1.0" },
      { version: "1.0", outcome: "pass", cause: null },
      { version: "1.1", outcome: "killed", cause: "timeout" },
      { version: "1.0", configuration: "pypy-3.11", cause: "dependency-build(cffi)" },
      { project: "other", version: "1.0", outcome: "crash", cause: "segfault" },
    ]);
    await using _ = database;
    const cells = await cellsOf(database, "mine");
    expect(cells).toEqual([
      {
        attempt: ids[1],
        version: "1.0",
        configuration: "cpython-3.13",
        outcome: "pass",
        causeKind: null,
        startedMs: 1_800_000_000_001,
      },
      expect.objectContaining({ attempt: ids[2], version: "1.1", causeKind: "timeout" }),
      expect.objectContaining({
        attempt: ids[3],
        configuration: "pypy-3.11",
        causeKind: "dependency-build",
      }),
    ]);
  });

  test("leave out what was made to confirm, to reproduce, to blame or as an experiment", async () => {
    const reasons = ["confirm", "reproduce", "blame", "experiment"] as const;
    const { database, ids } = await filled([
      { outcome: "pass", cause: null },
      ...reasons.map((reason) => ({ told: { reason } })),
    ]);
    await using _ = database;
    expect((await cellsOf(database, "mine")).map(({ attempt }) => attempt)).toEqual([ids[0]]);
  });

  test("are looked for among so many attempts of each configuration, and no more", async () => {
    const { database, ids } = await filled([
      { version: "1.0", configuration: "pypy-3.11" },
      { version: "1.0" },
      { version: "1.1" },
      { version: "1.2" },
    ]);
    await using _ = database;
    const found = (await cellsOf(database, "mine", 2)).map(({ attempt }) => attempt);
    expect(found).toEqual([ids[0], ids[2], ids[3]]);
  });

  test("are not there of what waits to be tested, which is known all the same", async () => {
    const { database } = await filled([{}]);
    await using _ = database;
    const project_id = (await visibleProject(database, "mine", EVERYTHING))?.id ?? 0;
    await database.write(async (db) => {
      const target = { project_id, line: "" };
      await db
        .insertInto("target")
        .values([
          { ...target, id: 1, word: "mine==2.0", version: "2.0" },
          { ...target, id: 2, word: "mine==3.0", version: "3.0" },
        ])
        .execute();
      const { id: configuration_id } = await db
        .selectFrom("configuration")
        .select("id")
        .executeTakeFirstOrThrow();
      const job = { target_id: 1, configuration_id, reason: "release", lane: 0, tag: 0 };
      const times = { enqueued_ms: 0, ready_ms: 0, tries: 0, farm_faults: 0 };
      await db
        .insertInto("queue_job")
        .values([
          { ...job, ...times, key: "a", state: 0 },
          { ...job, ...times, key: "b", state: 3 },
        ])
        .execute();
    });
    expect([
      await pendingOf(database, project_id, "2.0"),
      await pendingOf(database, project_id, "3.0"),
      await pendingOf(database, project_id, "4.0"),
      await pendingOf(database, project_id + 1, "2.0"),
    ]).toEqual([1, 0, null, null]);
  });

  test("are nobody's to see where the project is not", async () => {
    const { database } = await filled([{ told: { visibility: "private" } }]);
    await using _ = database;
    expect(await visibleProject(database, "mine", PUBLIC)).toBeNull();
    expect(await visibleProject(database, "nothere", EVERYTHING)).toBeNull();
    expect(await visibleProject(database, "mine", EVERYTHING)).toMatchObject({
      name: "mine",
      visibility: "private",
    });
  });
});
