import type { Database, Within } from "../../store/database.ts";
import {
  delayedReleases,
  knownNames,
  measuredMeans,
  newNameCounts,
  putSeenRelease,
  seenReleases,
  workAhead,
  type MeasuredMeans,
} from "../../store/sql/admission-rows.ts";
import { dependentCounts } from "../../store/sql/dependency-rows.ts";
import { JobRows, STATE } from "../../store/sql/job-rows.ts";
import { LANES, type EnqueueRequest, type RequestedConfiguration } from "../job.ts";
import {
  ADMISSIONS,
  RELEASE_CLASSES,
  type Admission,
  type AdmissionPolicy,
  type ReleaseClass,
} from "./admission-policy.ts";
import { classOf, classReason, decide, type Load, type ReleaseFacts } from "./decide.ts";

export interface SeenEvent {
  readonly project: string;
  readonly version: string;
  readonly isNamed: boolean;
}

/** What is to be done with a release, in the order of the events. */
export interface Admitted {
  readonly project: string;
  readonly version: string;
  readonly class: ReleaseClass;
  readonly admission: Admission;
  /** Known projects that need it. */
  readonly dependents: number;
}

/** What became of releases that were delayed. */
export interface Settled {
  readonly notAdmitted: readonly string[];
}

interface Classified {
  readonly event: SeenEvent;
  readonly facts: ReleaseFacts;
  readonly class: ReleaseClass;
  readonly why: string;
  /** What was decided when it was seen before. */
  readonly before: Admission | null;
}

const MEANS_AGE_MS = 10 * 60_000;
const BACKGROUND = LANES.indexOf("background");
const SETTLED_AT_ONCE = 1000;
const HOUR_MS = 3_600_000;

/**
 * Decides what becomes of each release that is seen, and keeps why (docs/admission.md). How long jobs take is measured now and then; all
 * else is read in the transaction in which it decides.
 */
export class ReleaseAdmission {
  readonly policy: AdmissionPolicy;
  readonly #now: () => number;
  #means: { readonly of: MeasuredMeans; readonly atMs: number } | null = null;

  constructor(policy: AdmissionPolicy, now: () => number = Date.now) {
    this.policy = policy;
    this.#now = now;
  }

  /**
   * @param events of watched projects. @param configurations what a release is tested on, to know what it costs.
   * @returns what is to be done with each.
   */
  async admit(
    within: Within,
    events: readonly SeenEvent[],
    configurations: readonly RequestedConfiguration[],
  ): Promise<readonly Admitted[]> {
    if (events.length === 0) return [];
    const nowMs = this.#now();
    const means = await this.#measured(within, nowMs);
    const work = await workAhead(within, BACKGROUND, nowMs);
    let load: Load = {
      backlogMs: (work.full * means.fullMs + work.smoke * means.smokeMs) / work.slots,
      delayed: work.delayed,
    };
    const cost = {
      queued: (configurations.length * means.fullMs) / work.slots,
      "smoke-only": (smokeConfigurations(configurations).length * means.smokeMs) / work.slots,
      delayed: 0,
      "not-admitted": 0,
    };
    const all = await this.#classified(within, events, nowMs);
    // Who comes first finds the least to do: those of a higher class, and of them those whom most depend on.
    const order = all.toSorted(
      (one, other) =>
        RELEASE_CLASSES.indexOf(one.class) - RELEASE_CLASSES.indexOf(other.class) ||
        other.facts.dependents - one.facts.dependents,
    );
    const admitted = new Map<Classified, Admission>();
    for (const one of order) {
      const { event, before } = one;
      if (before !== null && before !== "not-admitted") {
        // Seen again, it is what it was: its jobs are there.
        admitted.set(one, before);
        continue;
      }
      const { admission, reason } = this.policy.enabled
        ? decide(one.class, one.why, load, this.policy)
        : { admission: "queued" as const, reason: `${one.why}; admission is off` };
      load = {
        backlogMs: load.backlogMs + cost[admission],
        delayed: load.delayed + (admission === "delayed" ? 1 : 0),
      };
      admitted.set(one, admission);
      await putSeenRelease(within, {
        project: event.project,
        version: event.version,
        seen_ms: nowMs,
        class: one.class,
        decision: admission,
        reason,
        new_name: one.facts.isNewName ? 1 : 0,
        expires_ms: admission === "delayed" ? nowMs + this.policy.delayedMs : null,
      });
    }
    return all.map((one) => ({
      project: one.event.project,
      version: one.event.version,
      class: one.class,
      admission: admitted.get(one) ?? "not-admitted",
      dependents: one.facts.dependents,
    }));
  }

