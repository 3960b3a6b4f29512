import { z } from "zod";

import type { Limits } from "./limits.ts";

const GIB = 1024 ** 3;
const HOUR_MS = 3_600_000;
const MAX_GIB = 50;
const GRACE_HOURS = 24;
const LEAST_ATTEMPTS = 2;

/** `[index]`: how much the mirror keeps, and who sends it. */
export const IndexTable = z.strictObject({
  /** All of it together; what is pinned is never removed for it. */
  max_gib: z.number().positive().max(1_000_000).optional(),
  /** What was used within so many hours stays: longer than any attempt takes. */
  grace_hours: z
    .number()
    .min(2)
    .max(24 * 365)
    .optional(),
  /** nginx stands before `index serve`, and sends the bytes of files: below which path it has them. */
  x_accel: z
    .string()
    .max(200)
    .regex(/^\/(?:[\w-]+\/)+$/u, 'is no path of nginx, as "/protected/"')
    .optional(),
});
export type IndexTable = z.infer<typeof IndexTable>;

/** As much of a farm's configuration as decides it. */
export interface BoundedFarm {
  readonly index: IndexTable;
  readonly limits: Pick<Limits, "installMs" | "buildMs" | "testMs">;
}

export interface IndexBounds {
  readonly maxBytes: number;
  readonly graceMs: number;
}

/** The grace is twice what an attempt may take at the least, whatever the table says. */
export function indexBounds({ index, limits }: BoundedFarm): IndexBounds {
  const attemptMs = limits.installMs + limits.buildMs + limits.testMs;
  return {
    maxBytes: Math.floor((index.max_gib ?? MAX_GIB) * GIB),
    graceMs: Math.max(
      Math.round((index.grace_hours ?? GRACE_HOURS) * HOUR_MS),
      LEAST_ATTEMPTS * attemptMs,
    ),
  };
}
