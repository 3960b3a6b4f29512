import { z } from "zod";

import { HOST_STATES } from "../../../queue/hosts.ts";
import { JOB_PLANS, JOB_STATES, LANES } from "../../../queue/job.ts";
import { VISIBILITIES } from "../../../model/principals.ts";
import { JOB_REASONS } from "../../../store/store.ts";

/** What is told of the queue, and asked of it. */

const instant = z.string().describe("RFC 3339, UTC");

export const Job = z
  .object({
    key: z.string(),
    project: z.string(),
    visibility: z.enum(VISIBILITIES),
    word: z.string().describe("As a person types it"),
    version: z.string().describe("Empty where it is found out when the job is begun"),
    configuration: z.string(),
    reason: z.enum(JOB_REASONS),
    lane: z.enum(LANES),
    state: z.enum(JOB_STATES),
    plan: z.enum(JOB_PLANS).describe("`smoke`: installed and imported, no tests are looked for"),
    why: z.string().nullable().describe("For operators: why it is tested again"),
    enqueuedAt: instant,
    readyAt: instant.describe("Not begun before"),
    tries: z.int(),
    farmFaults: z.int(),
    attempt: z.string().nullable(),
    host: z.string().nullable().describe("For operators: which host runs it"),
    leaseUntil: instant.nullable(),
    note: z.string().nullable().describe("Why it is dead, cancelled or superseded"),
  })
  .meta({ id: "Job" });
export type Job = z.infer<typeof Job>;

export const Jobs = z
  .object({ jobs: z.array(Job), next: z.string().nullable() })
  .meta({ id: "Jobs" });

export const EnqueueBody = z
  .strictObject({
    targets: z
      .array(z.string().min(1).max(4095))
      .min(1)
      .max(50)
      .describe(
        "As typed after `creamery test`, but no paths: `lmdb`, `attrs==25.3.0`, `git+https://…@ref`",
      ),
    configurations: z
      .union([z.literal("priority"), z.literal("all"), z.array(z.string().max(40)).min(1).max(64)])
      .default("priority"),
    lane: z
      .enum(LANES)
      .optional()
      .describe(
        "`manual`, ahead of the others, is for operators and for few jobs; by default `priority`",
      ),
  })
  .meta({ id: "EnqueueBody" });
export type EnqueueBody = z.input<typeof EnqueueBody>;

export const EnqueuedJobs = z
  .object({
    jobs: z.array(
      z.object({
        key: z.string(),
        project: z.string(),
        configuration: z.string(),
        kind: z
          .enum(["added", "known", "coalesced"])
          .describe(
            "`known`: this very request was made before; `coalesced`: the same waits already",
          ),
        readyAt: instant,
      }),
    ),
  })
  .meta({ id: "EnqueuedJobs" });
export type EnqueuedJobs = z.infer<typeof EnqueuedJobs>;

export const QueueState = z
  .object({
    lanes: z.array(
      z.object({
        lane: z.enum(LANES),
        state: z.enum(JOB_STATES),
        count: z.int(),
        oldestAt: instant,
      }),
    ),
    busiest: z
      .array(z.object({ project: z.string(), jobs: z.int() }))
      .describe("The projects with most jobs that are not over"),
    attempts: z
      .object({ lastHour: z.int(), lastDay: z.int() })
      .describe("Begun since then, and ended"),
  })
  .meta({ id: "QueueState" });
export type QueueState = z.infer<typeof QueueState>;

export const Host = z
  .object({
    name: z.string(),
    state: z.enum(HOST_STATES),
    reason: z.string().nullable(),
    slots: z.int(),
    running: z.int(),
    seenAt: instant,
    version: z.string(),
    machine: z.string(),
    image: z.string(),
    cores: z.int(),
    memoryFreeBytes: z.number(),
    diskFreeBytes: z.number(),
  })
  .meta({ id: "Host" });
export type Host = z.infer<typeof Host>;

export const HostList = z.object({ hosts: z.array(Host) }).meta({ id: "Hosts" });

export const DrainBody = z
  .strictObject({ reason: z.string().min(1).max(200).optional() })
  .meta({ id: "DrainBody" });
