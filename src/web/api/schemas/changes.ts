import { z } from "zod";

import { OUTCOMES } from "../../../model/attempt.ts";
import { AttemptJson } from "../../../model/result-json.ts";
import { CHANGE_KINDS } from "../../../model/settle-verdict.ts";

/** What is told of changes of verdict. */

const Side = z.object({
  attempt: z.string(),
  version: z.string(),
  outcome: z.enum(OUTCOMES),
  cause: AttemptJson.shape.cause,
});

export const Change = z
  .object({
    id: z.int().describe("Grows from one change to the next"),
    project: z.string(),
    configuration: z.string(),
    line: z
      .string()
      .describe("Empty for releases; of a repository the branch or tag: `refs/heads/main`"),
    kind: z
      .enum(CHANGE_KINDS)
      .describe("`broke`: it passed before; `fixed`: it did not; `changed`: it fails otherwise"),
    now: Side,
    before: Side.describe("The result that had settled before"),
    root: z.string().describe("What changes are grouped by: `cffi`, `numpy 2.4`, the project"),
    at: z.string().describe("RFC 3339, UTC: when the attempt ended"),
  })
  .meta({ id: "Change", description: "A change of verdict (docs/results.md)" });
export type Change = z.infer<typeof Change>;
