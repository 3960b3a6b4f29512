import { mkdtempSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Kysely, PostgresDialect, sql, type Selectable } from "kysely";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { startCluster, type Cluster } from "../../../test/postgresql/cluster.ts";
import { sampleAttempt } from "../../model/result-json.sample.ts";
import { openDatabase } from "../open-database.ts";
import { openStore } from "../open-store.ts";
import { openPostgresql } from "../postgresql/open-postgresql.ts";
import type { Tables } from "../schema.ts";
import { rowOf } from "../sql/result-row.ts";
import { SqlStore } from "../sql/sql-store.ts";
import { nodeSqliteDialect } from "../sqlite/dialect.ts";
import { migrate } from "../sqlite/migrate.ts";
import type { Store } from "../store.ts";
import { openSnapshot } from "../transfer/transfer-database.ts";
import { MIGRATIONS } from "./all.ts";

/** A database of a test's own, at any earlier version of the schema, and opened by the farm of today. */
interface Past {
  /** Brings it to this version, and gives it to be filled. */
  at(version: number, fill: (db: Kysely<unknown>) => Promise<void>): Promise<void>;
  open(): Promise<Store>;
  /** Where it is, for what opens it in another way. */
  readonly location: string;
}

let directory = "";
let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster[Symbol.asyncDispose]());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "creamery-store-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const PASTS: Readonly<Record<string, () => Promise<Past>>> = {
  async SQLite() {
    const file = join(directory, "store.sqlite");
    return {
      async at(version, fill) {
        const database = new DatabaseSync(file);
        await migrate(database, MIGRATIONS.slice(0, version));
        await fill(new Kysely<unknown>({ dialect: nodeSqliteDialect(database) }));
        database.close();
      },
      open: () => openStore(file),
      location: file,
    };
  },
  async PostgreSQL() {
    const url = await cluster.database();
    return {
      async at(version, fill) {
        const opened = await openPostgresql(url, { migrations: MIGRATIONS.slice(0, version) });
        await opened[Symbol.asyncDispose]();
        const pool = new pg.Pool({ connectionString: url, max: 1 });
        const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
        await fill(db);
        await db.destroy();
      },
      open: async () => new SqlStore(await openPostgresql(url)),
      location: url,
    };
  },
};

const kept = sampleAttempt({ id: "a1", cause: "removed-api(distutils)" });

const later = {
  attempt: sampleAttempt({ id: "a2" }),
  visibility: "private",
  reason: "confirm",
  of: "a1",
  startedAt: "2026-11-25T10:00:00.000Z",
} as const;

/** An attempt as the first schema keeps it. */
async function fillFirst(db: Kysely<unknown>, builder: string): Promise<void> {
  const { plan, tests, evidence, seconds, axes } = kept;
  const column = builder === "" ? sql`` : sql`, builder`;
  const value = builder === "" ? sql`` : sql`, ${builder}`;
  for (const statement of [
    sql`insert into project (id, name, visibility) values (1, 'mine', 'private')`,
    sql`insert into configuration (id, name) values (1, 'cpython-3.13')`,
    sql`insert into image (id, name) values (1, ${kept.image})`,
    sql`insert into release (id, project_id, version) values (1, 1, '1.0')`,
    sql`insert into source (id, release_id, kind, sha256) values (1, 1, 'release', ${kept.source.sha256})`,
    sql`insert into axes (id, digest, source_sha256, interpreter, image_id, machine, index_date, lock, plan, agent ${column})
      values (1, 'd', ${axes.source}, ${axes.interpreter}, 1, ${axes.machine}, ${axes.indexDate}, ${axes.lock}, ${axes.plan},
        ${axes.agent} ${value})`,
    sql`insert into job (id, source_id, configuration_id, reason) values (1, 1, 1, 'reproduce')`,
    sql`insert into attempt (id, job_id, axes_id, of_attempt, started_at, phase, outcome, cause_kind, cause_detail, smoke,
        confidence, comparison, installed, machine, plan_rung, plan_command, plan_rejected, collected, passed, failed, errors,
        skipped, deselected, seconds, evidence, log, report)
      values ('a1', 1, 1, 'a0', '2026-11-24T10:00:00Z', ${kept.phase}, ${kept.outcome}, 'removed-api', 'distutils', ${kept.smoke},
        ${kept.confidence}, ${kept.comparison}, ${kept.installed}, ${kept.machine}, ${plan.rung}, ${plan.command},
        ${JSON.stringify(plan.rejected)}, ${tests?.collected}, ${tests?.passed}, ${tests?.failed}, ${tests?.errors},
        ${tests?.skipped}, ${tests?.deselected}, ${JSON.stringify(seconds)}, ${JSON.stringify(evidence)}, ${kept.log}, ${kept.report})`,
    sql`insert into test (id, project_id, name) values (1, 1, 't::a')`,
    sql`insert into test_nonpass (attempt_id, test_id, outcome, message) values ('a1', 1, 'failed', 'broke')`,
  ])
    await statement.execute(db);
}

