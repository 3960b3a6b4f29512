import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { sql, type Kysely } from "kysely";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { startCluster, type Cluster } from "../../../test/postgresql/cluster.ts";
import { sampleAttempt } from "../../model/result-json.sample.ts";
import { openDatabase } from "../open-database.ts";
import type { Tables } from "../schema.ts";
import { insertResult } from "../sql/sql-store.ts";
import { backupStore } from "../transfer/backup-store.ts";
import { checkStore } from "./check-store.ts";

const { signal } = new AbortController();

let directory = "";
let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ settings: { fsync: "off" } });
});
afterAll(() => cluster[Symbol.asyncDispose]());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "creamery-check-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const KINDS = {
  SQLite: async () => join(directory, "store.sqlite"),
  PostgreSQL: () => cluster.database(),
};

/** A farm at work: a result, a job in each state that matters, and what they rely on. */
async function fill(location: string): Promise<void> {
  await using database = await openDatabase(location);
  await database.write(async (within) => {
    await insertResult(within, {
      attempt: sampleAttempt({ id: "a1" }),
      visibility: "public",
      reason: "manual",
      startedAt: "2026-11-24T10:00:00.000Z",
      results: [{ id: "t::a", outcome: "failed", message: "broke", seconds: 1 }],
    });
    for (const statement of [
      "insert into worker (name, boot, state, slots, seen_ms, facts) values ('w', 'b', 'ready', 1, 1, '{}')",
      "insert into target (project_id, word, version, line) values (1, 'mine==1.0', '1.0', '')",
      "insert into queue_flow (lane, project_id, finish) values (0, 1, 3)",
      job("done", 3, "'a1', null, 1"),
      job("leased", 2, "'a2', 5, 1"),
      job("queued", 0, "null, null, null"),
    ])
      await sql.raw(statement).execute(within);
  });
}

function job(key: string, state: number, lease: string, reason = "manual"): string {
  return `insert into queue_job (key, target_id, configuration_id, reason, lane, state, tag, enqueued_ms, ready_ms, tries, farm_faults,
    attempt, lease_ms, worker_id) values ('${key}', 1, 1, '${reason}', 0, ${state}, 2, 1, 1, 0, 0, ${lease})`;
}

async function change(location: string, ...statements: readonly string[]): Promise<void> {
  await using database = await openDatabase(location);
  await database.read(async (db: Kysely<Tables>) => {
    for (const statement of statements) await sql.raw(statement).execute(db);
  });
}

describe.each(Object.entries(KINDS))("a store in %s", (_, place) => {
  test("that is sound is so", async () => {
    const location = await place();
    await fill(location);
    const { rows, faults } = await checkStore(location, { signal });
    expect(faults).toEqual([]);
    expect(rows).toMatchObject({ result: 1, queue_job: 3, audit: 0 });
  });

  test.each([
    ["result", ["update result set outcome = 'perhaps'"], "a1", "is no result"],
    ["visibility", ["update project set visibility = 'odd'"], "a1", "is no result"],
    ["a state", ["update queue_job set state = 9 where key = 'queued'"], "job queued", "state"],
    ["a lane", ["update queue_job set lane = 7 where key = 'done'"], "job done", "lane"],
    [
      "no worker",
      ["update queue_job set worker_id = null where key = 'leased'"],
      "job leased",
      "worker",
    ],
    ["lost worker", ["delete from worker"], "job leased", "not there"],
    [
      "a lease",
      ["update queue_job set attempt = 'a9' where key = 'queued'"],
      "job queued",
      "leased all",
    ],
    [
      "lost result",
      ["update queue_job set attempt = 'a9' where key = 'done'"],
      "job done",
      "result",
    ],
    [
      "tries",
      ["update queue_job set tries = -1 where key = 'done'"],
      "job done",
      "less than never",
    ],
    [
      "twins",
      ["drop index queue_job_pending", job("twin", 1, "null, null, null")],
      "job queued",
      "more than once",
    ],
    [
      "one attempt twice",
      ["drop index queue_job_attempt", job("again", 2, "'a2', 5, 1")],
      "attempt a2",
      "more than once",
    ],
    ["a flow", ["update queue_flow set finish = 2"], "job queued", "flow"],
    ["no flow", ["delete from queue_flow"], "job queued", "flow"],
    ["a flow's lane", ["insert into queue_flow values (8, 1, 1)"], "project 1", "flow"],
    ["a flow's project", ["insert into queue_flow values (0, 77, 1)"], "project 77", "flow"],
    [
      "a cool-down",
      ["insert into queue_cooldown values (77, 'main', 1)"],
      "project 77",
      "cool-down",
    ],
    ["a time", ["insert into release_time values (77, 1, 1, 1)"], "target 77", "verdict"],
  ])("in which %s is wrong is not", async (_what, statements, subject, fault) => {
    const location = await place();
    await fill(location);
    await change(location, ...statements);
    const { faults } = await checkStore(location, { signal });
    expect(faults.map((one) => one.subject)).toEqual([subject]);
    expect(faults[0]?.fault).toContain(fault);
  });

  test("whose result's detail is damaged says whose", async () => {
    const location = await place();
    await fill(location);
    await using database = await openDatabase(location);
    await database.write((within) =>
      within
        .updateTable("result")
        .set({ detail: Buffer.from([1, 0, 0]) })
        .execute(),
    );
    expect((await checkStore(location, { signal })).faults).toEqual([
      { subject: "a1", fault: "a result's detail is damaged" },
    ]);
  });

  test("is asked what is missing elsewhere", async () => {
    const location = await place();
    await fill(location);
    const elsewhere = async () => "its log is not there";
    expect((await checkStore(location, { signal, elsewhere })).faults).toEqual([
      { subject: "a1", fault: "its log is not there" },
    ]);
  });
});

