import type { MachineKind } from "../../model/attempt.ts";
import { PUBLIC_INDEX } from "./arrivals.ts";
import { largestRate } from "./largest-rate.ts";
import type { MeasuredAttempt } from "./measured.ts";
import { fitService } from "./service-times.ts";
import { sharedGuest, type SharedGuest } from "./shared-guest.ts";
import { simulate, type Simulation } from "./simulate.ts";
import {
  costOf,
  fleetFor,
  noteSum,
  releasesKeptUpWith,
  type AttemptCost,
  type Demand,
  type Fleet,
  type NoteSum,
} from "./sums.ts";

/** As attempts are run unless `--jobs` says otherwise: one for each core. */
const SLOTS_PER_CORE = 1;

export interface CapacityQuestion {
  readonly demand: Demand;
  readonly priorityConfigurations: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** Of the simulated day, 24 unless said; the search for the largest rate takes a sixth of it at each. */
  readonly hours?: number;
}

/** What one host keeps up with, what more would cost, and who waits for how long. */
export interface Capacity {
  readonly machine: MachineKind | null;
  readonly cost: AttemptCost;
  readonly fleet: Fleet;
  /** Releases in a minute that one host keeps up with, in all configurations. */
  readonly keptUpWith: { readonly byDivision: number; readonly bySimulation: number };
  readonly note: { readonly theirs: NoteSum; readonly ours: NoteSum };
  /** One host, a whole day. */
  readonly day: Simulation;
  readonly sharedGuest: SharedGuest;
}

/** @param attempts all of one machine kind. */
export async function capacityOf(
  attempts: readonly MeasuredAttempt[],
  { demand, priorityConfigurations, seed, signal, hours = PUBLIC_INDEX.hours }: CapacityQuestion,
): Promise<Capacity> {
  const { releasesPerMinute, configurations, coresPerHost } = demand;
  const cost = costOf(attempts, SLOTS_PER_CORE);
  const { attemptsPerCoreHour: rate } = cost;
  const service = fitService(attempts);
  const slots = coresPerHost * SLOTS_PER_CORE;
  const byDivision = releasesKeptUpWith(rate, coresPerHost, configurations);
  const load = {
    ...PUBLIC_INDEX,
    hours,
    releasesPerMinute,
    configurations,
    priorityConfigurations,
  };
  const day = await simulate({ load, slots, service, seed, signal });
  const bySimulation = await largestRate({
    configurations,
    priorityConfigurations,
    slots,
    service,
    seed,
    byDivision,
    hours: hours / 6,
    signal,
  });
  return {
    machine: attempts[0]?.machine ?? null,
    cost,
    fleet: fleetFor(rate, demand),
    keptUpWith: { byDivision, bySimulation },
    note: { theirs: noteSum(), ours: noteSum(rate) },
    day,
    sharedGuest: sharedGuest(attempts, configurations),
  };
}
