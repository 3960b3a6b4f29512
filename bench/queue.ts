import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { sql } from "kysely";

import type { AttemptJson } from "../src/model/result-json.ts";
import { sampleAttempt } from "../src/model/result-json.sample.ts";
import { Hosts, HostFacts } from "../src/queue/hosts.ts";
import type { EnqueueRequest } from "../src/queue/job.ts";
import { Queue } from "../src/queue/queue.ts";
import { newAttemptId } from "../src/store/attempt-id.ts";
import type { Database } from "../src/store/database.ts";
import { openDatabase } from "../src/store/open-database.ts";
import { bulkInsert } from "../src/store/sql/bulk-insert.ts";
import { STATE } from "../src/store/sql/job-rows.ts";
import { rowOf } from "../src/store/sql/result-row.ts";
import { startCluster } from "../test/postgresql/cluster.ts";
import { bar, percentile, printBars, type Bar } from "./bars.ts";

/**
 * The queue with everything in it: 45,000 projects on 40 configurations, on SQLite and on PostgreSQL, each as in production: every commit
 * on the disk before it is answered. What a claim takes stands beside what the smallest commit takes, in the same run.
 */
const PROJECTS = numberOf("--projects", 45_000);
const CONFIGURATIONS = numberOf("--configurations", 40);
const REQUESTS_AT_ONCE = 200;
const COMMITS = 1000;
const CLAIMERS = 8;
/** Those who ask at once are served together: a thousand transactions, so that the p99 is of ten of them and not of two. */
const CLAIMS_EACH = 1000;
const RESULTS_AT_ONCE = 4000;
const GB = 1e9;

const base = sampleAttempt();
const hash = () => randomBytes(32).toString("hex");
const upTo = (most: number) => Math.floor(Math.random() * most);
const seconds3 = (most: number) => Math.round(Math.random() * most * 1000) / 1000;

const bars: Bar[] = [];
const say = (line: string) => process.stderr.write(`${line}\n`);
const total = PROJECTS * CONFIGURATIONS;
const names = Array.from({ length: CONFIGURATIONS }, (_, index) => `cpython-3.${index}`);

const directory = mkdtempSync(join(tmpdir(), "creamery-bench-queue-"));
try {
  const file = join(directory, "store.sqlite");
  await measure("SQLite", file, async (database) => {
    await fillResults(database);
    const bytes = await sizeOf(database, file);
    bars.push(
      bar("SQLite: file with a result for every job", bytes / GB, "GB", { op: "<", than: 1 }),
    );
    bars.push(
      bar("SQLite: bytes for each job with its result (note's bound: 2 GB)", bytes / total, "B"),
    );
  });
  await using cluster = await startCluster();
  await measure("PostgreSQL", await cluster.database(), async () => undefined);
} finally {
  if (process.env["KEEP"] === undefined) rmSync(directory, { recursive: true, force: true });
}
printBars(bars, process.argv);

async function measure(
  name: string,
  location: string,
  last: (database: Database) => Promise<void>,
): Promise<void> {
  await using database = await openDatabase(location);
  const queue = new Queue(database, { newId: () => newAttemptId() });
  say(`${name}: enqueuing ${total} jobs`);
  const enqueueBegan = performance.now();
  for (let start = 0; start < PROJECTS; start += REQUESTS_AT_ONCE)
    await queue.enqueue(requests(start, Math.min(PROJECTS, start + REQUESTS_AT_ONCE)));
  const seconds = (performance.now() - enqueueBegan) / 1000;
  bars.push(bar(`${name}: enqueue`, total / seconds, "jobs/s", { op: ">", than: 20_000 }));

  const workers: number[] = [];
  const hosts = new Hosts(database);
  for (let index = 0; index < CLAIMERS; index++) {
    const arrival = { name: `w${index}`, boot: "1", slots: 1, facts: HostFacts.parse({}) };
    workers.push((await hosts.arrive(arrival)).host.id);
  }
  say(`${name}: the smallest commit ${COMMITS} times, then ${CLAIMERS} claimers`);
  await database.write((within) => insertSetting(within));
  const commits: number[] = [];
  for (let index = 0; index < COMMITS; index++)
    commits.push(await timed(() => database.write((within) => touchSetting(within, index))));
  const claims: number[] = [];
  const began = performance.now();
  await Promise.all(
    workers.map(async (workerId) => {
      for (let index = 0; index < CLAIMS_EACH; index++)
        claims.push(
          await timed(async () => {
            const given = await queue.claim({ workerId, most: 1 });
            if (given.length !== 1) throw new Error("a claim came away with nothing");
          }),
        );
    }),
  );
  const rate = claims.length / ((performance.now() - began) / 1000);
  const [commit, claim] = [percentile(commits, 0.99), percentile(claims, 0.99)];
  bars.push(bar(`${name}: smallest durable commit, median`, percentile(commits, 0.5), "ms"));
  bars.push(bar(`${name}: smallest durable commit, p99`, commit, "ms"));
  bars.push(bar(`${name}: claim with ${CLAIMERS} claimers, median`, percentile(claims, 0.5), "ms"));
  bars.push(bar(`${name}: claim with ${CLAIMERS} claimers, p99`, claim, "ms"));
  bars.push(
    bar(`${name}: claim's p99 in commits' p99`, claim / commit, "times", { op: "<", than: 10 }),
  );
  bars.push(bar(`${name}: claims`, rate, "/s"));
  await last(database);
}

