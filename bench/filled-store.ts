import { randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";

import type { AttemptJson } from "../src/model/result-json.ts";
import { sampleAttempt } from "../src/model/result-json.sample.ts";
import type { TestResult } from "../src/model/attempt.ts";
import type { EnqueueRequest } from "../src/queue/job.ts";
import { Queue } from "../src/queue/queue.ts";
import { newAttemptId } from "../src/store/attempt-id.ts";
import type { Database } from "../src/store/database.ts";
import { insertResult } from "../src/store/sql/sql-store.ts";
import type { AttemptRecording } from "../src/store/store.ts";
import { exportStore } from "../src/store/transfer/export-store.ts";
import { importStore } from "../src/store/transfer/import-store.ts";

/** How large a farm's store is: the is 45,000 projects on 40 configurations, and 200,000 attempts. */
export interface StoreSize {
  readonly projects: number;
  readonly configurations: number;
  readonly attempts: number;
  /** Of the project with most, on every configuration. */
  readonly releases: number;
}

/** What was put in, for whoever asks for it. */
export interface Filling {
  /** Some of the public ones. */
  readonly attempts: readonly {
    readonly id: string;
    readonly project: string;
    readonly version: string;
  }[];
  /** The project with most releases and attempts. */
  readonly largest: string;
}

const REQUESTS_AT_ONCE = 200;
const ATTEMPTS_AT_ONCE = 1000;
const DAY_MS = 86_400_000;
/** So many projects have all of the attempts, a release after the other. */
const TESTED = 5000;

export const projectName = (index: number): string => `project-${index}`;
export const configurationName = (index: number): string =>
  index % 10 === 9 ? `pypy-3.${index}` : `cpython-3.${index}`;
const versionOf = (release: number): string => `${1 + Math.floor(release / 10)}.${release % 10}`;

/** Fills an empty store with a queue and with results such as a farm has of half a year, one in nine of them bad. */
export async function fillStore(
  database: Database,
  size: StoreSize,
  say: (line: string) => void,
): Promise<Filling> {
  const nowMs = Date.now();
  const queue = new Queue(database, { newId: () => newAttemptId() });
  say(`enqueuing ${size.projects * size.configurations} jobs`);
  for (let start = 0; start < size.projects; start += REQUESTS_AT_ONCE)
    await queue.enqueue(requests(start, Math.min(size.projects, start + REQUESTS_AT_ONCE), size));
  say(`keeping ${size.attempts} attempts`);
  const filling: { id: string; project: string; version: string }[] = [];
  const firstMs = nowMs - 180 * DAY_MS;
  const stepMs = Math.floor((180 * DAY_MS) / size.attempts);
  let part: AttemptRecording[] = [];
  const flush = async (): Promise<void> => {
    const recordings = part;
    part = [];
    await database.write(async (within) => {
      for (const recording of recordings) await insertResult(within, recording);
    });
  };
  for (let index = 0; index < size.attempts; index++) {
    const recording = recordingOf(index, size, firstMs + index * stepMs);
    const { id, project, version } = recording.attempt;
    const isShown = recording.visibility === "public";
    if (isShown && (index % 100 === 0 || project === projectName(0)))
      filling.push({ id, project, version });
    part.push(recording);
    if (part.length >= ATTEMPTS_AT_ONCE) await flush();
    if (index % 50_000 === 49_999) say(`  ${index + 1}`);
  }
  await flush();
  return { attempts: filling, largest: projectName(0) };
}

/** The same in another, empty store. @param file for the archive between them. */
export async function copyStore(from: string, to: string, file: string): Promise<void> {
  const { signal } = new AbortController();
  await exportStore(from, createWriteStream(file), { signal });
  await importStore(to, createReadStream(file), { signal, archive: file });
}

function requests(from: number, to: number, { configurations }: StoreSize): EnqueueRequest[] {
  return Array.from({ length: to - from }, (_, index) => {
    const project = projectName(from + index);
    const version = versionOf((from + index) % 30);
    return {
      id: newAttemptId(),
      project,
      visibility: (from + index) % 97 === 96 ? ("private" as const) : ("public" as const),
      word: `${project}==${version}`,
      version,
      line: "",
      reason: "release" as const,
      configurations: Array.from({ length: configurations }, (__, place) => ({
        name: configurationName(place),
        lane: place < 3 ? ("priority" as const) : ("rest" as const),
      })),
    };
  });
}

/** The largest project's come between those of all others, as they would over half a year. */
function recordingOf(index: number, size: StoreSize, atMs: number): AttemptRecording {
  const large = size.releases * size.configurations;
  const every = Math.max(2, Math.floor(size.attempts / large));
  const place = Math.floor(index / every);
  const isLarge = index % every === 0 && place < large;
  const round = Math.floor(index / 8 / TESTED);
  const number = isLarge ? 0 : 1 + (Math.floor(index / 8) % Math.min(TESTED, size.projects - 1));
  const release = isLarge ? Math.floor(place / size.configurations) : round;
  const configuration = configurationName(
    isLarge ? place % size.configurations : index % Math.min(8, size.configurations),
  );
  const id = newAttemptId(atMs);
  const isBad = isLarge ? release % 20 > 16 && place % 5 < 2 : (number + round) % 9 === 4;
  const attempt = attemptOf(
    id,
    projectName(number),
    versionOf(release),
    configuration,
    isBad,
    atMs,
  );
  return {
    attempt,
    visibility: number % 97 === 96 ? "private" : "public",
    reason: index % 4 === 3 ? "retest" : "release",
    startedAt: new Date(atMs).toISOString(),
    results: isBad ? failures(number, isLarge ? 60 : 3) : [],
    dependencies: [
      { name: projectName((number * 7) % 50), kind: "run" },
      { name: "setuptools", kind: "build" },
    ],
  };
}

function failures(number: number, count: number): TestResult[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `tests/test_${number % 40}.py::TestThing::test_case[${index}]`,
    outcome: "failed",
    seconds: 0.1,
    message: `AssertionError: ${index} is not ${number}`,
  }));
}

function attemptOf(
  id: string,
  project: string,
  version: string,
  configuration: string,
  isBad: boolean,
  atMs: number,
): AttemptJson {
  const base = sampleAttempt();
  const hash = randomBytes(32).toString("hex");
  const collected = 50 + (atMs % 2000);
  const failed = isBad ? 3 : 0;
  return {
    ...base,
    id,
    project,
    version,
    configuration,
    source: { kind: "release", sha256: hash },
    outcome: isBad ? "fail" : "pass",
    cause: isBad ? (atMs % 3 === 0 ? "removed-api(imp)" : "test-failure") : null,
    confidence: isBad ? "confirmed(2/2)" : "unconfirmed",
    comparison: isBad ? "new-fail" : "still-pass",
    tests: { collected, passed: collected - failed, failed, errors: 0, skipped: 0, deselected: 0 },
    axes: {
      ...base.axes,
      source: hash,
      interpreter: `${configuration}.1`,
      lock: randomBytes(32).toString("hex"),
      indexDate: new Date(atMs).toISOString(),
    },
    evidence: {
      ...base.evidence,
      firstLines: isBad ? ["E   AssertionError", "FAILED tests/test_1.py::test_case"] : [],
      failing: isBad ? base.evidence.failing : [],
    },
    log: `attempts/${id}/log.txt.gz`,
    report: `attempts/${id}/report.json.gz`,
  };
}
