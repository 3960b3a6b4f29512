import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { CreameryError } from "../../base/errors.ts";
import { DirectoryBucket } from "../../bucket/directory-bucket.ts";
import { openIndexService } from "../../index/index-service.ts";
import { openStore } from "../../store/open-store.ts";
import { sampleJob, sampleMachine } from "../../worker/attempt-job.sample.ts";
import type { Progress } from "./progress.ts";
import { runJobs, type RanJobs } from "./run-jobs.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "creamery-run-jobs-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Is excluded by its Requires-Python: all of an attempt, but no guest. */
const excludedJob = (id: string) => sampleJob(id, { requiresPython: ">=4", label: `mine ${id}` });

interface Run {
  readonly ids: readonly string[];
  readonly log?: boolean;
  /** Before an attempt is kept in the store. */
  readonly onRecord?: (id: string) => void;
  readonly signal?: AbortSignal;
}

async function run({
  ids,
  log = false,
  onRecord,
  signal,
}: Run): Promise<RanJobs & { said: string[] }> {
  const said: string[] = [];
  const progress: Progress = {
    add() {},
    enter() {},
    end() {},
    say: (line) => said.push(line),
    [Symbol.dispose]() {},
  };
  const transport = { ca: undefined, clientCert: undefined, proxy: null };
  await using index = await openIndexService({
    directory: join(root, "index"),
    upstreams: { indexes: [], crates: null, transport },
  });
  await using store = await openStore(join(root, "store.sqlite"));
  const bucket = await DirectoryBucket.open(join(root, "bucket"));
  const ran = await runJobs({
    farm: {
      machine: sampleMachine("gvisor"),
      confirming: null,
      index: Promise.resolve(index),
      bucket,
      store: {
        recordAttempt: (recording) => {
          onRecord?.(recording.attempt.id);
          return store.recordAttempt(recording);
        },
        attempt: (id) => store.attempt(id),
        attempts: (query) => store.attempts(query),
        nonPasses: (id) => store.nonPasses(id),
        latestComparable: (query) => store.latestComparable(query),
        oftenFailing: (project, limit) => store.oftenFailing(project, limit),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      },
      workDirectory: root,
      warmDirectory: join(root, "warm"),
    },
    jobs: ids.map(excludedJob),
    atOnce: 1,
    reason: "manual",
    progress,
    log,
    signal: signal ?? new AbortController().signal,
  });
  return { ...ran, said };
}

const idsOf = ({ tested }: RanJobs) => tested.map(({ attempt }) => attempt.id);

test("without a fault all results are there, in the order of the jobs", async () => {
  const ran = await run({ ids: ["b", "a"] });
  expect(idsOf(ran)).toEqual(["b", "a"]);
  expect(ran.fault).toBeUndefined();
});

test("what had come to its end is handed out whatever ends the rest", async () => {
  const full = new CreameryError("disk-full", "the disk is full");
  const ran = await run({
    ids: ["a", "b", "c"],
    onRecord: (id) => {
      if (id === "b") throw full;
    },
  });
  expect(idsOf(ran)).toEqual(["a"]);
  expect(ran.fault).toBe(full);
});

test("an interruption is the fault, whatever follows from it", async () => {
  const stop = new AbortController();
  const interrupted = new CreameryError("interrupted", "interrupted", { signal: "SIGINT" });
  const ran = await run({
    ids: ["a", "b", "c"],
    signal: stop.signal,
    onRecord: (id) => {
      if (id !== "b") return;
      stop.abort(interrupted);
      throw new Error("follows from it");
    },
  });
  expect(idsOf(ran)).toEqual(["a"]);
  expect(ran.fault).toBe(interrupted);
});

test("of several attempts each line of a log says whose it is", async () => {
  const { said } = await run({ ids: ["a", "b"], log: true });
  for (const id of ["a", "b"])
    expect(said).toContain(`mine ${id} cpython-3.13 | -- Requires-Python is >=4`);
  expect((await run({ ids: ["c"], log: true })).said).toContain("-- Requires-Python is >=4");
});

test("no log is left of what was kept", async () => {
  await run({ ids: ["a"] });
  expect(readdirSync(root).filter((name) => name.endsWith(".log"))).toEqual([]);
});
