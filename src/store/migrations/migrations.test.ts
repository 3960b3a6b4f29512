import { mkdtempSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Kysely, PostgresDialect, sql } from "kysely";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { startCluster, type Cluster } from "../../../test/postgresql/cluster.ts";
import { sampleAttempt } from "../../model/result-json.sample.ts";
import { openStore } from "../open-store.ts";
import { openPostgresql } from "../postgresql/open-postgresql.ts";
import { SqlStore } from "../sql/sql-store.ts";
import { nodeSqliteDialect } from "../sqlite/dialect.ts";
import { migrate } from "../sqlite/migrate.ts";
import type { Store } from "../store.ts";
import { MIGRATIONS } from "./all.ts";

/** A database of a test's own, at any earlier version of the schema, and opened by the farm of today. */
interface Past {
  /** Brings it to this version, and gives it to be filled. */
  at(version: number, fill: (db: Kysely<unknown>) => Promise<void>): Promise<void>;
  open(): Promise<Store>;
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
    };
  },
};

const kept = sampleAttempt({ id: "a1", cause: "removed-api(distutils)" });

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

  test("an older Creamery that is still at work is told to end, and writes nothing that nobody would read", async () => {
    const past = await begin();
    const late = () => past.at(2, (db) => fillFirst(db, "debian"));
    {
      await using _store = await past.open();
    }
    await expect(late()).rejects.toThrow(/brought to a newer schema|written by a newer/u);
  });
});