/** A result as schema 3 keeps it, beside what it made of the first schema's. */
async function fillResults(db: Kysely<unknown>): Promise<void> {
  const row = rowOf({ ...later, results: [] });
  for (const statement of [
    sql`insert into result (id, release_id, project_id, configuration_id, image_id, reason, of_attempt, started_ms, outcome,
        cause_kind, detail)
      values (${row.id}, 1, 1, 1, 1, ${row.reason}, ${row.of_attempt}, ${row.started_ms}, ${row.outcome}, ${row.cause_kind},
        ${row.detail})`,
    sql`insert into result_failure (result_id, test_id, outcome, message) values (${row.id}, 1, 'error', 'broke again')`,
  ])
    await statement.execute(db);
}

/** What schema 4 keeps of a queue at work, by table. */
const QUEUE = {
  worker: [
    {
      id: 3,
      name: "host",
      boot: "b",
      state: "ready",
      reason: null,
      slots: 2,
      seen_ms: 2 ** 52,
      facts: "{}",
    },
  ],
  target: [{ id: 5, project_id: 1, word: "mine==1.0", version: "1.0", line: "" }],
  queue_job: [
    {
      id: 7,
      key: "j-0",
      target_id: 5,
      configuration_id: 1,
      reason: "release",
      lane: 1,
      state: 2,
      tag: 2 ** 40,
      enqueued_ms: 1,
      ready_ms: 2,
      tries: 1,
      farm_faults: 0,
      attempt: "a3",
      lease_ms: 9,
      worker_id: 3,
      note: null,
    },
  ],
  queue_flow: [{ lane: 1, project_id: 1, finish: 2 ** 40 + 1 }],
  queue_cooldown: [{ project_id: 1, line: "main", ready_ms: 8 }],
  farm_setting: [{ name: "paused", value: "true" }],
} satisfies Partial<{ [Table in keyof Tables]: Partial<Selectable<Tables[Table]>>[] }>;

/** The same of what schema 5 brings. */
const WATCHED = {
  watcher: [{ name: "simple-pages:1", revision: 4 }],
  watcher_part: [{ watcher: "simple-pages:1", key: "page:mine", text: "{}" }],
  watch_event: [{ id: 2, watcher: "simple-pages:1", seen_ms: 2 ** 41, event: "{}" }],
  watched: [{ name: "mine", since_ms: 3 }],
  withdrawn: [{ project: "mine", version: "0.9", state: "yanked", reason: null, since_ms: 4 }],
  release_time: [{ target_id: 5, uploaded_ms: null, seen_ms: 5, verdict_ms: 6 }],
  delivery: [{ id: 8, scope: "github:mine", delivery: "d", body_sha256: "e", kept_ms: 7 }],
  principal: [
    {
      id: "p",
      sha256: "f",
      kind: "person",
      name: "somebody",
      scopes: "[]",
      projects: null,
      created_ms: 8,
      created_by: null,
      expires_ms: null,
      revoked_ms: null,
      used_ms: 9,
    },
  ],
  audit: [
    {
      id: "u",
      at_ms: 10,
      by_kind: "farm",
      by_id: null,
      by_name: "",
      action: "drain",
      subject: "",
      outcome: "done",
      detail: "for the night",
      address: "",
    },
  ],
} satisfies Partial<{ [Table in keyof Tables]: Partial<Selectable<Tables[Table]>>[] }>;

