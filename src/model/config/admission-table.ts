import { z } from "zod";

const hours = z.number().min(0).max(10_000);

/** `full_hours` and `smoke_hours`: up to which backlog a class is tested whole, and at least as smoke. */
const Bounds = z
  .strictObject({ full_hours: hours, smoke_hours: hours })
  .partial()
  .refine(
    ({ full_hours: full, smoke_hours: smoke }) =>
      full === undefined || smoke === undefined || full <= smoke,
    { path: ["smoke_hours"], message: "is below full_hours" },
  );

/** `[admission]` of creamery.toml: what is worth testing when there is more than the hosts can do (docs/admission.md). */
export const AdmissionTable = z.strictObject({
  enabled: z.boolean().optional(),
  /** So many known projects that need it make a project one that others depend on. */
  dependents: z.number().int().min(1).max(1_000_000).optional(),
  depended_on: Bounds.optional(),
  tail: Bounds.optional(),
  flood: Bounds.optional(),
  /** New names in an hour that are never a flood. */
  new_names_per_hour: z.number().int().min(1).max(1_000_000).optional(),
  /** So many times the usual rate of new names is a flood. */
  flood_factor: z.number().min(1).max(1000).optional(),
  /** What is delayed and not begun in so long is not admitted. */
  delayed_hours: z.number().min(1).max(2000).optional(),
  /** Releases that are delayed at once. */
  delayed_most: z.number().int().min(0).max(1_000_000).optional(),
});
export type AdmissionTable = z.infer<typeof AdmissionTable>;

const CYCLE = /^(\d{1,3}(?:\.\d{1,3})?) ?% a day$/u;

/** `[retest]` of creamery.toml: what is tested again without a release of its own (docs/admission.md). */
export const RetestTable = z.strictObject({
  budget_jobs_per_hour: z.number().int().min(0).max(100_000).optional(),
  /** None are planned while so many wait in the background lane. */
  waiting_most: z.number().int().min(1).max(1_000_000).optional(),
  /** Tested again when the last test is so old; 0 for never. */
  age_days: z.number().min(0).max(3650).optional(),
  /** For so long those who depend on a release are tested again. */
  dependency_days: z.number().min(0.1).max(365).optional(),
  /** Whether those count that need it through others. */
  transitive: z.boolean().optional(),
  /** Off unless it is set: `3% a day`. */
  cycle: z
    .string()
    .refine((text) => cycleShare(text) !== null, "is no share of a day, as `3% a day`")
    .optional(),
});
export type RetestTable = z.infer<typeof RetestTable>;

/** `3% a day` is 0.03; null for what is none, and for more than all. */
export function cycleShare(text: string): number | null {
  const percent = Number(CYCLE.exec(text)?.[1] ?? Number.NaN);
  return percent > 0 && percent <= 100 ? percent / 100 : null;
}