  /** Ends what was delayed for too long: what nobody began of it is cancelled, and recorded as not admitted. */
  async settle(database: Database): Promise<Settled> {
    const nowMs = this.#now();
    return database.write(async (within) => {
      const rows = new JobRows(within, database.kind);
      const notAdmitted: string[] = [];
      for (const { pending, jobs, ...row } of await delayedReleases(within, SETTLED_AT_ONCE)) {
        const isOver = (row.expires_ms ?? nowMs) <= nowMs;
        if (pending.length > 0 && !isOver) continue;
        const waited = `not begun in ${Math.round((nowMs - row.seen_ms) / HOUR_MS)} h`;
        await rows.close(pending, STATE.cancelled, `not admitted: ${waited}`);
        const isUntouched = pending.length > 0 && pending.length === jobs;
        if (isUntouched) notAdmitted.push(`${row.project}==${row.version}`);
        await putSeenRelease(within, {
          ...row,
          expires_ms: null,
          ...(isUntouched
            ? { decision: "not-admitted", reason: `${row.reason}; ${waited}`.slice(0, 400) }
            : {}),
        });
      }
      return { notAdmitted };
    });
  }

  async #classified(
    within: Within,
    events: readonly SeenEvent[],
    nowMs: number,
  ): Promise<readonly Classified[]> {
    const names = [...new Set(events.map(({ project }) => project))];
    const counts = await dependentCounts(within, names);
    const known = new Set(await knownNames(within, names));
    const seen = await seenReleases(within, events);
    const newNames = await newNameCounts(within, nowMs);
    let { lastHour } = newNames;
    return events.map((event) => {
      const isNewName = !known.has(event.project);
      known.add(event.project);
      if (isNewName) lastHour++;
      const { isNamed } = event;
      const facts = { isNamed, dependents: counts.get(event.project) ?? 0, isNewName };
      const before = seen.get(`${event.project}==${event.version}`)?.decision;
      const now = { ...newNames, lastHour };
      const releaseClass = classOf(facts, now, this.policy);
      return {
        event,
        facts,
        class: releaseClass,
        why: classReason(releaseClass, facts, now, this.policy),
        before: ADMISSIONS.find((one) => one === before) ?? null,
      };
    });
  }

  async #measured(within: Within, nowMs: number): Promise<MeasuredMeans> {
    if (this.#means === null || nowMs - this.#means.atMs > MEANS_AGE_MS)
      this.#means = { of: await measuredMeans(within), atMs: nowMs };
    return this.#means.of;
  }
}

/**
 * How an admitted release is queued. Those that are watched by name have the lanes of their own; all others begin one lane later, so that
 * nobody who was named waits for them.
 */
export function admittedRequest(
  admitted: Pick<Admitted, "class" | "admission">,
  request: EnqueueRequest,
): EnqueueRequest | null {
  const { configurations } = request;
  switch (admitted.admission) {
    case "queued":
      return admitted.class === "named"
        ? request
        : { ...request, configurations: inLane(configurations, "rest") };
    case "smoke-only":
      return {
        ...request,
        plan: "smoke",
        configurations: inLane(smokeConfigurations(configurations), "rest"),
      };
    case "delayed":
      return {
        ...request,
        plan: "smoke",
        configurations: inLane(smokeConfigurations(configurations), "background"),
      };
    case "not-admitted":
      return null;
  }
}

/** Where what is tested as smoke is tested: on the priority configurations, and where there are none on all. */
function smokeConfigurations(
  configurations: readonly RequestedConfiguration[],
): readonly RequestedConfiguration[] {
  const priority = configurations.filter(({ lane }) => lane === "priority");
  return priority.length === 0 ? configurations : priority;
}

function inLane(
  configurations: readonly RequestedConfiguration[],
  lane: "rest" | "background",
): readonly RequestedConfiguration[] {
  return configurations.map(({ name }) => ({ name, lane }));
}
