import { z } from "zod";

import { HOST_STATES } from "../../../queue/hosts.ts";
import { LANES } from "../../../queue/job.ts";

/** How the farm is: alive, how far behind, and what is wrong. */

const instant = z.string().describe("RFC 3339, UTC");
const seconds = z.number().nonnegative();

const Latency = z
  .object({ p50: seconds, p90: seconds, count: z.int() })
  .nullable()
  .describe(
    "Seconds from upload to verdict on the priority configurations in the last day; null where there was none",
  );

export const FarmStatus = z
  .object({
    version: z.string(),
    at: instant,
    startedAt: instant,
    watchers: z.array(
      z.object({
        name: z.string().describe("`changelog`, `rss`, `simple-pages`, `git hello`"),
        source: z.string().describe("What it watches, without credentials"),
        state: z.enum(["following", "catching-up", "failing", "off"]),
        lagSeconds: seconds
          .nullable()
          .describe("How old the newest is that it has taken; null where that is not known"),
        lastRoundAt: instant.nullable(),
        failures: z.int().describe("In a row"),
        lastFailure: z.string().nullable(),
      }),
    ),
    queue: z.array(
      z.object({
        lane: z.enum(LANES),
        queued: z.int(),
        waiting: z.int(),
        leased: z.int(),
        dead: z.int(),
        oldestAt: instant.nullable().describe("Of what is queued"),
      }),
    ),
    hosts: z.array(
      z.object({
        name: z.string(),
        state: z.enum(HOST_STATES),
        reason: z.string().nullable(),
        seenAt: instant,
        isLost: z.boolean().describe("It has said nothing for longer than a lease"),
        slots: z.int(),
        running: z.int(),
      }),
    ),
    disks: z.array(
      z.object({
        what: z.string().describe("`data`, `cache`, `bucket`"),
        path: z.string(),
        freeBytes: z.number(),
        totalBytes: z.number(),
      }),
    ),
    latency: Latency,
    alarms: z.array(
      z.object({
        kind: z
          .string()
          .describe(
            "A word for programs: `host-lost`, `watcher-failing`, `disk-low`, `jobs-dead`, `behind`",
          ),
        since: instant,
        text: z.string().describe("For a person"),
        nextStep: z.string(),
      }),
    ),
  })
  .meta({ id: "Status" });
export type FarmStatus = z.infer<typeof FarmStatus>;

/** Where the API has it from: whoever runs the watchers, the reaper and the alarms. */
export interface StatusSource {
  status(signal: AbortSignal): Promise<FarmStatus>;
}
