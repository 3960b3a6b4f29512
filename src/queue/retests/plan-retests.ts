import { createHash } from "node:crypto";

import { sql } from "kysely";
import { z } from "zod";

import type { Database, Within } from "../../store/database.ts";
import { dependents } from "../../store/sql/dependency-rows.ts";
import { JobRows } from "../../store/sql/job-rows.ts";
import {
  changeWave,
  knownProjectCount,
  knownProjects,
  notePlanned,
  openWaves,
  readSetting,
  retestCandidates,
  waitingIn,
  writeSetting,
  type RetestCandidate,
} from "../../store/sql/retest-rows.ts";
import { LANES } from "../job.ts";
import type { Queue } from "../queue.ts";
import { inTurns, type RetestCause, type WantedRetest } from "./retest-cause.ts";
import type { RetestPolicy } from "./retest-policy.ts";

/** What retests run on now. */
export interface RetestEnvironment {
  readonly image: string;
  /** The priority configurations that the image has. */
  readonly configurations: readonly {
    readonly name: string;
    /** `cpython-3.13.5`. */
    readonly interpreter: string;
  }[];
}

export interface PlannedRetests {
  readonly planned: Readonly<Partial<Record<RetestCause, number>>>;
  readonly total: number;
  /** Why there are no more. */
  readonly bound: "nothing is due" | "budget" | "background lane";
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A first step is given as much as this time brings. */
const STEP_MS = 5 * 60_000;
const MOST_WAVES = 20;
const MOST_DEPENDENTS = 100_000;
const PROJECTS_AT_ONCE = 2000;
const BACKGROUND = LANES.indexOf("background");

const BUDGET = "retest budget";
const ENVIRONMENT = "retest environment";
const CYCLE = "retest cycle";

const ms = z.number().int().nonnegative();
const Budget = z.object({ atMs: ms, hour: z.array(z.tuple([ms, ms])).max(10_000) });
const Known = z.object({
  image: z.string(),
  imageMs: ms,
  configurations: z.record(z.string(), z.object({ interpreter: z.string(), ms, firstMs: ms })),
});
type Known = z.infer<typeof Known>;
const Cycle = z.object({ day: ms, wanted: ms, done: ms, after: ms });
type Cycle = z.infer<typeof Cycle>;

export interface PlanRetestsOptions {
  readonly database: Database;
  readonly queue: Pick<Queue, "enqueueWithin" | "hint">;
  readonly policy: RetestPolicy;
  readonly now?: () => number;
}

/**
 * Plans what is tested again without a release of its own, in one transaction: what is due, in turns by cause, within the budget of an
 * hour. Done twice it is done once: what was planned is not due any more.
 */
export async function planRetests(
  environment: RetestEnvironment,
  options: PlanRetestsOptions,
): Promise<PlannedRetests> {
  const nowMs = (options.now ?? Date.now)();
  const done = await options.database.write((within) =>
    new Planning(within, environment, options, nowMs).plan(),
  );
  if (done.total > 0) options.queue.hint();
  return done;
}

class Planning {
  readonly #within: Within;
  readonly #environment: RetestEnvironment;
  readonly #options: PlanRetestsOptions;
  readonly #nowMs: number;

  constructor(
    within: Within,
    environment: RetestEnvironment,
    options: PlanRetestsOptions,
    nowMs: number,
  ) {
    this.#within = within;
    this.#environment = environment;
    this.#options = options;
    this.#nowMs = nowMs;
  }

