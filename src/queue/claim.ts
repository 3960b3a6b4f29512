import type { Within } from "../store/database.ts";
import type { SqlKind } from "../store/migrations/migration.ts";
import { JobRows, STATE } from "../store/sql/job-rows.ts";
import { LANES, type LeasedJob } from "./job.ts";
import { viewsOf } from "./job-views.ts";
import type { QueuePolicy } from "./queue-policy.ts";
import type { ClaimOptions } from "./queue.ts";

export interface ClaimStep {
  readonly policy: QueuePolicy;
  /** Whether this claim looks first for what has grown old in the lower lanes. */
  readonly lookForAged: boolean;
  readonly nowMs: number;
  readonly newId: () => string;
}

const WOKEN_AT_ONCE = 200;

/** Leases what is due next: by lane, then fairness, then age. */
export async function claimWithin(
  within: Within,
  kind: SqlKind,
  { workerId, most, without = [] }: ClaimOptions,
  { policy, lookForAged, nowMs, newId }: ClaimStep,
): Promise<readonly LeasedJob[]> {
  const rows = new JobRows(within, kind);
  await rows.wake(nowMs, WOKEN_AT_ONCE);
  const excluded = without.length === 0 ? [] : [...(await rows.configurations(without)).values()];
  const taken: number[] = [];
  for (const lane of await orderOf(rows, { policy, lookForAged, nowMs, newId }, excluded)) {
    if (taken.length >= most) break;
    const heads = await rows.heads(lane, most - taken.length, excluded);
    for (const { id } of heads) {
      await within
        .updateTable("queue_job")
        .set(({ eb }) => ({
          state: STATE.leased,
          attempt: newId(),
          lease_ms: nowMs + policy.leaseMs,
          worker_id: workerId,
          tries: eb("tries", "+", 1),
        }))
        .where("id", "=", id)
        .execute();
      taken.push(id);
    }
  }
  if (taken.length === 0) return [];
  const views = await viewsOf(within, (select) => select.where("queue_job.id", "in", taken));
  const byId = new Map(views.map((view) => [view.id, view]));
  return taken.flatMap((id) => {
    const view = byId.get(id);
    if (view === undefined || view.attempt === null) return [];
    const { key, attempt, project, visibility, word, version, configuration, reason, lane } = view;
    return {
      key,
      attempt,
      project,
      visibility,
      word,
      version,
      configuration,
      reason,
      lane,
      try: view.tries,
      leaseUntilMs: view.leaseUntilMs ?? nowMs,
    };
  });
}

/** Lanes from the most urgent down; at times one that has waited for too long comes before all but what somebody waits for. */
async function orderOf(
  rows: JobRows,
  { policy, lookForAged, nowMs }: ClaimStep,
  excluded: readonly number[],
): Promise<readonly number[]> {
  const usual = LANES.map((_, index) => index);
  if (!lookForAged) return usual;
  for (const name of ["rest", "background"] as const) {
    const lane = LANES.indexOf(name);
    const [head] = await rows.heads(lane, 1, excluded);
    if (head !== undefined && nowMs - head.enqueuedMs > policy.promoteAfterMs[name])
      return [0, lane, ...usual.filter((one) => one !== 0 && one !== lane)];
  }
  return usual;
}
