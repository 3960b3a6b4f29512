import { z } from "zod";

const MINUTE_MS = 60_000;
const MIB = 1024 ** 2;

/** `[repositories]`: the mirrors of source repositories. */
export const RepositoriesTable = z.strictObject({
  /** For which a mirror is used before its repository is fetched again. */
  interval_minutes: z
    .number()
    .min(0)
    .max(7 * 24 * 60)
    .optional(),
  /** Of one mirror. */
  max_mib: z.number().int().min(1).max(1_048_576).optional(),
  /** Of all mirrors together that were used within two hours. */
  recent_gib: z.number().positive().max(1_048_576).optional(),
  /** Whether guests are served any. */
  serve: z.boolean().optional(),
});
export type RepositoriesTable = z.infer<typeof RepositoriesTable>;

export interface RepositoryLimits {
  readonly intervalMs: number;
  readonly maxBytes: number;
  readonly maxRecentBytes: number;
  readonly serve: boolean;
}

export function repositoryLimits(table: RepositoriesTable): RepositoryLimits {
  return {
    intervalMs: (table.interval_minutes ?? 5) * MINUTE_MS,
    maxBytes: (table.max_mib ?? 2048) * MIB,
    maxRecentBytes: (table.recent_gib ?? 20) * 1024 * MIB,
    serve: table.serve ?? true,
  };
}
