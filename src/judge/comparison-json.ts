import { z } from "zod";

import { AttemptJson } from "../model/result-json.ts";
import { OverlayUse } from "../model/overlay.ts";
import { VERDICTS } from "./compare-sides.ts";

/**
 * What `creamery compare --json` prints: schema 1, published as docs/compare.schema.json. Fields are added within a
 * schema's number, never changed or taken away.
 */

const count = z.number().int().nonnegative();

const RunJson = z.object({
  id: z.string().describe("Of the attempt; `creamery reproduce ID` runs it again"),
  phase: AttemptJson.shape.phase,
  outcome: AttemptJson.shape.outcome,
  cause: AttemptJson.shape.cause,
  confidence: AttemptJson.shape.confidence,
  tests: AttemptJson.shape.tests,
  used: z.array(OverlayUse).describe("What was used of the project that changes"),
});
export type RunJson = z.infer<typeof RunJson>;

const SideJson = z.object({
  configuration: z.string(),
  image: z.string(),
  runs: z
    .array(RunJson)
    .describe("In the order in which they ran; the first of A belongs to the first of B"),
});

export const ComparedJson = z.object({
  project: z.string(),
  version: z.string(),
  source: AttemptJson.shape.source,
  from: z
    .enum(["auto", "sdist"])
    .describe(
      "`sdist`: built here, because what changes is a tool that it is built with, or it was asked for",
    ),
  startedAt: z
    .string()
    .nullable()
    .describe(
      "When its runs were begun (RFC 3339), perhaps by a command before; null where nothing was run",
    ),
  verdict: z.enum(VERDICTS),
  exercised: z
    .boolean()
    .nullable()
    .describe("Whether what changes was used on either side; null where nothing tells"),
  confidence: z
    .string()
    .describe("`confirmed(2/2)`, `flaky`, or `unconfirmed` where once was enough"),
  why: z.array(z.string()),
  tests: z.object({
    broken: z.array(z.string()).describe("Passed with A and fail with B, in every round"),
    fixed: z.array(z.string()),
  }),
  moved: z.array(z.string()).describe("What the index gave otherwise besides what changes"),
  farmFault: z.boolean().describe("The farm gave no verdict"),
  a: SideJson,
  b: SideJson,
});
export type ComparedJson = z.infer<typeof ComparedJson>;

export const ComparisonJson = z.object({
  schema: z.literal(1),
  a: z.string().describe("As typed"),
  b: z.string(),
  changes: z.enum(["release", "date", "image", "interpreter", "env"]),
  counts: z.record(z.enum(VERDICTS), count),
  compared: z.array(ComparedJson),
  left: count.describe("What was to be compared and did not come to its end"),
  id: z
    .string()
    .nullable()
    .default(null)
    .describe("Under which the farm's pages show it (`/compare/ID`); null where it was not kept"),
  endedAt: z
    .string()
    .nullable()
    .default(null)
    .describe("When the last of its runs was begun (RFC 3339)"),
  changed: z
    .string()
    .nullable()
    .default(null)
    .describe("The project that changes, normalised; null where something else does"),
});
export type ComparisonJson = z.infer<typeof ComparisonJson>;

/** The published JSON Schema of `ComparisonJson`. */
export function comparisonJsonSchema(): unknown {
  return {
    ...z.toJSONSchema(ComparisonJson, { io: "output" }),
    title: "What `creamery compare --json` prints",
  };
}
