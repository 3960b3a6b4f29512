import { z } from "zod";

import { COVERAGE_STATES } from "../../../store/sql/coverage.ts";

const count = z.int().nonnegative();
const states = z.record(z.enum(COVERAGE_STATES), count);

/** What became of releases that were seen (docs/admission.md). */
export const CoverageJson = z
  .object({
    since: z.string().describe("RFC 3339, UTC"),
    seen: count,
    states: states.describe("Their sum is `seen`"),
    classes: z.array(z.object({ class: z.string(), seen: count, states })),
  })
  .meta({ id: "Coverage" });
