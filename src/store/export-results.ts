import { rmSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";

import { CreameryError, diskFullFault, reasonOf } from "../base/errors.ts";
import type { Database } from "./database.ts";
import { failuresOf, publicResultsAfter } from "./sql/result-queries.ts";
import type { StoredAttempt } from "./store.ts";

const AT_ONCE = 500;

/** As it stands in the file itself, so that whoever has it needs no other document. */
const ABOUT: readonly (readonly [string, string])[] = [
  ["what", "Every public result of a Creamery farm: one row for each attempt"],
  ["schema", "1: columns are added within a number, never changed or taken away"],
  ["result.outcome", "pass, fail, crash, killed, skip or error; docs/results.md says what each is"],
  ["result.cause", "null on pass and only there; the detail in brackets names the culprit"],
  ["result.of_attempt", "the attempt that this one ran again"],
  ["result.seconds", "all of it: set-up, build, install and tests"],
  ["result.collected", "tests that ran or were skipped; null where none were found or begun"],
  ["failing_test.result", "result.id; a suite that fails everywhere is cut after 5000 tests"],
];

const SCHEMA = `
create table about (name text primary key, value text not null) without rowid;
create table result (
  id text primary key, project text not null, version text not null, configuration text not null,
  interpreter text not null, builder text not null, image text not null, machine text not null,
  source_kind text not null, source_sha256 text not null, index_date text not null,
  started text not null, seconds real, reason text not null, of_attempt text,
  phase text not null, outcome text not null, cause text, confidence text not null, comparison text, smoke text,
  collected integer, passed integer, failed integer, errors integer, skipped integer, deselected integer,
  installed text, rung text, command text
) without rowid;
create table failing_test (
  result text not null references result (id), test text not null, outcome text not null, message text not null,
  primary key (result, test)
) without rowid;
`;

const INDEXES = `
create index result_by_project on result (project, configuration, started);
create index result_by_outcome on result (outcome, cause);
`;

export interface Exported {
  readonly results: number;
  readonly failingTests: number;
}

export interface ExportOptions {
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/**
 * Writes all public results into one new SQLite file, which then takes the place of the one before: who reads that one reads
 * on. Results come page by page, so that many need no large memory; what is kept meanwhile may be in it or not. From either
 * database the same file comes.
 * @param path of the file, in a directory that is there.
 * @throws CreameryError `store`, `disk-full`, `interrupted`; then nothing of it stays.
 */
export async function exportResults(
  database: Database,
  path: string,
  { nowMs, signal }: ExportOptions,
): Promise<Exported> {
  const half = `${path}.${process.pid}.half`;
  try {
    rmSync(half, { force: true });
    const exported = await fill(database, half, nowMs, signal);
    await settle(half);
    await rename(half, path);
    await settle(dirname(path));
    return exported;
  } catch (thrown) {
    if (signal.aborted)
      throw new CreameryError("interrupted", "was interrupted", { input: path, cause: thrown });
    if (thrown instanceof CreameryError) throw thrown;
    throw (
      diskFullFault(thrown, path) ??
      new CreameryError("store", `the export can't be written: ${reasonOf(thrown)}`, {
        input: path,
        cause: thrown,
      })
    );
  } finally {
    rmSync(half, { force: true });
  }
}

async function fill(
  database: Database,
  half: string,
  nowMs: number,
  signal: AbortSignal,
): Promise<Exported> {
  const file = new DatabaseSync(half);
  try {
    // Nobody reads it before it is whole, and then it is one file.
    file.exec("pragma journal_mode = off; pragma synchronous = off;");
    file.exec(SCHEMA);
    file.exec("begin");
    const about = file.prepare("insert into about values (?, ?)");
    for (const [name, value] of [...ABOUT, ["made", new Date(nowMs).toISOString()]] as const)
      about.run(name, value);
    const insert = {
      result: inserterOf(file, "result"),
      failingTest: inserterOf(file, "failing_test"),
    };
    const counts = { results: 0, failingTests: 0 };
    for (let after = ""; ;) {
      signal.throwIfAborted();
      const page = await publicResultsAfter(database, after, AT_ONCE);
      const last = page.at(-1);
      if (last === undefined) break;
      const ids = page.map(({ attempt }) => attempt.id);
      for (const stored of page) insert.result(rowOf(stored));
      counts.results += page.length;
      for (const { attempt, id, outcome, message } of await failuresOf(database, ids)) {
        insert.failingTest({ result: attempt, test: id, outcome, message });
        counts.failingTests++;
      }
      after = last.attempt.id;
    }
    file.exec("commit");
    file.exec(INDEXES);
    return counts;
  } finally {
    file.close();
  }
}

type Row = Readonly<Record<string, SQLInputValue>>;

/** Rows go in by statements that are made once, out of the first row. */
function inserterOf(file: DatabaseSync, table: string): (row: Row) => void {
  let statement: StatementSync | undefined;
  return (row) => {
    const names = Object.keys(row);
    statement ??= file.prepare(
      `insert into ${table} (${names.join(", ")}) values (:${names.join(", :")})`,
    );
    statement.run(row);
  };
}

function rowOf({ attempt, reason, of, startedAt }: StoredAttempt): Row {
  const { id, project, version, configuration, axes, source, plan, tests } = attempt;
  return {
    id,
    project,
    version,
    configuration,
    interpreter: axes.interpreter,
    builder: axes.builder,
    image: attempt.image,
    machine: attempt.machine,
    source_kind: source.kind,
    source_sha256: source.sha256,
    index_date: axes.indexDate,
    started: startedAt,
    seconds: attempt.seconds["total"] ?? null,
    reason,
    of_attempt: of,
    phase: attempt.phase,
    outcome: attempt.outcome,
    cause: attempt.cause,
    confidence: attempt.confidence,
    comparison: attempt.comparison,
    smoke: attempt.smoke,
    collected: tests?.collected ?? null,
    passed: tests?.passed ?? null,
    failed: tests?.failed ?? null,
    errors: tests?.errors ?? null,
    skipped: tests?.skipped ?? null,
    deselected: tests?.deselected ?? null,
    installed: attempt.installed,
    rung: plan.rung,
    command: plan.command,
  };
}

/** On the disk before it takes another's place. */
async function settle(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