test("a SQLite file whose pages are damaged, or that is none, is not sound", async () => {
  const path = join(directory, "store.sqlite");
  await fill(path);
  const whole = readFileSync(path);
  const page = Buffer.alloc(4096, 0x5a);
  // Each page but the first, which holds the schema.
  const found = [];
  for (let at = 4096; at < whole.length; at += 4096 * 8) {
    writeFileSync(path, Buffer.concat([whole.subarray(0, at), page, whole.subarray(at + 4096)]));
    found.push((await checkStore(path, { signal })).faults.length);
  }
  expect(found.every((count) => count > 0)).toBe(true);
  writeFileSync(path, "no database at all, but long enough to be taken for one\n".repeat(100));
  expect((await checkStore(path, { signal })).faults).toHaveLength(1);
});

test("rows that refer to nothing are told by table", async () => {
  const path = join(directory, "store.sqlite");
  await fill(path);
  {
    using database = new DatabaseSync(path);
    database.exec("pragma foreign_keys = off; delete from image");
  }
  const { faults } = await checkStore(path, { signal });
  expect(faults).toEqual([
    { subject: "result", fault: "1 rows refer to what is not in image" },
    {
      subject: "result",
      fault: "1 refer to a project, release, configuration or image that is not there",
    },
  ]);
});

test("what PostgreSQL has not proven is told", async () => {
  const url = await cluster.database();
  await fill(url);
  await change(url, "alter table queue_flow add constraint later check (finish > 100) not valid");
  expect((await checkStore(url, { signal })).faults).toEqual([
    { subject: "queue_flow", fault: "constraint later is not proven" },
  ]);
});

test("a copy of a SQLite store is whole, its owner's alone, and made while somebody writes", async () => {
  const path = join(directory, "store.sqlite");
  await fill(path);
  await using database = await openDatabase(path);
  const copy = join(directory, "copy.sqlite");
  writeFileSync(copy, "what was there before", { mode: 0o644 });
  let backup: ReturnType<typeof backupStore> | undefined;
  await database.write(async (within) => {
    await within.insertInto("farm_setting").values({ name: "late", value: "1" }).execute();
    // The transaction is open, and waits for nobody.
    backup = backupStore(path, copy, { signal });
    await backup;
  });
  expect(await backup).toMatchObject({ kind: "sqlite" });
  expect(statSync(copy).mode & 0o777).toBe(0o600);
  const { rows, faults } = await checkStore(copy, { signal });
  expect(faults).toEqual([]);
  expect(rows).toMatchObject({ result: 1, farm_setting: 0 });
});

test("a damaged store is not copied over a good copy", async () => {
  const path = join(directory, "store.sqlite");
  const copy = join(directory, "copy.sqlite");
  await fill(path);
  await backupStore(path, copy, { signal });
  const before = readFileSync(copy);
  {
    using database = new DatabaseSync(path);
    database.exec("pragma foreign_keys = off; delete from image");
  }
  await expect(backupStore(path, copy, { signal })).rejects.toMatchObject({ code: "store" });
  expect(readFileSync(copy).equals(before)).toBe(true);
  await expect(backupStore(join(directory, "none"), copy, { signal })).rejects.toMatchObject({
    message: "there is no store",
  });
});

test("of PostgreSQL the copy is an archive", async () => {
  const url = await cluster.database();
  await fill(url);
  const copy = join(directory, "copy");
  expect(await backupStore(url, copy, { signal })).toMatchObject({ kind: "archive" });
  expect(statSync(copy).mode & 0o777).toBe(0o600);
});
