import { readdirSync } from "node:fs";
import { join } from "node:path";

import { causeGroup, parseCause } from "../../src/model/result-words.ts";
import { JOB_STATES } from "../../src/queue/job.ts";
import { SqlStore } from "../../src/store/sql/sql-store.ts";
import type { Database } from "../../src/store/database.ts";
import type { StoredAttempt } from "../../src/store/store.ts";
import type { KnownJob } from "./steady-load.ts";

const PAGE = 200;
const ALWAYS = ["log.txt", "again.json"] as const;
const WHOLE = ["report.json", "pylock.toml", "record.json"] as const;

export interface FarmCheck {
  readonly database: Database;
  /** Where the bucket lies. */
  readonly bucket: string;
  readonly jobs: readonly KnownJob[];
  /** By project: what each result says that is none of the farm's own faults. */
  readonly outcomes: Readonly<Record<string, string>>;
}

/**
 * What is not as it should be once all jobs have come to their end: each is done once, with one result, true and whole, and
 * there is no result of anything else.
 */
export async function wrongInFarm(check: FarmCheck): Promise<readonly string[]> {
  const { database, bucket, jobs, outcomes } = check;
  const rows = await database.read((db) =>
    db.selectFrom("queue_job").select(["key", "state", "attempt", "lease_ms", "note"]).execute(),
  );
  const byKey = new Map(rows.map((row) => [row.key, row]));
  const results = await allOf(database);
  const byId = new Map(results.map((result) => [result.attempt.id, result]));
  const wrong: string[] = [];
  const owned = new Set<string>();
  for (const { key, project, configuration } of jobs) {
    const row = byKey.get(key);
    const result = byId.get(row?.attempt ?? "");
    if (row === undefined) wrong.push(`${key} is not in the queue`);
    else if (JOB_STATES[row.state] !== "done")
      wrong.push(`${key} is ${JOB_STATES[row.state]}: ${row.note}`);
    else if (result === undefined) wrong.push(`${key} is done and has no result`);
    else {
      if (row.lease_ms !== null) wrong.push(`${key} is done and leased`);
      if (owned.has(result.attempt.id)) wrong.push(`${key} shares a result with another`);
      owned.add(result.attempt.id);
      const { attempt } = result;
      if (attempt.project !== project || attempt.configuration !== configuration)
        wrong.push(`${key} has a result of ${attempt.project} ${attempt.configuration}`);
      if (attempt.outcome !== outcomes[project])
        wrong.push(`${key}: ${project} is said to ${attempt.outcome}, ${attempt.cause ?? ""}`);
    }
  }
  const known = new Set(jobs.map(({ key }) => key));
  for (const { key } of rows) if (!known.has(key)) wrong.push(`${key} was enqueued by nobody`);
  for (const { attempt, of } of results) {
    const { id, cause } = attempt;
    const parsed = cause === null ? null : parseCause(cause);
    const isFarms = parsed !== null && causeGroup(parsed.kind) === "farm";
    if (of === null && !owned.has(id) && !isFarms)
      wrong.push(`${id} is a result of no job: ${attempt.project} ${attempt.outcome} ${cause}`);
    if (of !== null && !byId.has(of)) wrong.push(`${id} confirms ${of}, which is no result`);
    const kept = namesIn(join(bucket, "attempts", id));
    // Whose guest ended before anything was set up has no more than these.
    for (const name of owned.has(id) ? [...ALWAYS, ...WHOLE] : ALWAYS)
      if (!kept.some((file) => file.startsWith(name))) wrong.push(`${id} has no ${name}`);
  }
  return wrong;
}

async function allOf(database: Database): Promise<readonly StoredAttempt[]> {
  const store = new SqlStore(database);
  const all: StoredAttempt[] = [];
  for (;;) {
    const last = all.at(-1)?.attempt.id;
    const page = await store.attempts({
      limit: PAGE,
      ...(last === undefined ? {} : { olderThan: last }),
    });
    all.push(...page);
    if (page.length < PAGE) return all;
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