function requests(from: number, to: number): EnqueueRequest[] {
  return Array.from({ length: to - from }, (_, index) => ({
    id: newAttemptId(),
    project: `project-${from + index}`,
    visibility: "public",
    word: `project-${from + index}==1.${index}.0`,
    version: `1.${index}.0`,
    line: "",
    reason: "release",
    configurations: names.map((name, place) => ({
      name,
      lane: place < 3 ? ("priority" as const) : ("rest" as const),
    })),
  }));
}

type Write = Parameters<Parameters<Database["write"]>[0]>[0];

async function insertSetting(within: Write): Promise<void> {
  await within.insertInto("farm_setting").values({ name: "bench", value: "" }).execute();
}

async function touchSetting(within: Write, index: number): Promise<void> {
  await within
    .updateTable("farm_setting")
    .set({ value: String(index) })
    .where("name", "=", "bench")
    .execute();
}

/** Every job done, each with a result that no other is like; as the queue keeps them, but many in a transaction. */
async function fillResults(database: Database): Promise<void> {
  say("SQLite: a result for every job");
  const image = await database.write(async (within) => {
    await within.insertInto("image").values({ name: "2026.11.2+0ed3d8fa" }).execute();
    return within.selectFrom("image").select("id").executeTakeFirstOrThrow();
  });
  for (let after = 0; ;) {
    const last = await database.write(async (within) => {
      const jobs = await within
        .selectFrom("queue_job")
        .innerJoin("target", "target.id", "queue_job.target_id")
        .select([
          "queue_job.id",
          "queue_job.configuration_id as configuration",
          "target.project_id as project",
          "target.version",
        ])
        .where("queue_job.id", ">", after)
        .orderBy("queue_job.id")
        .limit(RESULTS_AT_ONCE)
        .execute();
      const releases = jobs.map(({ project, version }) => [project, version]);
      await bulkInsert(within, "sqlite", "release", ["project_id", "version"], releases, {
        conflict: "on conflict do nothing",
      });
      const known = await within
        .selectFrom("release")
        .select(["id", "project_id as project"])
        .where("project_id", "in", [...new Set(jobs.map(({ project }) => project))])
        .execute();
      const ids = new Map(known.map(({ project, id }) => [project, id]));
      for (const job of jobs) {
        const attempt = varied();
        const row = rowOf({
          attempt,
          visibility: "public",
          reason: "release",
          startedAt: attempt.axes.indexDate,
          results: [],
        });
        await within
          .insertInto("result")
          .values({
            ...row,
            release_id: ids.get(job.project) ?? 0,
            project_id: job.project,
            configuration_id: job.configuration,
            image_id: image.id,
          })
          .execute();
        // How it leaves its project standing, as `noteVerdict` keeps it.
        await within
          .insertInto("verdict")
          .values({
            project_id: job.project,
            configuration_id: job.configuration,
            line: "",
            attempt: attempt.id,
            pending: null,
          })
          .execute();
        await within
          .updateTable("queue_job")
          .set({ state: STATE.done, attempt: attempt.id, worker_id: 1, tries: 1 })
          .where("id", "=", job.id)
          .execute();
      }
      return jobs.at(-1)?.id;
    });
    if (last === undefined) return;
    after = last;
    if (after % 200_000 < RESULTS_AT_ONCE) say(`  ${after}`);
  }
}

/** A pass, as most results are: its own hashes, times, counts and date. */
function varied(): AttemptJson {
  const id = newAttemptId();
  const source = hash();
  const place = `/var/lib/creamery/bucket/attempts/${id}`;
  const collected = upTo(3000);
  return {
    ...base,
    id,
    source: { kind: "release", sha256: source },
    outcome: "pass",
    cause: null,
    comparison: "still-pass",
    confidence: "unconfirmed",
    tests: { collected, passed: collected, failed: 0, errors: 0, skipped: 0, deselected: 0 },
    seconds: {
      start: 0,
      venv: seconds3(1),
      install: seconds3(5),
      examine: seconds3(1),
      dependencies: seconds3(9),
      test: seconds3(60),
      evidence: seconds3(0.1),
      farm: seconds3(1),
      total: seconds3(80),
    },
    axes: {
      ...base.axes,
      source,
      lock: hash(),
      plan: hash(),
      indexDate: new Date(1_795_000_000_000 + upTo(86_400_000)).toISOString(),
    },
    evidence: {
      ...base.evidence,
      firstLines: [],
      failing: [],
      refused: [],
      limits: {
        memoryPeakBytes: upTo(5e8),
        oomKills: 0,
        pidsRefused: 0,
        cpuSeconds: seconds3(100),
        diskBytes: upTo(1e8),
        diskFull: false,
      },
      installedPath: `/job/venv/lib/python3.13/site-packages/name${upTo(1e6)}/__init__.py`,
      lock: `${place}/pylock.toml`,
    },
    log: `${place}/log.txt.gz`,
    report: `${place}/report.json.gz`,
  };
}

async function sizeOf(database: Database, file: string): Promise<number> {
  await database.read((db) => sql`pragma wal_checkpoint(truncate)`.execute(db));
  return statSync(file).size;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

function numberOf(name: string, usual: number): number {
  const place = process.argv.indexOf(name);
  return place < 0 ? usual : Number(process.argv[place + 1]);
}
