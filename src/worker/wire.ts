import { VISIBILITIES } from "../model/principals.ts";
import { z } from "zod";

import { AttemptJson } from "../model/result-json.ts";
import { DEPENDENCY_KINDS, MAX_DEPENDENCIES } from "../python/depends-on.ts";
import { HOST_STATES, HostFacts } from "../queue/hosts.ts";
import { JOB_PLANS, LANES, type LeasedJob } from "../queue/job.ts";
import type { Finish } from "../queue/queue.ts";
import {
  JOB_REASONS,
  type AttemptRecording,
  type BaselineQuery,
  type StoredAttempt,
} from "../store/store.ts";
import type { Beat, BeatAnswer, Welcome, Wish } from "./coordinator.ts";

/**
 * What a worker and its farm say to each other by HTTP (docs/workers.md). Fields are added within v1, with defaults, never changed or taken
 * away: a worker and a farm of neighbouring versions understand each other.
 */

const id = z.string().regex(/^[0-9a-z][0-9a-z-]{0,63}$/u);
const word = z.string().max(5000);
const ms = z.number().int().nonnegative();
const configuration = z.string().min(1).max(80);

/** What came of a suite may be large: bounded by what the farm keeps of it. */
const MAX_FAILURES = 5000;
const MAX_RECORDINGS = 20;
const MAX_LEASES = 1000;

/** What a worker asks before anything else. */
export const FarmJson = z.object({
  /** The image that the farm tests on. */
  image: z.string().min(1).max(120),
  /** Of Creamery. */
  version: z.string().max(100),
});

export const ArriveBody = z.object({
  boot: id,
  slots: z.number().int().min(1).max(1024),
  facts: HostFacts,
});

export const WelcomeJson = z.object({ leaseMs: ms, heartbeatMs: ms }) satisfies z.ZodType<Welcome>;

export const WishBody = z.object({
  boot: id,
  most: z.number().int().min(1).max(64),
  without: z.array(configuration).max(200),
  waitMs: ms.max(60_000),
}) satisfies z.ZodType<Wish>;

export const LeasedJobJson = z.object({
  key: z.string().max(80),
  attempt: id,
  project: word,
  visibility: z.enum(VISIBILITIES),
  word,
  version: word,
  configuration,
  reason: z.enum(JOB_REASONS),
  lane: z.enum(LANES),
  try: z.number().int().positive(),
  leaseUntilMs: ms,
  plan: z.enum(JOB_PLANS).default("full"),
}) satisfies z.ZodType<LeasedJob>;

export const BeatBody = z.object({
  boot: id,
  attempts: z.array(id).max(MAX_LEASES),
  facts: HostFacts,
}) satisfies z.ZodType<Beat>;

export const BeatJson = z.object({
  lost: z.array(id),
  state: z.enum(HOST_STATES),
  reason: z.string().nullable(),
}) satisfies z.ZodType<BeatAnswer>;

const RecordingJson = z.object({
  attempt: AttemptJson,
  visibility: z.enum(VISIBILITIES),
  reason: z.enum(JOB_REASONS),
  of: id.optional(),
  startedAt: z.iso.datetime(),
  results: z
    .array(
      z.object({
        id: word,
        outcome: z.enum(["failed", "error"]),
        seconds: z.number().nonnegative(),
        message: z.string().max(20_000).optional(),
      }),
    )
    .max(MAX_FAILURES),
  dependencies: z
    .array(z.object({ name: z.string().min(1).max(200), kind: z.enum(DEPENDENCY_KINDS) }))
    .max(MAX_DEPENDENCIES)
    .optional(),
});

export const FinishJson = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("done"),
    recordings: z.array(RecordingJson).min(1).max(MAX_RECORDINGS),
  }),
  z.object({
    kind: z.literal("farm-fault"),
    recordings: z.array(RecordingJson).max(MAX_RECORDINGS),
    reason: word,
  }),
  z.object({ kind: z.literal("impossible"), reason: word }),
  z.object({ kind: z.literal("returned") }),
]);

/** In one go; what a suite says in half a second. */
const MAX_TOLD_CHARS = 256 * 1024;
export const TellBody = z.object({
  boot: id,
  pieces: z
    .array(
      z.discriminatedUnion("kind", [
        z.object({ kind: z.literal("log"), text: z.string().max(MAX_TOLD_CHARS) }),
        z.object({ kind: z.literal("phase"), phase: z.string().max(100), atMs: ms }),
      ]),
    )
    .max(200),
});

export const FinishBody = z.object({ boot: id, finish: FinishJson });
export const FinishedJson = z.object({ kind: z.enum(["kept", "gone"]) });

export const BaselineParams = z.object({
  boot: id,
  project: word,
  configuration,
  olderThan: id,
  version: word.optional(),
});

export const StoredAttemptJson = z.object({
  attempt: AttemptJson,
  visibility: z.enum(VISIBILITIES),
  reason: z.enum(JOB_REASONS),
  of: z.string().nullable(),
  startedAt: z.string(),
}) satisfies z.ZodType<StoredAttempt>;

/** As the queue takes it: what a parsed body leaves undefined is not there at all. */
export function finishOf(body: z.infer<typeof FinishJson>): Finish {
  switch (body.kind) {
    case "done":
      return { kind: "done", recordings: body.recordings.map(recordingOf) };
    case "farm-fault":
      return { ...body, recordings: body.recordings.map(recordingOf) };
    case "impossible":
    case "returned":
      return body;
  }
}

function recordingOf({
  of,
  results,
  dependencies,
  ...rest
}: z.infer<typeof RecordingJson>): AttemptRecording {
  return {
    ...rest,
    ...(of === undefined ? {} : { of }),
    ...(dependencies === undefined ? {} : { dependencies }),
    results: results.map(({ message, ...result }) => ({
      ...result,
      ...(message === undefined ? {} : { message }),
    })),
  };
}

export function baselineOf(params: z.infer<typeof BaselineParams>): BaselineQuery {
  const { project, configuration: name, olderThan, version } = params;
  return { project, configuration: name, olderThan, ...(version === undefined ? {} : { version }) };
}
