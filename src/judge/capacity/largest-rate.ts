import { PUBLIC_INDEX, type Load } from "./arrivals.ts";
import type { ServiceModel } from "./service-times.ts";
import { simulate } from "./simulate.ts";

/** Long enough that what bursts leave behind is little beside it, short enough to be tried several times. */
const TRIED_HOURS = 4;
const STEPS = 5;
/** Around the rate at which every slot would be busy all of the time. */
const LOWEST = 0.5;
const HIGHEST = 1.2;

export interface RateOptions {
  readonly configurations: number;
  readonly priorityConfigurations: number;
  readonly slots: number;
  readonly service: ServiceModel;
  readonly seed: number;
  /** Releases a minute that slots come to by division: where the search begins. */
  readonly byDivision: number;
  readonly signal: AbortSignal;
  /** Simulated at each rate, 4 unless said. */
  readonly hours?: number;
}

/**
 * The largest number of releases in a minute that the queue keeps up with, by bisection: some simulated hours at each rate,
 * without a mass release and without retests. Below what division gives by what bursts and pushes cost, above it by what is
 * superseded before it was begun.
 */
export async function largestRate(options: RateOptions): Promise<number> {
  const { byDivision, ...rest } = options;
  let [low, high] = [LOWEST * byDivision, HIGHEST * byDivision];
  for (let step = 0; step < STEPS; step++) {
    const rate = (low + high) / 2;
    if (await keepsUp(rate, rest)) low = rate;
    else high = rate;
  }
  return low;
}

async function keepsUp(
  releasesPerMinute: number,
  { configurations, priorityConfigurations, hours, ...rest }: Omit<RateOptions, "byDivision">,
): Promise<boolean> {
  const load: Load = {
    ...PUBLIC_INDEX,
    hours: hours ?? TRIED_HOURS,
    releasesPerMinute,
    configurations,
    priorityConfigurations,
    massRelease: 0,
    retests: false,
  };
  return (await simulate({ ...rest, load })).keepsUp;
}
