import { z } from "zod";

import { OUTCOMES, PHASES } from "../../../model/attempt.ts";
import { AttemptJson } from "../../../model/result-json.ts";
import { VISIBILITIES } from "../../../model/principals.ts";
import { JOB_REASONS } from "../../../store/store.ts";

/** What is told of projects, releases and results. */

const instant = z.string().describe("RFC 3339, UTC");

export const Project = z
  .object({
    name: z.string().describe("Normalised (PEP 503)"),
    visibility: z.enum(VISIBILITIES),
    newestAttempt: z.string().nullable().describe("Id of the attempt that was begun last"),
  })
  .meta({ id: "Project" });
export type Project = z.infer<typeof Project>;

export const Result = z
  .object({
    id: z.string().describe("Of the attempt"),
    project: z.string(),
    version: z.string(),
    configuration: z.string(),
    phase: z.enum(PHASES),
    outcome: z.enum(OUTCOMES),
    cause: AttemptJson.shape.cause,
    confidence: AttemptJson.shape.confidence,
    comparison: AttemptJson.shape.comparison,
    smoke: AttemptJson.shape.smoke,
    tests: AttemptJson.shape.tests,
    totalSeconds: z.number().nullable(),
    image: z.string(),
    interpreter: z.string(),
    machine: AttemptJson.shape.machine,
    startedAt: instant,
    reason: z.enum(JOB_REASONS),
    of: z.string().nullable().describe("The attempt that this one ran again"),
  })
  .meta({ id: "Result", description: "The verdict of an attempt, in short (docs/results.md)" });
export type Result = z.infer<typeof Result>;

export const Attempt = z
  .object({
    attempt: AttemptJson.describe(
      "As `--json` prints it (docs/json.md); `log`, `report`, `evidence.lock` and `evidence.buildLock` are addresses below this host",
    ),
    visibility: z.enum(VISIBILITIES),
    reason: z.enum(JOB_REASONS),
    of: z.string().nullable(),
    startedAt: instant,
  })
  .meta({ id: "Attempt" });
export type Attempt = z.infer<typeof Attempt>;

export const Failure = z
  .object({
    id: z.string().describe("Of the test"),
    outcome: z.enum(["failed", "error"]),
    message: z.string(),
  })
  .meta({ id: "Failure" });
export type Failure = z.infer<typeof Failure>;

export const Release = z
  .object({
    version: z.string(),
    attempts: z.int().describe("Of all configurations"),
    lastStartedAt: instant.nullable(),
  })
  .meta({ id: "Release" });
export type Release = z.infer<typeof Release>;

export const Asset = z
  .object({
    name: z.string(),
    sizeBytes: z.int(),
    sha256: z.string(),
  })
  .meta({ id: "Asset" });
export type Asset = z.infer<typeof Asset>;