/** The same of what schema 6 brings. */
const GRAPH = {
  dependency: [{ project_id: 1, depends_on: "numpy", kind: "run" }],
  dependency_source: [{ project_id: 1, version: "1.0", seen_ms: 11 }],
  dependent_count: [{ name: "numpy", direct: 1 }],
  newest_release: [{ project_id: 1, version: "1.0", seen_ms: 12 }],
  tested: [
    {
      project_id: 1,
      configuration_id: 1,
      version: "1.0",
      tested_ms: 13,
      image_id: null,
      interpreter: "cpython-3.13.5",
      planned_ms: 14,
    },
  ],
  retest_wave: [
    { project: "numpy", version: "2.4", noted_ms: 15, planned: 16, ended_ms: null, note: null },
  ],
  seen_release: [
    {
      project: "mine",
      version: "1.0",
      seen_ms: 17,
      class: "watched",
      decision: "test",
      reason: "it is watched",
      new_name: 1,
      expires_ms: null,
    },
  ],
} satisfies Partial<{ [Table in keyof Tables]: Partial<Selectable<Tables[Table]>>[] }>;

/** The same of what schema 7 brings; its results are those of schemas 1 and 3. */
const VERDICTS = {
  verdict: [
    { project_id: 1, configuration_id: 1, line: "", attempt: "a2", pending: null },
    { project_id: 1, configuration_id: 1, line: "refs/heads/main", attempt: null, pending: "a1" },
  ],
  verdict_change: [
    {
      id: 9,
      project_id: 1,
      configuration_id: 1,
      line: "",
      kind: "broke",
      version: "1.0",
      attempt: "a2",
      outcome: "fail",
      cause: "timeout",
      before_version: "0.9",
      before_attempt: "a1",
      before_outcome: "pass",
      before_cause: null,
      root: "mine",
      at_ms: 2 ** 42,
    },
  ],
} satisfies Partial<{ [Table in keyof Tables]: Partial<Selectable<Tables[Table]>>[] }>;

/** The same of what schema 8 brings. */
const NOTICES = {
  notice_due: [{ id: 3, project_id: 1, attempt: "a2", change_id: 9, target_id: null }],
  notice: [
    {
      id: 4,
      key: "n-0",
      project_id: 1,
      target: "webhook",
      body: "{}",
      state: 0,
      tries: 1,
      made_ms: 18,
      next_ms: 19,
      ended_ms: null,
      answer: "503",
    },
  ],
  commit_told: [
    {
      project_id: 1,
      target: "github",
      commit_name: "c0ffee",
      configuration_id: 1,
      said: "success",
      notice_id: 4,
      told_ms: 20,
    },
  ],
} satisfies Partial<{ [Table in keyof Tables]: Partial<Selectable<Tables[Table]>>[] }>;

const fillQueue = (db: Kysely<unknown>): Promise<void> => fillTables(db, QUEUE);
const fillWatched = (db: Kysely<unknown>): Promise<void> => fillTables(db, WATCHED);
const fillGraph = (db: Kysely<unknown>): Promise<void> => fillTables(db, GRAPH);
const fillVerdicts = (db: Kysely<unknown>): Promise<void> => fillTables(db, VERDICTS);
const fillNotices = (db: Kysely<unknown>): Promise<void> => fillTables(db, NOTICES);

async function fillTables(
  db: Kysely<unknown>,
  tables: Readonly<Record<string, readonly object[]>>,
): Promise<void> {
  for (const [table, rows] of Object.entries(tables))
    for (const row of rows) {
      const names = sql.join(Object.keys(row).map((name) => sql.id(name)));
      const values = sql.join(Object.values(row));
      await sql`insert into ${sql.table(table)} (${names}) values (${values})`.execute(db);
    }
}

/** What each schema from the third on is filled with, besides what the ones before it are. */
const FILLS: Readonly<Record<number, (db: Kysely<unknown>) => Promise<void>>> = {
  3: fillResults,
  4: fillQueue,
  5: fillWatched,
  6: fillGraph,
  7: fillVerdicts,
  8: fillNotices,
};

test("migrations are numbered from 1 without a gap", () => {
  expect(MIGRATIONS.map(({ number }) => number)).toEqual(MIGRATIONS.map((_, index) => index + 1));
});

