import type { Admission, AdmissionPolicy, ReleaseClass } from "./admission-policy.ts";

/** What is known of a release when it is decided what becomes of it. */
export interface ReleaseFacts {
  readonly isNamed: boolean;
  /** Known projects that need it to run or to be built. */
  readonly dependents: number;
  /** The farm never saw the project before. */
  readonly isNewName: boolean;
}

/** How new names come, at one moment. */
export interface NewNames {
  /** In the last hour, this one included where it is one. */
  readonly lastHour: number;
  /** A usual hour of the last week; null while nothing is known of it. */
  readonly usualHour: number | null;
}

/** What the farm has to do, at one moment. */
export interface Load {
  /** What is due in all lanes but the background, ms of work before all hosts together. */
  readonly backlogMs: number;
  /** Releases that are delayed. */
  readonly delayed: number;
}

export interface Decision {
  readonly class: ReleaseClass;
  readonly admission: Admission;
  /** For people; always there. */
  readonly reason: string;
}

/**
 * What a release is to the farm. A flood is made of names that were never seen before, and only of these: whoever was known, is
 * named or is needed by anybody is never a part of one.
 */
export function classOf(
  { isNamed, dependents, isNewName }: ReleaseFacts,
  newNames: NewNames,
  policy: AdmissionPolicy,
): ReleaseClass {
  if (isNamed) return "named";
  if (dependents >= policy.dependedOnLeast) return "depended-on";
  return isNewName && newNames.lastHour > floodBound(newNames, policy) ? "flood" : "tail";
}

/** New names an hour beyond which more of them are a flood. */
export function floodBound({ usualHour }: NewNames, policy: AdmissionPolicy): number {
  return Math.max(policy.newNamesPerHour, policy.floodFactor * (usualHour ?? 0));
}

/** Pure, and no worse for a higher class than for a lower one under the same load. */
export function decide(
  releaseClass: ReleaseClass,
  why: string,
  load: Load,
  policy: AdmissionPolicy,
): Decision {
  const decided = (admission: Admission, reason: string): Decision => ({
    class: releaseClass,
    admission,
    reason: `${why}; ${reason}`,
  });
  if (releaseClass === "named") return decided("queued", "always tested whole");
  const { fullMs, smokeMs } = policy.bounds[releaseClass];
  const backlog = `${hours(load.backlogMs)} h of work wait`;
  if (load.backlogMs < fullMs) return decided("queued", backlog);
  if (load.backlogMs < smokeMs)
    return decided("smoke-only", `${backlog}: whole below ${hours(fullMs)} h only`);
  const most = mostDelayed(releaseClass, policy);
  return load.delayed < most
    ? decided("delayed", `${backlog}: not at once beyond ${hours(smokeMs)} h`)
    : decided(
        "not-admitted",
        `${backlog} and ${load.delayed} releases are delayed: ${most} at most`,
      );
}

function mostDelayed(
  releaseClass: Exclude<ReleaseClass, "named">,
  { mostDelayed: most }: AdmissionPolicy,
): number {
  switch (releaseClass) {
    case "depended-on":
      return Number.POSITIVE_INFINITY;
    case "tail":
      return most;
    case "flood":
      return Math.floor(most / 2);
  }
}

/** Why it is of its class, for people. */
export function classReason(
  releaseClass: ReleaseClass,
  { dependents }: ReleaseFacts,
  newNames: NewNames,
  policy: AdmissionPolicy,
): string {
  switch (releaseClass) {
    case "named":
      return "watched by name";
    case "depended-on":
      return `${dependents} known projects depend on it`;
    case "tail":
      return "nothing known depends on it";
    case "flood":
      return `a new name, of ${newNames.lastHour} in an hour where ${Math.round(floodBound(newNames, policy))} are usual at most`;
  }
}

function hours(ms: number): string {
  return (ms / 3_600_000).toFixed(1);
}
