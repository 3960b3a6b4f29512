import type { Bucket } from "../../bucket/bucket.ts";
import type { TestResult } from "../../model/attempt.ts";
import type { Axes } from "../../model/axes.ts";
import { movedAxes } from "../../model/compare.ts";
import type { Database } from "../../store/database.ts";
import {
  baselineOf,
  failingTestsOf,
  isVisibleAttempt,
  rerunsOf,
  type Rerun,
} from "../../store/sql/attempt-relations.ts";
import { failuresPage, visibleResult } from "../../store/sql/result-queries.ts";
import type { StoredAttempt } from "../../store/store.ts";
import type { KeptLogs } from "../log/kept-logs.ts";
import { readLog, type LogView } from "../log/log-view.ts";
import type { PageContext } from "../shell/page.ts";
import { compareTests, type TestChanges } from "./compare-tests.ts";
import type { KeptReports } from "./kept-reports.ts";
import { listTests, type ListedTests, type TestsAsked } from "./list-tests.ts";
import { readLock, type ReadLock } from "./read-lock.ts";
import type { ReadReport } from "./read-report.ts";

/** What a page of an attempt is made from. */
export interface AttemptSources {
  readonly database: Database;
  readonly bucket: Pick<Bucket, "open">;
  readonly reports: KeptReports;
  readonly logs: KeptLogs;
  /** How long the log is waited for, ms; by default no longer than somebody wants to look at nothing. */
  readonly logMs?: number;
  /** 200 where nobody says otherwise. */
  readonly testsAPage?: number;
}

/** Where its tests were read: the whole report, or where none is kept (any more) those that the store has, which did not pass. */
export type TestsOrigin = "report" | "store";

export interface ReadAttempt {
  readonly stored: StoredAttempt;
  readonly tests: ListedTests;
  readonly origin: TestsOrigin;
  /** Tests of the report that a page has no room for. */
  readonly left: number;
  readonly collectionErrors: ReadReport["collectionErrors"];
  readonly baseline: Baseline | null;
  /** The attempt that this one ran again, if it is to be seen. */
  readonly of: string | null;
  readonly reruns: readonly Rerun[];
  readonly lock: ReadLock | "unread" | null;
  /** Null where none is kept (any more). */
  readonly log: LogView | "unread" | null;
}

export interface Baseline {
  readonly stored: StoredAttempt;
  /** Inputs that moved for another reason than the release: why the two can't be compared. */
  readonly moved: readonly (keyof Axes)[];
  readonly changes: TestChanges;
  /** Of `store`, what passes is not known: nothing is said of new, gone and slower tests. */
  readonly origin: TestsOrigin;
}

/** A report that is gone is told by as many of its failures. */
const MOST_NON_PASSES = 1000;
const MOST_COMPARED = 5000;
const LOG_MS = 10_000;

const NONE = Promise.resolve(null);

/** All that the page of an attempt shows; null where there is none, or none that who asks may know of. */
export async function readAttempt(
  sources: AttemptSources,
  id: string,
  asked: TestsAsked,
  { within }: Pick<PageContext, "within">,
): Promise<ReadAttempt | null> {
  const { database, bucket, reports } = sources;
  const stored = await visibleResult(database, id, within);
  if (stored === null) return null;
  const own = stored.attempt;
  // What only confirmed another ran a part of its tests: there is nothing to compare it with.
  const isWhole = stored.reason !== "confirm";
  const [report, before, reruns, of, lock, log] = await Promise.all([
    own.report === null ? NONE : readable(reports, id),
    isWhole ? baselineOf(database, id, within) : NONE,
    rerunsOf(database, id, within),
    seenOf(database, stored.of, within),
    own.evidence.lock === null ? NONE : readLock(bucket, id),
    own.log === null ? NONE : readableLog(sources, id),
  ]);
  const tests = report?.tests ?? (await nonPasses(database, id));
  return {
    stored,
    tests: listTests(tests, asked, sources.testsAPage),
    origin: report === null ? "store" : "report",
    left: report?.left ?? 0,
    collectionErrors: report?.collectionErrors ?? [],
    baseline: before === null ? null : await compared(sources, stored, report, before),
    of,
    reruns,
    lock,
    log,
  };
}

/** All tests of an attempt that are known: of its report, else those of the store, which did not pass. */
export async function testsOf(
  { database, reports }: AttemptSources,
  { attempt }: StoredAttempt,
): Promise<readonly TestResult[]> {
  const report = attempt.report === null ? null : await readable(reports, attempt.id);
  return report?.tests ?? (await nonPasses(database, attempt.id));
}

async function compared(
  { database, reports }: AttemptSources,
  { attempt }: StoredAttempt,
  report: ReadReport | null,
  before: StoredAttempt,
): Promise<Baseline> {
  const moved = movedAxes(before.attempt.axes, attempt.axes);
  const old = before.attempt.report === null ? null : await readable(reports, before.attempt.id);
  if (report !== null && old !== null && report.left === 0 && old.left === 0)
    return { stored: before, moved, changes: changesBetween(old, report), origin: "report" };
  const failing = async (id: string): Promise<TestResult[]> =>
    (await failingTestsOf(database, id, MOST_COMPARED)).map((test) => ({ ...test, seconds: 0 }));
  const [then, now] = await Promise.all([failing(before.attempt.id), failing(attempt.id)]);
  return { stored: before, moved, changes: ofFailures(compareTests(then, now)), origin: "store" };
}

/** Where only failures are known, one that is not there did not fail: what it did instead is not known. */
function ofFailures({ stillFailing, added, gone }: TestChanges): TestChanges {
  return {
    newlyFailing: added,
    fixed: gone,
    stillFailing,
    added: [],
    gone: [],
    slower: [],
  };
}

/** Compared once, as long as both reports are kept. */
const compares = new WeakMap<ReadReport, WeakMap<ReadReport, TestChanges>>();

function changesBetween(old: ReadReport, now: ReadReport): TestChanges {
  const known = compares.get(now) ?? new WeakMap<ReadReport, TestChanges>();
  compares.set(now, known);
  const changes = known.get(old) ?? compareTests(old.tests, now.tests);
  known.set(old, changes);
  return changes;
}

/** What the bucket can't give at present is not what the page is for: the store knows the verdict. */
function readable(reports: KeptReports, id: string): Promise<ReadReport | null> {
  return reports.of(id).catch(() => null);
}

async function seenOf(
  database: Database,
  of: string | null,
  within: PageContext["within"],
): Promise<string | null> {
  return of !== null && (await isVisibleAttempt(database, of, within)) ? of : null;
}

function readableLog(
  { logs, logMs }: Pick<AttemptSources, "logs" | "logMs">,
  id: string,
): Promise<ReadAttempt["log"]> {
  const signal = AbortSignal.timeout(logMs ?? LOG_MS);
  return readLog(logs, id, signal, logMs).catch(() => "unread" as const);
}

async function nonPasses(database: Database, id: string): Promise<TestResult[]> {
  const failures = await failuresPage(database, id, MOST_NON_PASSES);
  return failures.map(({ id: test, outcome, message }) => ({
    id: test,
    outcome,
    message,
    seconds: 0,
  }));
}