  async plan(): Promise<PlannedRetests> {
    await this.#lock();
    const known = await this.#noteEnvironment();
    const { room, hour, bound } = await this.#room();
    await this.#endOldWaves();
    const wanted = room === 0 ? [] : await this.#wanted(known, room);
    const chosen = inTurns(wanted, room);
    await this.#enqueue(chosen);
    await writeSetting(this.#within, BUDGET, {
      atMs: this.#nowMs,
      hour: chosen.length === 0 ? hour : [...hour, [this.#nowMs, chosen.length]],
    });
    const planned: Partial<Record<RetestCause, number>> = {};
    for (const { cause } of chosen) planned[cause] = (planned[cause] ?? 0) + 1;
    return {
      planned,
      total: chosen.length,
      bound: chosen.length < room ? "nothing is due" : bound,
    };
  }

  /** Of two that plan at once the second sees what the first has planned. */
  async #lock(): Promise<void> {
    await sql`insert into farm_setting (name, value) values (${BUDGET}, '')
      on conflict (name) do update set value = farm_setting.value`.execute(this.#within);
  }

  /** How many may be planned now. */
  async #room(): Promise<{
    readonly room: number;
    readonly hour: readonly (readonly [number, number])[];
    readonly bound: "budget" | "background lane";
  }> {
    const { jobsPerHour, mostWaiting } = this.#options.policy;
    const budget = await readSetting(this.#within, BUDGET, Budget);
    const hour = (budget?.hour ?? []).filter(([atMs]) => atMs > this.#nowMs - HOUR_MS);
    const left = jobsPerHour - hour.reduce((sum, [, count]) => sum + count, 0);
    // Evenly over the hour: each cause has its turn at each step.
    const sinceMs = budget === null ? STEP_MS : this.#nowMs - budget.atMs;
    const share = Math.ceil((jobsPerHour * Math.min(HOUR_MS, Math.max(0, sinceMs))) / HOUR_MS);
    const byBudget = Math.max(0, Math.min(left, share));
    const waiting = await waitingIn(this.#within, BACKGROUND, mostWaiting);
    const byLane = mostWaiting - waiting;
    return {
      room: Math.min(byBudget, byLane),
      hour,
      bound: byLane < byBudget ? "background lane" : "budget",
    };
  }

  /** Since when image and interpreters are what they are. */
  async #noteEnvironment(): Promise<Known> {
    const before = await readSetting(this.#within, ENVIRONMENT, Known);
    const { image, configurations } = this.#environment;
    const now: Known = {
      image,
      imageMs: before?.image === image ? before.imageMs : this.#nowMs,
      configurations: {
        ...before?.configurations,
        ...Object.fromEntries(
          configurations.map(({ name, interpreter }) => {
            const known = before?.configurations[name];
            const sinceMs = known?.interpreter === interpreter ? known.ms : this.#nowMs;
            return [name, { interpreter, ms: sinceMs, firstMs: known?.firstMs ?? this.#nowMs }];
          }),
        ),
      },
    };
    if (JSON.stringify(now) !== JSON.stringify(before))
      await writeSetting(this.#within, ENVIRONMENT, now);
    return now;
  }

  async #wanted(known: Known, room: number): Promise<readonly (readonly WantedRetest[])[]> {
    const { ageMs } = this.#options.policy;
    const { image } = known;
    const byInterpreter = await this.#each(room, async ({ name, interpreter }, limit) => {
      const sinceMs = known.configurations[name]?.ms ?? this.#nowMs;
      const found = await retestCandidates(this.#within, {
        configuration: name,
        beforeMs: sinceMs,
        notInterpreter: interpreter,
        tested: "before",
        limit,
      });
      const why = `${interpreter.replace("-", " ")} is new`;
      return found.map((candidate) => ({
        cause: "interpreter" as const,
        key: `interpreter ${interpreter} ${sinceMs}`,
        why,
        candidate,
      }));
    });
    const byImage = await this.#each(room, async ({ name }, limit) => {
      const found = await retestCandidates(this.#within, {
        configuration: name,
        beforeMs: known.imageMs,
        notImage: image,
        tested: "before",
        limit,
      });
      return found.map((candidate) => ({
        cause: "image" as const,
        key: `image ${image} ${known.imageMs}`,
        why: `image ${image} is new`,
        candidate,
      }));
    });
    const never = await this.#each(room, async ({ name }, limit) => {
      const firstMs = known.configurations[name]?.firstMs ?? this.#nowMs;
      const found = await retestCandidates(this.#within, {
        configuration: name,
        beforeMs: firstMs,
        tested: "never",
        limit,
      });
      return found.map((candidate) => ({
        cause: "new" as const,
        key: `new ${name} ${firstMs}`,
        why: `never tested on ${name}`,
        candidate,
      }));
    });
    const aged =
      ageMs === null
        ? []
        : await this.#each(room, async ({ name }, limit) => {
            const found = await retestCandidates(this.#within, {
              configuration: name,
              beforeMs: this.#nowMs - ageMs,
              tested: "before",
              limit,
            });
            return found.map((candidate) => ({
              cause: "age" as const,
              key: `age ${candidate.testedMs}`,
              why: `last tested on ${new Date(candidate.testedMs).toISOString().slice(0, 10)}`,
              candidate,
            }));
          });
    return [await this.#waves(room), byInterpreter, byImage, never, aged, await this.#cycle(room)];
  }

  /** The configurations of priority in turns. */
  async #each(
    room: number,
    ask: (
      configuration: RetestEnvironment["configurations"][number],
      limit: number,
    ) => Promise<readonly WantedRetest[]>,
  ): Promise<readonly WantedRetest[]> {
    const lists: (readonly WantedRetest[])[] = [];
    for (const configuration of this.#environment.configurations)
      lists.push(await ask(configuration, room));
    return inTurns(lists, room);
  }

  /** Who depends on what was released, the releases in turns; each is over when nobody is left. */
  async #waves(room: number): Promise<readonly WantedRetest[]> {
    const { transitive } = this.#options.policy;
    const lists: (readonly WantedRetest[])[] = [];
    for (const wave of await openWaves(this.#within, MOST_WAVES)) {
      let wanted: readonly WantedRetest[] = await this.#dependents(wave, false, room);
      // Whoever needs it through others comes after those who need it themselves.
      if (wanted.length < room && transitive) wanted = await this.#dependents(wave, true, room);
      if (wanted.length > 0) lists.push(wanted);
      else
        await changeWave(this.#within, wave, { ended_ms: this.#nowMs, note: "all were planned" });
    }
    return inTurns(lists, room);
  }

  /** What was not reached in its time is left, and how many that were is kept. */
  async #endOldWaves(): Promise<void> {
    const { waveMs, transitive } = this.#options.policy;
    for (const wave of await openWaves(this.#within, MOST_WAVES)) {
      if (this.#nowMs - wave.noted_ms <= waveMs) break;
      const left = await this.#dependents(wave, transitive, MOST_DEPENDENTS);
      const note =
        left.length === 0 ? "all were planned" : `the time for it is over, ${left.length} are left`;
      await changeWave(this.#within, wave, { ended_ms: this.#nowMs, note });
    }
  }

  async #dependents(
    wave: { readonly project: string; readonly version: string; readonly noted_ms: number },
    transitive: boolean,
    room: number,
  ): Promise<readonly WantedRetest[]> {
    const { list } = await dependents(this.#within, {
      name: wave.project,
      transitive,
      visibility: "public",
      limit: MOST_DEPENDENTS,
    });
    const wanted: WantedRetest[] = [];
    for (let start = 0; start < list.length && wanted.length < room; start += PROJECTS_AT_ONCE) {
      const part = list.slice(start, start + PROJECTS_AT_ONCE).map(({ project }) => project);
      for (const candidate of await this.#dueOf(part, wave.noted_ms))
        wanted.push({
          cause: "dependency",
          key: `dependency ${wave.project} ${wave.version}`,
          why: `${wave.project} ${wave.version} is new`,
          candidate,
        });
    }
    return wanted.slice(0, room);
  }

  /** Of these projects, in their order, on each configuration that they were tested on before. */
  async #dueOf(projects: readonly string[], beforeMs: number): Promise<readonly RetestCandidate[]> {
    const order = new Map(projects.map((project, index) => [project, index]));
    const found: RetestCandidate[] = [];
    for (const { name } of this.#environment.configurations)
      found.push(
        ...(await retestCandidates(this.#within, {
          configuration: name,
          // What began after the release was seen has met it already.
          beforeMs,
          tested: "before",
          projects,
          limit: projects.length,
        })),
      );
    return found.toSorted(
      (one, other) => (order.get(one.project) ?? 0) - (order.get(other.project) ?? 0),
    );
  }

  /** A share of all known projects each day, evenly over the day, on all priority configurations, from where the day before ended. */
  async #cycle(room: number): Promise<readonly WantedRetest[]> {
    const share = this.#options.policy.cycleShare;
    if (share === null) return [];
    const day = Math.floor(this.#nowMs / DAY_MS);
    const kept = await readSetting(this.#within, CYCLE, Cycle);
    const cycle: Cycle =
      kept?.day === day
        ? { ...kept }
        : {
            day,
            wanted: Math.ceil(share * (await knownProjectCount(this.#within))),
            done: 0,
            after: kept?.after ?? 0,
          };
    const by = Math.ceil((cycle.wanted * (this.#nowMs - day * DAY_MS)) / DAY_MS);
    const wanted: WantedRetest[] = [];
    while (cycle.done < by && wanted.length < room) {
      const projects = await knownProjects(this.#within, {
        after: cycle.after,
        limit: Math.min(100, by - cycle.done),
      });
      if (projects.length === 0) {
        if (cycle.after === 0) break;
        cycle.after = 0;
        continue;
      }
      let isPending = false;
      for (const { id, name } of projects) {
        const mine = await this.#cycleOf(name, day);
        isPending ||= mine.length > 0;
        wanted.push(...mine);
        // Its other configurations come with the next step; only then the next project has its turn.
        if (isPending) continue;
        cycle.after = id;
        cycle.done++;
      }
      if (isPending) break;
    }
    await writeSetting(this.#within, CYCLE, cycle);
    return wanted.slice(0, room);
  }

  async #cycleOf(project: string, day: number): Promise<readonly WantedRetest[]> {
    const wanted: WantedRetest[] = [];
    for (const { name } of this.#environment.configurations) {
      const found = await retestCandidates(this.#within, {
        configuration: name,
        beforeMs: day * DAY_MS,
        tested: "either",
        projects: [project],
        limit: 1,
      });
      for (const candidate of found)
        wanted.push({
          cause: "cycle",
          key: `cycle ${day}`,
          why: "its turn in the daily cycle",
          candidate,
        });
    }
    return wanted;
  }

  async #enqueue(chosen: readonly WantedRetest[]): Promise<void> {
    const { database, queue } = this.#options;
    const rows = new JobRows(this.#within, database.kind);
    await queue.enqueueWithin(
      this.#within,
      chosen.map(({ key, why, candidate: { project, version, configuration } }) => ({
        id: idOf(key, project, version, configuration),
        project,
        visibility: "public",
        word: `${project}==${version}`,
        version,
        line: "",
        reason: "retest",
        configurations: [{ name: configuration, lane: "background" }],
        why,
      })),
    );
    const ids = await rows.configurations([
      ...new Set(chosen.map(({ candidate }) => candidate.configuration)),
    ]);
    await notePlanned(
      this.#within,
      chosen.map(({ candidate: { projectId, configuration } }) => ({
        projectId,
        configurationId: ids.get(configuration) ?? -1,
      })),
      this.#nowMs,
    );
    for (const [key, of] of Map.groupBy(chosen, (one) => one.key)) {
      const [kind, project, version] = key.split(" ");
      if (kind === "dependency" && project !== undefined && version !== undefined)
        await this.#countWave(project, version, of.length);
    }
  }

  async #countWave(project: string, version: string, count: number): Promise<void> {
    await this.#within
      .updateTable("retest_wave")
      .set((builder) => ({ planned: builder("planned", "+", count) }))
      .where("project", "=", project)
      .where("version", "=", version)
      .execute();
  }
}

/** The same cause asks for the same, whenever and by whomever it is planned. */
function idOf(...parts: readonly string[]): string {
  return createHash("sha256")
    .update(["retest", ...parts].join("\0"))
    .digest("hex")
    .slice(0, 24);
}
