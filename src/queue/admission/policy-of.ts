import { CreameryError } from "../../base/errors.ts";
import {
  cycleShare,
  type AdmissionTable,
  type RetestTable,
} from "../../model/config/admission-table.ts";
import { RETEST_POLICY, type RetestPolicy } from "../retests/retest-policy.ts";
import { ADMISSION_POLICY, type AdmissionPolicy, type ClassBounds } from "./admission-policy.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * What the file says of admission, and elsewhere what is usual.
 * @throws CreameryError `configuration-file` where a lower class would be treated better than a higher one.
 */
export function admissionPolicyOf(table: AdmissionTable): AdmissionPolicy {
  const usual = ADMISSION_POLICY;
  const bounds = {
    "depended-on": boundsOf(table.depended_on ?? {}, usual.bounds["depended-on"]),
    tail: boundsOf(table.tail ?? {}, usual.bounds.tail),
    flood: boundsOf(table.flood ?? {}, usual.bounds.flood),
  };
  for (const [higher, lower] of [
    ["depended-on", "tail"],
    ["tail", "flood"],
  ] as const)
    for (const key of ["fullMs", "smokeMs"] as const)
      if (bounds[higher][key] < bounds[lower][key])
        throw new CreameryError(
          "configuration-file",
          `lets more of ${lower} in than of ${higher}`,
          {
            input: `admission.${lower}`,
            nextStep: `give ${higher.replace("-", "_")} at least the hours of ${lower}; see docs/admission.md`,
          },
        );
  return {
    enabled: table.enabled ?? usual.enabled,
    dependedOnLeast: table.dependents ?? usual.dependedOnLeast,
    bounds,
    newNamesPerHour: table.new_names_per_hour ?? usual.newNamesPerHour,
    floodFactor: table.flood_factor ?? usual.floodFactor,
    delayedMs: table.delayed_hours === undefined ? usual.delayedMs : table.delayed_hours * HOUR_MS,
    mostDelayed: table.delayed_most ?? usual.mostDelayed,
  };
}

/** Where one bound alone is said the other goes along as far as it must. */
function boundsOf(
  { full_hours: full, smoke_hours: smoke }: NonNullable<AdmissionTable["tail"]>,
  usual: ClassBounds,
): ClassBounds {
  const fullMs = full === undefined ? usual.fullMs : full * HOUR_MS;
  const smokeMs = smoke === undefined ? usual.smokeMs : smoke * HOUR_MS;
  return smoke === undefined
    ? { fullMs, smokeMs: Math.max(fullMs, smokeMs) }
    : { fullMs: Math.min(fullMs, smokeMs), smokeMs };
}

/** What the file says of retests, and elsewhere what is usual. */
export function retestPolicyOf(table: RetestTable): RetestPolicy {
  const usual = RETEST_POLICY;
  const { age_days: age, dependency_days: wave, cycle } = table;
  return {
    jobsPerHour: table.budget_jobs_per_hour ?? usual.jobsPerHour,
    mostWaiting: table.waiting_most ?? usual.mostWaiting,
    ageMs: age === undefined ? usual.ageMs : age === 0 ? null : age * DAY_MS,
    waveMs: wave === undefined ? usual.waveMs : wave * DAY_MS,
    transitive: table.transitive ?? usual.transitive,
    cycleShare: cycle === undefined ? usual.cycleShare : cycleShare(cycle),
  };
}
