import { z } from "zod";

const GIB = 1024 ** 3;
const HOUR_MS = 3_600_000;
const MAX_GIB = 50;
const GRACE_HOURS = 24;

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

export interface IndexBounds {
  readonly maxBytes: number;
  readonly graceMs: number;
}

export function indexBounds(table: IndexTable): IndexBounds {
  return {
    maxBytes: Math.floor((table.max_gib ?? MAX_GIB) * GIB),
    graceMs: Math.round((table.grace_hours ?? GRACE_HOURS) * HOUR_MS),
  };
}
