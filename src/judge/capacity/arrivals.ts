import { LANES, type EnqueueRequest, type Lane } from "../../queue/job.ts";
import type { JobReason } from "../../store/store.ts";
import { exponential, geometric } from "./seeded.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** What comes to the farm in a simulated time. */
export interface Load {
  readonly hours: number;
  /** On average; the mass release comes on top. */
  readonly releasesPerMinute: number;
  readonly configurations: number;
  /** So many of them are in the lane `priority`, the rest of a release's in `rest`. */
  readonly priorityConfigurations: number;
  /** Pushes of repositories, as a share of the releases; on the priority configurations. */
  readonly pushShare: number;
  readonly manualPerHour: number;
  /** So many projects at once, when 14 of 24 hours have gone. */
  readonly massRelease: number;
  /** Whether retests fill what nobody else wants. */
  readonly retests: boolean;
}

/** The public index's rate, 8 to 10 releases a minute over a day. */
export const PUBLIC_INDEX: Load = {
  hours: 24,
  releasesPerMinute: 9,
  configurations: 9,
  priorityConfigurations: 3,
  pushShare: 0.2,
  manualPerHour: 6,
  massRelease: 2000,
  retests: true,
};

/** The rate goes up and down by a ninth over a day: 8 to 10 where 9 is the mean. */
const WAVE = 1 / 9;
/** How releases come: each of its share of all, in groups of a mean size, within so long. */
const BURSTS = {
  /** One project by itself. */
  single: { share: 0.6, size: 1, spreadMs: 0, same: true },
  /** One project several times: each mends the last, and makes it old. */
  again: { share: 0.15, size: 3, spreadMs: 10 * MINUTE_MS, same: true },
  /** Projects of one repository, all at once. */
  family: { share: 0.25, size: 25, spreadMs: 2 * MINUTE_MS, same: false },
} as const;
const MASS_SPREAD_MS = MINUTE_MS;
const MASS_AT = 14 / 24;
/** Watchers ask upstream once in so long: what came meanwhile is enqueued together. */
const ROUND_MS = 10_000;
/** Half of all releases are of a quarter of these. */
const ACTIVE_PROJECTS = 100_000;
const REPOSITORIES = 300;
const MANUAL_CONFIGURATIONS = 3;

export interface Arrival {
  readonly atMs: number;
  readonly request: EnqueueRequest;
}

/** Makes requests: numbers them, and counts up each project's versions. */
export class Requests {
  readonly #load: Load;
  readonly #versions = new Map<string, number>();
  #made = 0;

  constructor(load: Load) {
    this.#load = load;
  }

  release(project: string): EnqueueRequest {
    return this.#request(project, "release", this.#nextVersion(project), this.#all());
  }

  push(project: string): EnqueueRequest {
    const commit = this.#made.toString(16).padStart(40, "0");
    return {
      ...this.#request(project, "push", commit, this.#priority("priority")),
      word: `git+https://git.example/${project}@${commit}`,
      line: "refs/heads/main",
    };
  }

  manual(project: string): EnqueueRequest {
    const some = this.#names(Math.min(MANUAL_CONFIGURATIONS, this.#load.configurations));
    const configurations = some.map((name) => ({ name, lane: "manual" as const }));
    return this.#request(project, "manual", this.#version(project), configurations);
  }

  retest(project: string, configuration: number): EnqueueRequest {
    const name = this.#names(this.#load.configurations)[configuration] ?? "c0";
    const configurations = [{ name, lane: "background" as const }];
    return this.#request(project, "retest", this.#version(project), configurations);
  }

  #request(
    project: string,
    reason: JobReason,
    version: string,
    configurations: EnqueueRequest["configurations"],
  ): EnqueueRequest {
    return {
      id: `r${this.#made++}`,
      project,
      visibility: "public",
      word: `${project}==${version}`,
      version,
      line: "",
      reason,
      configurations,
    };
  }

  #version(project: string): string {
    return `1.${this.#versions.get(project) ?? 0}`;
  }

  #nextVersion(project: string): string {
    this.#versions.set(project, (this.#versions.get(project) ?? 0) + 1);
    return this.#version(project);
  }

  #names(count: number): readonly string[] {
    return Array.from({ length: count }, (_, index) => `c${index}`);
  }

  #priority(lane: Lane): EnqueueRequest["configurations"] {
    const { configurations, priorityConfigurations } = this.#load;
    return this.#names(Math.min(configurations, priorityConfigurations)).map((name) => ({
      name,
      lane,
    }));
  }

  #all(): EnqueueRequest["configurations"] {
    const { configurations, priorityConfigurations } = this.#load;
    return this.#names(configurations).map((name, index) => ({
      name,
      lane: LANES[index < priorityConfigurations ? 1 : 2],
    }));
  }
}

/** One of the projects that release, some far more often than others. */
export function someProject(random: () => number): string {
  return `p${Math.floor(ACTIVE_PROJECTS * random() ** 2)}`;
}

/**
 * What comes, in the order of time: releases as a Poisson process of single ones and of two kinds of bursts, whose rate
 * follows the day; pushes and what people ask for as Poisson processes; one mass release.
 * @param beganMs of the simulated clock.
 */
export function arrivalsOf(
  load: Load,
  requests: Requests,
  beganMs: number,
  random: () => number,
): readonly Arrival[] {
  const wanted: { readonly atMs: number; readonly make: () => EnqueueRequest }[] = [];
  const endMs = load.hours * HOUR_MS;
  const inRound = (atMs: number) => Math.ceil(atMs / ROUND_MS) * ROUND_MS;
  const add = (atMs: number, make: () => EnqueueRequest) => {
    if (atMs < endMs) wanted.push({ atMs, make });
  };
  for (const { share, size, spreadMs, same } of Object.values(BURSTS))
    for (const atMs of instants((load.releasesPerMinute * share) / size, endMs, random)) {
      const first = someProject(random);
      const members = geometric(random, size);
      for (let member = 0; member < members; member++) {
        const project = member === 0 || same ? first : someProject(random);
        const later = member === 0 ? 0 : random() * spreadMs;
        add(inRound(atMs + later), () => requests.release(project));
      }
    }
  const pushes = load.releasesPerMinute * load.pushShare;
  for (const atMs of instants(pushes, endMs, random)) {
    const project = `repository-${Math.floor(REPOSITORIES * random() ** 2)}`;
    add(atMs, () => requests.push(project));
  }
  for (const atMs of instants(load.manualPerHour / 60, endMs, random)) {
    const project = someProject(random);
    add(atMs, () => requests.manual(project));
  }
  for (let member = 0; member < load.massRelease; member++)
    add(inRound(MASS_AT * endMs + random() * MASS_SPREAD_MS), () =>
      requests.release(`mass-${member}`),
    );
  return wanted
    .toSorted((one, other) => one.atMs - other.atMs)
    .map(({ atMs, make }) => ({ atMs: beganMs + Math.round(atMs), request: make() }));
}

/** Of a Poisson process whose rate follows the day, ms. */
function instants(perMinute: number, endMs: number, random: () => number): readonly number[] {
  const found: number[] = [];
  const most = (perMinute * (1 + WAVE)) / MINUTE_MS;
  for (let atMs = exponential(random, most); atMs < endMs; atMs += exponential(random, most)) {
    const now = 1 + WAVE * Math.sin((2 * Math.PI * atMs) / DAY_MS);
    if (random() * (1 + WAVE) < now) found.push(atMs);
  }
  return found;
}
