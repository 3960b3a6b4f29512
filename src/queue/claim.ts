import type { Within } from "../store/database.ts";
import type { SqlKind } from "../store/migrations/migration.ts";
import { JobRows } from "../store/sql/job-rows.ts";
import { LANES, type LeasedJob } from "./job.ts";
import { viewsOf, type NumberedView } from "./job-views.ts";
import type { QueuePolicy } from "./queue-policy.ts";

export interface ClaimStep {
  readonly policy: QueuePolicy;
  /** Whether this claim looks first for what has grown old in the lower lanes. */
  readonly lookForAged: boolean;
  readonly nowMs: number;
  readonly newId: () => string;
}

const WOKEN_AT_ONCE = 200;

/** Who wants jobs: so many at most. */
export interface Claimer {
  readonly workerId: number;
  readonly most: number;
}

/**
 * Leases what is due next: by lane, then fairness, then age.
 * @param claimers each can run what the others can; they are served in turn, a job each.
 * @returns what each was given.
 */
export async function claimWithin(
  within: Within,
  kind: SqlKind,
  claimers: readonly Claimer[],
  without: readonly string[],
  step: ClaimStep,
): Promise<readonly (readonly LeasedJob[])[]> {
  const rows = new JobRows(within, kind);
  await rows.wake(step.nowMs, WOKEN_AT_ONCE);
  const excluded = without.length === 0 ? [] : [...(await rows.configurations(without)).values()];
  const places = inTurn(claimers);
  const taken: { readonly id: number; readonly place: number }[] = [];
  for (const lane of await orderOf(rows, step, excluded)) {
    const left = places.length - taken.length;
    if (left === 0) break;
    for (const { id } of await rows.heads(lane, left, excluded))
      taken.push({ id, place: places[taken.length] ?? 0 });
  }
  const given = claimers.map((): LeasedJob[] => []);
  if (taken.length === 0) return given;
  await rows.give(
    taken.map(({ id, place }) => ({
      id,
      attempt: step.newId(),
      workerId: claimers[place]?.workerId ?? 0,
    })),
    step.nowMs + step.policy.leaseMs,
  );
  const ids = taken.map(({ id }) => id);
  const views = await viewsOf(within, (select) => select.where("queue_job.id", "in", ids));
  const byId = new Map(views.map((view) => [view.id, view]));
  for (const { id, place } of taken) {
    const view = byId.get(id);
    if (view !== undefined && view.attempt !== null)
      given[place]?.push(leasedJob(view, view.attempt, step.nowMs));
  }
  return given;
}

/** A place in the list of claimers for each job that is wanted. */
function inTurn(claimers: readonly Claimer[]): readonly number[] {
  const places: number[] = [];
  const most = Math.max(0, ...claimers.map((claimer) => claimer.most));
  for (let round = 0; round < most; round++)
    claimers.forEach((claimer, place) => {
      if (round < claimer.most) places.push(place);
    });
  return places;
}

function leasedJob(view: NumberedView, attempt: string, nowMs: number): LeasedJob {
  const { key, project, visibility, word, version, configuration, reason, lane, plan } = view;
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
    plan,
  };
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
