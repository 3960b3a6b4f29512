import { permit, type Asked } from "../authenticate.ts";
import { FARM } from "../../model/authorise.ts";
import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import type { JobView } from "../../queue/job.ts";
import { jobByKey } from "../../queue/job-views.ts";
import type { ApiDeps } from "./api-deps.ts";
import type { Job } from "./schemas/queue.ts";
import { isWithinSight, queueSightOf } from "./sight.ts";

/** A job as the API shows it. @param forOperators with which host runs it, and what is the farm's own trouble. */
export function jobOf(view: JobView, forOperators: boolean): Job {
  const { key, project, visibility, word, version, configuration, reason, lane, state } = view;
  const { tries, farmFaults, attempt, leaseUntilMs, enqueuedMs, readyMs } = view;
  return {
    key,
    project,
    visibility,
    word,
    version,
    configuration,
    reason,
    lane,
    state,
    plan: view.plan,
    // It may name another project, which may be a private one.
    why: forOperators ? view.why : null,
    enqueuedAt: new Date(enqueuedMs).toISOString(),
    readyAt: new Date(readyMs).toISOString(),
    tries,
    farmFaults,
    attempt,
    host: forOperators ? view.worker : null,
    leaseUntil: leaseUntilMs === null ? null : new Date(leaseUntilMs).toISOString(),
    note: forOperators ? view.note : null,
  };
}

/** Whether who asks is shown what is for operators alone. */
export function isOperator(context: Asked, deps: Pick<ApiDeps, "nowMs">): boolean {
  return permit(context, "see-queue", FARM, deps.nowMs()).kind === "allowed";
}

/** @throws CreameryError `unknown-job` where there is none, or none that is theirs to know of. */
export async function seenJob(context: Asked, deps: ApiDeps, key: string): Promise<JobView> {
  const within = queueSightOf(context, deps);
  const view = /^[\w.-]{1,100}$/u.test(key)
    ? await deps.database.read((db) => jobByKey(db, key))
    : null;
  if (view !== null && isWithinSight(view, within)) return view;
  throw new CreameryError("unknown-job", "the farm knows no such job", {
    input: clip(printableLine(key), 100),
    nextStep: "look at /api/v1/jobs, or ./creamery queue list",
  });
}
