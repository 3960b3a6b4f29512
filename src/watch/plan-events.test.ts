import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { startCluster, type Cluster } from "../../test/postgresql/cluster.ts";
import { ReleaseAdmission } from "../queue/admission/admit.ts";
import { admissionPolicyOf } from "../queue/admission/policy-of.ts";
import { jobs } from "../queue/job-views.ts";
import { Queue } from "../queue/queue.ts";
import { newAttemptId } from "../store/attempt-id.ts";
import type { Database } from "../store/database.ts";
import { openDatabase } from "../store/open-database.ts";
import type { WatchEvent } from "./event.ts";
import { planEvents } from "./plan-events.ts";
import { SqlWatchMemory } from "./sql-watch-memory.ts";

let cluster: Cluster;
let directory = "";
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster[Symbol.asyncDispose]());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "creamery-plan-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe.each(["SQLite", "PostgreSQL"])("events made into jobs, in %s", (name) => {
  async function farm(watched: readonly string[]) {
    const database: Database = await openDatabase(
      name === "SQLite" ? join(directory, "store.sqlite") : await cluster.database(),
    );
    const queue = new Queue(database, { newId: () => newAttemptId(), now: () => 5000 });
    await database.write(async (within) => {
      for (const project of watched)
        await within.insertInto("watched").values({ name: project, since_ms: 1 }).execute();
    });
    const memory = new SqlWatchMemory(database, {
      onEvents: planEvents({
        queue,
        kind: database.kind,
        configurations: () => [
          { name: "cpython-3.13", lane: "priority" },
          { name: "cpython-2.7", lane: "rest" },
        ],
        projectOf: (project) => ({
          visibility: project === "hush" ? "private" : "public",
          repository: project === "code" ? "https://git.example/o/code" : null,
        }),
        admission: new ReleaseAdmission(admissionPolicyOf({})),
        now: () => 5000,
      }),
    });
    let revision = 0;
    return {
      database,
      queue,
      see: async (...events: readonly WatchEvent[]) => {
        revision =
          (await memory.commit({ watcher: "w", revision, changes: new Map(), events })) ?? -1;
      },
      told: async () =>
        (await database.read((db) => jobs(db, { limit: 100 }))).map(
          ({ project, version, configuration, lane, state, note }) =>
            [project, version, configuration, lane, state, note ?? ""].join(" ").trim(),
        ),
      [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
    };
  }
  const released = (project: string, version: string) => ({
    kind: "released" as const,
    project,
    version,
    uploadedAt: "1970-01-01T00:00:01Z",
  });

  test("a release of a watched project is queued on all configurations, once, however often it is seen", async () => {
    await using here = await farm(["six"]);
    await here.see(released("six", "1.0"), released("other", "1.0"));
    await here.see(released("six", "1.0"));
    expect(await here.told()).toEqual([
      "six 1.0 cpython-2.7 rest queued",
      "six 1.0 cpython-3.13 priority queued",
    ]);
    const times = await here.database.read((db) =>
      db.selectFrom("release_time").select(["uploaded_ms", "seen_ms", "verdict_ms"]).execute(),
    );
    expect(times).toEqual([{ uploaded_ms: 1000, seen_ms: 5000, verdict_ms: null }]);
  });

  test("what was uploaded long before it was first seen says nothing of how quick the farm is", async () => {
    await using here = await farm(["six"]);
    await here.see({ ...released("six", "1.0"), uploadedAt: "1969-12-30T00:00:00Z" });
    const times = await here.database.read((db) =>
      db.selectFrom("release_time").select("uploaded_ms").execute(),
    );
    expect(times).toEqual([{ uploaded_ms: null }]);
  });

  test("where everything is watched, every release is queued", async () => {
    await using here = await farm(["*"]);
    await here.see(released("a", "1.0"), released("b", "2.0"), released("a", "1.1"));
    expect((await here.told()).filter((line) => line.includes("3.13"))).toEqual([
      "a 1.1 cpython-3.13 rest queued",
      "b 2.0 cpython-3.13 rest queued",
      "a 1.0 cpython-3.13 rest superseded by 1.1",
    ]);
  });

  test("what is withdrawn is queued no more and says why; it is tested again once it is back", async () => {
    await using here = await farm(["*"]);
    await here.see(released("y", "1.0"), released("r", "1.0"), released("p", "1.0"));
    await here.see(
      { kind: "yanked", project: "y", version: "1.0", reason: "broken" },
      { kind: "release-removed", project: "r", version: "1.0" },
      { kind: "quarantined", project: "p" },
    );
    expect((await here.told()).filter((line) => line.includes("3.13"))).toEqual([
      "p 1.0 cpython-3.13 rest cancelled quarantined",
      "r 1.0 cpython-3.13 rest cancelled removed",
      "y 1.0 cpython-3.13 rest cancelled yanked: broken",
    ]);
    await here.see(released("p", "1.1"));
    expect((await here.told()).filter((line) => line.startsWith("p 1.1"))).toEqual([]);
    await here.see({ kind: "unquarantined", project: "p" }, released("p", "1.2"));
    expect((await here.told()).filter((line) => line.startsWith("p 1.2"))).toHaveLength(2);
  });

  test("a yank and its release seen together end as withdrawn", async () => {
    await using here = await farm(["*"]);
    await here.see(
      { kind: "yanked", project: "y", version: "1.0", reason: null },
      released("y", "1.0"),
    );
    expect(await here.told()).toEqual([]);
  });

  test("a push is tested from where the operator says the code is; one of no configured project is not", async () => {
    await using here = await farm([]);
    const commit = "a".repeat(40);
    const pushed = (repository: string): WatchEvent => ({
      kind: "pushed",
      repository,
      ref: "refs/heads/main",
      commit,
      of: "branch",
    });
    await here.see(pushed("code"), pushed("stranger"));
    const listed = await here.database.read((db) => jobs(db, { limit: 10 }));
    expect(listed.map(({ project, word, reason }) => [project, word, reason].join(" "))).toEqual(
      Array.from({ length: 2 }, () => `code git+https://git.example/o/code@${commit} push`),
    );
  });

  test("what is private is queued as private", async () => {
    await using here = await farm(["hush"]);
    await here.see(released("hush", "1.0"));
    const listed = await here.database.read((db) => jobs(db, { limit: 10 }));
    expect(listed.map(({ visibility }) => visibility)).toEqual(["private", "private"]);
  });
});
