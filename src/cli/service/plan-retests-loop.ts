import { setTimeout as sleep } from "node:timers/promises";

import { CreameryError, reasonOf } from "../../base/errors.ts";
import type { ReleaseAdmission } from "../../queue/admission/admit.ts";
import {
  planRetests,
  type PlanRetestsOptions,
  type RetestEnvironment,
} from "../../queue/retests/plan-retests.ts";
import type { FarmLog } from "./farm-log.ts";

export interface PlanRetestsLoopOptions extends PlanRetestsOptions {
  readonly environment: RetestEnvironment;
  readonly admission: ReleaseAdmission;
  readonly log: FarmLog;
}

const EVERY_MS = 5 * 60_000;
const SHOWN = 20;

/** Plans what is tested again, and ends what was delayed for too long, every five minutes until the signal ends it. */
export async function planRetestsLoop(
  options: PlanRetestsLoopOptions,
  signal: AbortSignal,
): Promise<void> {
  const { log, admission, database, environment } = options;
  while (!signal.aborted) {
    try {
      const { notAdmitted } = await admission.settle(database);
      if (notAdmitted.length > 0)
        log.tell("not-admitted", {
          count: notAdmitted.length,
          releases: notAdmitted.slice(0, SHOWN).join(", "),
        });
      const { planned, total, bound } = await planRetests(environment, options);
      if (total > 0) log.tell("retests", { planned: JSON.stringify(planned), total, bound });
    } catch (thrown) {
      // The store is away: the housekeeper says so, and the next time all is planned as if it were this one.
      const reason = thrown instanceof CreameryError ? thrown.line : reasonOf(thrown);
      log.tell("housekeeping", { what: "retests", detail: reason });
    }
    await sleep(EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}
