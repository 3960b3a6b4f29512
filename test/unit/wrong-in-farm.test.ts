import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { sampleAttempt } from "../../src/model/result-json.sample.ts";
import { HostFacts, Hosts } from "../../src/queue/hosts.ts";
import { Queue } from "../../src/queue/queue.ts";
import { newAttemptId } from "../../src/store/attempt-id.ts";
import type { Database } from "../../src/store/database.ts";
import { openDatabase } from "../../src/store/open-database.ts";
import { STATE } from "../../src/store/sql/job-rows.ts";
import { SqlStore } from "../../src/store/sql/sql-store.ts";
import type { KnownJob } from "../guest/steady-load.ts";
import { wrongInFarm } from "../guest/wrong-in-farm.ts";

/** What looks after the kills sees each thing that may have gone wrong. */

const FILES = ["log.txt.gz", "again.json.gz", "report.json.gz", "pylock.toml", "record.json.gz"];
let directory = "";
let database: Database;
let job: KnownJob & { readonly attempt: string };
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "creamery-wrong-"));
  database = await openDatabase(join(directory, "store.sqlite"));
  const queue = new Queue(database, { newId: () => newAttemptId() });
  const { host } = await new Hosts(database).arrive({
    name: "one",
    boot: "1",
    slots: 1,
    facts: HostFacts.parse({}),
  });
  await queue.enqueue([
    {
      id: "r1",
      project: "six",
      visibility: "public",
      word: "six==1.0",
      version: "1.0",
      line: "",
      reason: "release",
      configurations: [{ name: "cpython-3.13", lane: "priority" }],
    },
  ]);
  const [leased] = await queue.claim({ workerId: host.id, most: 1 });
  if (leased === undefined) throw new Error("nothing was given");
  const { key, project, configuration, attempt } = leased;
  job = { key, project, configuration, attempt };
  await queue.finish(host.id, attempt, { kind: "done", recordings: [recordingOf(attempt)] });
  keep(attempt);
});
afterEach(async () => {
  await database[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

function recordingOf(id: string) {
  return {
    attempt: sampleAttempt({
      id,
      project: "six",
      configuration: "cpython-3.13",
      outcome: "pass",
      cause: null,
    }),
    visibility: "public",
    reason: "release",
    startedAt: "2026-11-24T10:00:00.000Z",
    results: [],
  } as const;
}

function keep(attempt: string, names: readonly string[] = FILES): void {
  const at = join(directory, "attempts", attempt);
  mkdirSync(at, { recursive: true });
  for (const name of names) writeFileSync(join(at, name), "kept");
}

const wrong = (jobs: readonly KnownJob[] = [job], outcome = "pass") =>
  wrongInFarm({ database, bucket: directory, jobs, outcomes: { six: outcome } });

test("nothing is wrong where each job is done once, with one result, true and whole", async () => {
  expect(await wrong()).toEqual([]);
});

test("a job that is lost, and one that came to no end", async () => {
  expect(await wrong([job, { ...job, key: "r2-0" }])).toEqual(["r2-0 is not in the queue"]);
  await database.write((within) =>
    within.updateTable("queue_job").set({ state: STATE.queued }).execute(),
  );
  expect(await wrong()).toContainEqual(`${job.key} is queued: null`);
});

test("a job that nobody enqueued", async () => {
  expect(await wrong([])).toContainEqual(`${job.key} was enqueued by nobody`);
});

test("a job that was done twice: the other result is of no job", async () => {
  await new SqlStore(database).recordAttempt(recordingOf("twice"));
  keep("twice");
  expect(await wrong()).toEqual(["twice is a result of no job: six pass null"]);
});

test("a result that is not true", async () => {
  expect(await wrong([job], "fail")).toEqual([`${job.key}: six is said to pass, `]);
});

test("a result whose files are not there", async () => {
  rmSync(join(directory, "attempts", job.attempt), { recursive: true });
  keep(job.attempt, FILES.slice(0, 4));
  expect(await wrong()).toEqual([`${job.attempt} has no record.json`]);
});