describe.each(Object.entries(PASTS))("what earlier versions kept in %s", (_, begin) => {
  test.each([
    [1, ""],
    [2, "upstream"],
  ])("an attempt of schema %i reads as it was kept", async (version, builder) => {
    const past = await begin();
    await past.at(version, (db) => fillFirst(db, builder));
    await using store = await past.open();
    const axes = { ...kept.axes, builder: builder === "" ? "debian" : builder };
    expect(await store.attempt("a1")).toEqual({
      attempt: { ...kept, axes },
      visibility: "private",
      reason: "reproduce",
      of: "a0",
      startedAt: "2026-11-24T10:00:00.000Z",
    });
    expect(await store.nonPasses("a1")).toEqual([
      { id: "t::a", outcome: "failed", message: "broke" },
    ]);
    expect(await store.oftenFailing("mine", 5)).toEqual([{ id: "t::a", attempts: 1 }]);
  });

  const FROM_THE_THIRD = MIGRATIONS.slice(2, -1).map(({ number }) => number);
  test.each(FROM_THE_THIRD)("all that schema %i keeps reads as it was kept", async (version) => {
    const past = await begin();
    await past.at(2, (db) => fillFirst(db, "upstream"));
    await past.at(version, async (db) => {
      for (let number = 3; number <= version; number++) await FILLS[number]?.(db);
    });
    {
      // Whoever writes the next migration fills what this one brings.
      await using snapshot = await openSnapshot(past.location);
      expect(snapshot.schema).toBe(version);
      for (const { name } of snapshot.tables)
        expect([name, await snapshot.count(name)]).not.toEqual([name, 0]);
    }
    {
      await using store = await past.open();
      expect((await store.attempt("a1"))?.attempt).toEqual({
        ...kept,
        axes: { ...kept.axes, builder: "upstream" },
      });
      expect(await store.attempt("a2")).toEqual({ ...later, of: "a1" });
      expect(await store.nonPasses("a2")).toEqual([
        { id: "t::a", outcome: "error", message: "broke again" },
      ]);
      expect(await store.oftenFailing("mine", 5)).toEqual([{ id: "t::a", attempts: 2 }]);
    }
    await using database = await openDatabase(past.location);
    const there = await database.read(async (db) => ({
      worker: await db.selectFrom("worker").selectAll().execute(),
      target: await db.selectFrom("target").selectAll().execute(),
      queue_job: await db.selectFrom("queue_job").selectAll().execute(),
      queue_flow: await db.selectFrom("queue_flow").selectAll().execute(),
      queue_cooldown: await db.selectFrom("queue_cooldown").selectAll().execute(),
      farm_setting: await db.selectFrom("farm_setting").selectAll().execute(),
    }));
    const none = Object.fromEntries(Object.keys(QUEUE).map((table) => [table, []]));
    expect(there).toMatchObject(version >= 4 ? QUEUE : none);
    const watched = await database.read(async (db) => ({
      watcher: await db.selectFrom("watcher").selectAll().execute(),
      watcher_part: await db.selectFrom("watcher_part").selectAll().execute(),
      watch_event: await db.selectFrom("watch_event").selectAll().execute(),
      watched: await db.selectFrom("watched").selectAll().execute(),
      withdrawn: await db.selectFrom("withdrawn").selectAll().execute(),
      release_time: await db.selectFrom("release_time").selectAll().execute(),
      delivery: await db.selectFrom("delivery").selectAll().execute(),
      principal: await db.selectFrom("principal").selectAll().execute(),
      audit: await db.selectFrom("audit").selectAll().execute(),
    }));
    const nothing = Object.fromEntries(Object.keys(WATCHED).map((table) => [table, []]));
    expect(watched).toMatchObject(version >= 5 ? WATCHED : nothing);
    const graph = await database.read(async (db) => ({
      dependency: await db.selectFrom("dependency").selectAll().execute(),
      dependency_source: await db.selectFrom("dependency_source").selectAll().execute(),
      dependent_count: await db.selectFrom("dependent_count").selectAll().execute(),
      newest_release: await db.selectFrom("newest_release").selectAll().execute(),
      tested: await db.selectFrom("tested").selectAll().execute(),
      retest_wave: await db.selectFrom("retest_wave").selectAll().execute(),
      seen_release: await db.selectFrom("seen_release").selectAll().execute(),
    }));
    const bare = Object.fromEntries(Object.keys(GRAPH).map((table) => [table, []]));
    expect(graph).toMatchObject(version >= 6 ? GRAPH : bare);
    const verdicts = await database.read(async (db) => ({
      verdict: await db.selectFrom("verdict").selectAll().orderBy("line").execute(),
      verdict_change: await db.selectFrom("verdict_change").selectAll().execute(),
    }));
    const unsaid = { verdict: [], verdict_change: [] };
    expect(verdicts).toMatchObject(version >= 7 ? VERDICTS : unsaid);
  });

  test("an older Creamery that is still at work is told to end, and writes nothing that nobody would read", async () => {
    const past = await begin();
    const late = () => past.at(2, (db) => fillFirst(db, "debian"));
    {
      await using _store = await past.open();
    }
    await expect(late()).rejects.toThrow(/brought to a newer schema|written by a newer/u);
  });
});
