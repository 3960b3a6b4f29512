import type { Distribution } from "./distribution.ts";
import { distributionOf, meanOf } from "./distribution.ts";
import type { MeasuredAttempt } from "./measured.ts";

const SECONDS_PER_HOUR = 3600;
const MINUTES_PER_DAY = 1440;
/** Of a mean month, 365.25 days / 12. */
export const HOURS_PER_MONTH = 730.5;

/** What the design note of 2014 says of a farm like this one. */
export const NOTE = {
  year: 2014,
  projects: 45_000,
  /** Of the projects: released again in a day. */
  releasedShare: 0.03,
  cores: 8,
  /** All of a day's releases in one configuration, on those cores. */
  hoursForADay: 3.25,
  /** So often they could be gone through in a day, which is so many configurations. */
  timesADay: 7,
  dollarsPerMonth: 275,
} as const;

/** A fleet is planned for so much of what it could do: the rest is for bursts, and for hosts that are away. */
export const PLANNED_LOAD = 0.8;

/** What one attempt costs, on average, and what a core comes to with it. */
export interface AttemptCost {
  readonly slotSeconds: Distribution;
  /** Of those whose processor time was counted. */
  readonly cpuSeconds: Distribution;
  readonly slotsPerCore: number;
  /** Processors that an attempt keeps busy on average, while it holds its slot. */
  readonly coresBusy: number;
  readonly attemptsPerCoreHour: number;
  /** What bounds that: its slots, or its processors. */
  readonly boundBy: "slots" | "processors";
}

/**
 * A core with s slots, attempts that hold a slot for w seconds and need c processor seconds (both means): in an hour it
 * comes to the smaller of `3600 s / w` and `3600 / c`.
 * @param slotsPerCore as the attempts were measured: w has in it what they wait for each other.
 */
export function costOf(attempts: readonly MeasuredAttempt[], slotsPerCore: number): AttemptCost {
  const slotSeconds = distributionOf(attempts.map((one) => one.slotSeconds));
  const counted = attempts.flatMap(({ cpuSeconds, slotSeconds: wall }) =>
    cpuSeconds === null ? [] : [{ cpuSeconds, wall }],
  );
  const cpuSeconds = distributionOf(counted.map((one) => one.cpuSeconds));
  const bySlots = perHour(slotSeconds.mean / slotsPerCore);
  const byProcessors = perHour(cpuSeconds.mean);
  const wall = meanOf(counted.map((one) => one.wall));
  return {
    slotSeconds,
    cpuSeconds,
    slotsPerCore,
    coresBusy: wall === 0 ? 0 : cpuSeconds.mean / wall,
    attemptsPerCoreHour: Math.min(bySlots, byProcessors),
    boundBy: byProcessors < bySlots ? "processors" : "slots",
  };
}

function perHour(seconds: number): number {
  return seconds === 0 ? Infinity : SECONDS_PER_HOUR / seconds;
}

/** What is to be kept up with, and with what. */
export interface Demand {
  readonly releasesPerMinute: number;
  readonly configurations: number;
  readonly coresPerHost: number;
  /** Of one host. */
  readonly dollarsPerHour: number;
}

export interface Fleet {
  readonly attemptsPerDay: number;
  /** Busy all of the time; a fleet has more. */
  readonly coresBusy: number;
  readonly hosts: number;
  readonly dollarsPerMonth: number;
  readonly dollarsPerAttempt: number;
}

/**
 * Hosts for releases x configurations: the cores that are busy with them, over `PLANNED_LOAD`, in whole hosts. An attempt
 * costs a host's hour over the attempts of that hour with every core busy; the month is that of the whole hosts.
 */
export function fleetFor(attemptsPerCoreHour: number, demand: Demand): Fleet {
  const { releasesPerMinute, configurations, coresPerHost, dollarsPerHour } = demand;
  const attemptsPerDay = releasesPerMinute * MINUTES_PER_DAY * configurations;
  const coresBusy = attemptsPerDay / 24 / attemptsPerCoreHour;
  const hosts = Math.max(1, Math.ceil(coresBusy / PLANNED_LOAD / coresPerHost));
  return {
    attemptsPerDay,
    coresBusy,
    hosts,
    dollarsPerMonth: hosts * dollarsPerHour * HOURS_PER_MONTH,
    dollarsPerAttempt: dollarsPerHour / (coresPerHost * attemptsPerCoreHour),
  };
}

/** The largest number of releases in a minute that cores come to with every one of them busy. */
export function releasesKeptUpWith(
  attemptsPerCoreHour: number,
  cores: number,
  configurations: number,
): number {
  return (attemptsPerCoreHour * cores) / configurations / 60;
}

/** The note's own sum, with a rate of its own or with ours in the place of its. */
export interface NoteSum {
  readonly attemptsPerCoreHour: number;
  readonly coreSecondsPerAttempt: number;
  /** 3% of 45,000 projects in one configuration, on 8 cores. */
  readonly hoursForADay: number;
  /** Configurations that 8 cores come to. */
  readonly timesADay: number;
  /** Of a month of 8 cores at the note's price, over all attempts of that month. */
  readonly dollarsPerAttempt: number;
}

/** Releases of the note's day: 1350. */
export const NOTE_RELEASES_PER_DAY = NOTE.projects * NOTE.releasedShare;

/** @param attemptsPerCoreHour ours; the note's own where it is left out. */
export function noteSum(attemptsPerCoreHour?: number): NoteSum {
  const said = NOTE_RELEASES_PER_DAY / (NOTE.hoursForADay * NOTE.cores);
  const rate = attemptsPerCoreHour ?? said;
  const hoursForADay = NOTE_RELEASES_PER_DAY / (rate * NOTE.cores);
  return {
    attemptsPerCoreHour: rate,
    coreSecondsPerAttempt: perHour(rate),
    hoursForADay,
    timesADay: Math.floor(24 / hoursForADay),
    dollarsPerAttempt: NOTE.dollarsPerMonth / (rate * NOTE.cores * HOURS_PER_MONTH),
  };
}

/** A host's price where none was said: the note's, by cores. */
export function notePricePerHour(cores: number): number {
  return (NOTE.dollarsPerMonth / HOURS_PER_MONTH / NOTE.cores) * cores;
}
