import { mkdtempSync, openSync, readdirSync, readSync, rmSync, closeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { startCluster, type Cluster } from "../../test/postgresql/cluster.ts";
import { sampleAttempt } from "../model/result-json.sample.ts";
import type { Database } from "./database.ts";
import { exportResults } from "./export-results.ts";
import { openDatabase } from "./open-database.ts";
import { insertResult } from "./sql/sql-store.ts";
import type { AttemptRecording } from "./store.ts";

const NOW = { nowMs: Date.UTC(2026, 10, 25), signal: new AbortController().signal };

let cluster: Cluster;
let directory = "";
let file = "";
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster[Symbol.asyncDispose]());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "creamery-export-"));
  file = join(directory, "results.sqlite");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function fill(database: Database, count: number): Promise<void> {
  await database.write(async (within) => {
    for (let at = 0; at < count; at++) await insertResult(within, recording(at));
  });
}

function recording(at: number): AttemptRecording {
  const isSecret = at % 5 === 4;
  const id = String(at).padStart(6, "0");
  return {
    attempt: sampleAttempt({ id, project: isSecret ? "secret" : "six", version: `1.${at}` }),
    visibility: isSecret ? "private" : "public",
    reason: "release",
    startedAt: new Date(Date.UTC(2026, 0, 1) + at * 1000).toISOString(),
    results: [
      { id: "t::b", outcome: "failed", seconds: 0, message: "broke" },
      { id: "t::a", outcome: "error", seconds: 0 },
      { id: "t::ok", outcome: "passed", seconds: 0 },
    ],
  };
}

function read(path: string) {
  const opened = new DatabaseSync(path, { readOnly: true });
  try {
    return {
      about: opened.prepare("select * from about order by name").all(),
      results: opened.prepare("select * from result order by id").all(),
      tests: opened.prepare("select * from failing_test order by result, test").all(),
    };
  } finally {
    opened.close();
  }
}

test("all that is public is in it, and nothing that is private, from either database the same", async () => {
  await using one = await openDatabase(join(directory, "store.sqlite"));
  await using other = await openDatabase(await cluster.database());
  const files: ReturnType<typeof read>[] = [];
  for (const database of [one, other]) {
    await fill(database, 23);
    expect(await exportResults(database, file, NOW)).toEqual({ results: 19, failingTests: 38 });
    files.push(read(file));
  }
  expect(files[1]).toEqual(files[0]);
  expect(JSON.stringify(files)).not.toContain("secret");
  expect(files[0]?.results[0]).toMatchObject({
    id: "000000",
    project: "six",
    version: "1.0",
    configuration: "cpython-3.13",
    interpreter: "cpython-3.13.5",
    outcome: "fail",
    cause: "test-failure",
    collected: 3,
    passed: 1,
    seconds: 2.05,
    started: "2026-01-01T00:00:00.000Z",
  });
  expect(files[0]?.tests.slice(0, 2)).toEqual([
    { result: "000000", test: "t::a", outcome: "error", message: "" },
    { result: "000000", test: "t::b", outcome: "failed", message: "broke" },
  ]);
  expect(files[0]?.about).toContainEqual({ name: "made", value: "2026-11-25T00:00:00.000Z" });
});

describe("of more than a page", () => {
  test("all are in it, and who reads the one before reads on", async () => {
    await using database = await openDatabase(join(directory, "store.sqlite"));
    await exportResults(database, file, NOW);
    const before = openSync(file, "r");
    await fill(database, 1300);
    expect(await exportResults(database, file, NOW)).toMatchObject({ results: 1040 });
    const head = Buffer.alloc(15);
    readSync(before, head, 0, 15, 0);
    closeSync(before);
    expect(head.toString()).toBe("SQLite format 3");
    expect(read(file).results.length).toBe(1040);
  });
});

test("one that is interrupted leaves the one before, and nothing else", async () => {
  await using database = await openDatabase(join(directory, "store.sqlite"));
  await fill(database, 2);
  await exportResults(database, file, NOW);
  await fill(database, 9);
  const signal = AbortSignal.abort();
  await expect(exportResults(database, file, { ...NOW, signal })).rejects.toMatchObject({
    code: "interrupted",
  });
  expect(read(file).results.length).toBe(2);
  expect(readdirSync(directory).filter((name) => name.includes("results"))).toEqual([
    "results.sqlite",
  ]);
});

test("a place that can't be written is told by its path", async () => {
  await using database = await openDatabase(join(directory, "store.sqlite"));
  const nowhere = join(directory, "none", "results.sqlite");
  await expect(exportResults(database, nowhere, NOW)).rejects.toMatchObject({
    code: "store",
    input: nowhere,
  });
});
