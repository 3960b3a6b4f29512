import { beforeEach } from "vitest";

import { sampleAttempt } from "../model/result-json.sample.ts";
import { newAttemptId } from "../store/attempt-id.ts";
import type { Database } from "../store/database.ts";
import type { AttemptRecording } from "../store/store.ts";
import { Hosts, HostFacts } from "./hosts.ts";
import type { EnqueueRequest, JobState, Lane } from "./job.ts";
import { jobByKey } from "./job-views.ts";
import { Queue } from "./queue.ts";
import type { QueuePolicy } from "./queue-policy.ts";

export const HOUR_MS = 3_600_000;

/** A queue by a clock of its own, and what is asked of it. */
export interface QueueTrial {
  /** Begins anew with each test. */
  nowMs: number;
  /** Of the last request. */
  serial: number;
  readonly opened: (policy?: Partial<QueuePolicy>) => Promise<OpenedQueue>;
  readonly request: (
    project: string,
    change?: Partial<EnqueueRequest> & { readonly lane?: Lane },
  ) => EnqueueRequest;
  readonly push: (commit: string, change?: Partial<EnqueueRequest>) => EnqueueRequest;
  readonly recording: (
    id: string,
    project?: string,
    change?: Partial<AttemptRecording>,
  ) => AttemptRecording;
  readonly stateOf: (database: Database, key: string) => Promise<JobState | undefined>;
}

export interface OpenedQueue extends AsyncDisposable {
  readonly database: Database;
  readonly queue: Queue;
  readonly hosts: Hosts;
  /** @returns the host's id. */
  arrive(name: string, boot?: string): Promise<number>;
}

/** For the tests of one suite. @param open opens the same database, at first empty, one each time within one test. */
export function queueTrial(open: () => Promise<Database>): QueueTrial {
  const request: QueueTrial["request"] = (project, change = {}) => {
    const { lane = "priority", ...rest } = change;
    const version = rest.version ?? "1.0";
    return {
      id: `r${++trial.serial}`,
      project,
      visibility: "public",
      word: `${project}==${version}`,
      version,
      line: "",
      reason: "release",
      configurations: [{ name: "cpython-3.13", lane }],
      ...rest,
    };
  };
  let leased = 0;
  const trial: QueueTrial = {
    nowMs: 0,
    serial: 0,
    opened: async (policy = {}) => {
      const database = await open();
      const queue = new Queue(database, {
        policy,
        now: () => trial.nowMs,
        random: () => 1,
        // In the order of leases: two of one millisecond would be in any.
        newId: () => newAttemptId(++leased),
      });
      const hosts = new Hosts(database, () => trial.nowMs);
      return {
        database,
        queue,
        hosts,
        arrive: async (name, boot = "1") =>
          (await hosts.arrive({ name, boot, slots: 1, facts: HostFacts.parse({}) })).host.id,
        [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
      };
    },
    request,
    push: (commit, change = {}) =>
      request("repo", {
        reason: "push",
        version: commit,
        word: `git+https://git.example/repo@${commit}`,
        line: "refs/heads/main",
        ...change,
      }),
    recording: (id, project = "six", change = {}) => ({
      attempt: sampleAttempt({ id, project }),
      visibility: "public",
      reason: "release",
      startedAt: "2026-11-24T10:00:00Z",
      results: [],
      ...change,
    }),
    stateOf: async (database, key) => (await database.read((db) => jobByKey(db, key)))?.state,
  };
  beforeEach(() => {
    trial.nowMs = 1_000_000_000_000;
    trial.serial = 0;
  });
  return trial;
}
