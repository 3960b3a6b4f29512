import { CreameryError } from "../base/errors.ts";
import { UpstreamClient } from "../index/upstream/upstream-client.ts";
import { sampleUpstreams } from "../index/upstream/upstreams.sample.ts";
import type { WatchedIndex } from "./ask-upstream.ts";
import type { WatchClock } from "./clock.ts";
import type { WatchEvent } from "./event.ts";
import { runWatcher, type WatcherHealth } from "./run-watcher.ts";
import {
  WatchMemoryInProcess,
  type KeptWatch,
  type WatchCommit,
  type WatchMemory,
} from "./watch-memory.ts";
import type { Watcher, WatchNote } from "./watcher.ts";

/** Trials of watchers: time that passes by itself, a memory that fails, and a reader that hears each event. */

export async function sampleIndex(url: string): Promise<WatchedIndex & Disposable> {
  const { indexes, transport } = await sampleUpstreams({ index: url });
  const [upstream] = indexes;
  if (upstream === undefined) throw new Error("no upstream");
  const client = new UpstreamClient(upstream, transport);
  return { client, contact: null, [Symbol.dispose]: () => client.close() };
}

export interface Step {
  /** Milliseconds after the trial's beginning. */
  readonly at: number;
  readonly act: () => void;
}

export const TRIAL_BEGIN = Date.UTC(2026, 10, 24);

/** Time passes while somebody sleeps, and with it what is to happen. */
export class TrialClock implements WatchClock {
  #now = TRIAL_BEGIN;
  readonly #steps: Step[];

  constructor(steps: readonly Step[] = []) {
    this.#steps = [...steps].toSorted((left, right) => left.at - right.at);
  }

  now(): number {
    return this.#now;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    const until = this.#now + ms;
    for (;;) {
      const [next] = this.#steps;
      if (next === undefined || TRIAL_BEGIN + next.at > until) break;
      this.#steps.shift();
      this.#now = Math.max(this.#now, TRIAL_BEGIN + next.at);
      next.act();
      if (signal.aborted) return;
    }
    this.#now = until;
  }
}

/** Fails as it is told to: before it has kept anything, or after, so that nobody hears that it did. */
export class ShakyMemory implements WatchMemory {
  readonly inner = new WatchMemoryInProcess();
  #next: () => "before" | "after" | "well" = () => "well";

  failing(next: () => "before" | "after" | "well"): void {
    this.#next = next;
  }

  load(watcher: string): Promise<KeptWatch> {
    return this.inner.load(watcher);
  }

  async commit(commit: WatchCommit): Promise<number | null> {
    const how = this.#next();
    if (how === "before") throw new CreameryError("store", "was away before it kept anything");
    const revision = await this.inner.commit(commit);
    if (how === "after") throw new CreameryError("store", "was away before it could say so");
    return revision;
  }
}

export interface Trial {
  /** Makes the watcher as a new process would. */
  readonly make: (clock: WatchClock) => Watcher;
  readonly memory: WatchMemory;
  readonly steps: readonly Step[];
  /** When processes end (milliseconds after the beginning) and others begin. */
  readonly restarts?: readonly number[];
  readonly endsAt: number;
  readonly onHealth?: (health: WatcherHealth, now: number) => void;
  readonly onNote?: (note: WatchNote) => void;
}

/** Runs one watcher, in one process after the other, until the trial's time is over. */
export async function runTrial(trial: Trial): Promise<void> {
  let process = new AbortController();
  let over = false;
  const ends = (): void => process.abort();
  const clock = new TrialClock([
    ...trial.steps,
    ...(trial.restarts ?? []).map((at) => ({ at, act: ends })),
    {
      at: trial.endsAt,
      act: () => {
        over = true;
        ends();
      },
    },
  ]);
  const isOver = (): boolean => over;
  while (!isOver()) {
    process = new AbortController();
    await runWatcher(trial.make(clock), {
      memory: trial.memory,
      signal: process.signal,
      clock,
      random: () => 0.5,
      onHealth: (health) => trial.onHealth?.(health, clock.now()),
      ...(trial.onNote === undefined ? {} : { onNote: trial.onNote }),
    });
  }
}

interface Believed {
  readonly releases: Map<string, { yanked: boolean; readonly files: Set<string> }>;
  quarantined: boolean;
  removed: boolean;
}

/** What a reader of events believes of an index; an event that says what is believed already is one too many. */
export class Reader {
  readonly projects = new Map<string, Believed>();
  readonly tooMany: string[] = [];

  constructor(events: readonly WatchEvent[] = []) {
    for (const event of events) this.hear(event);
  }

  hear(event: WatchEvent): void {
    if (event.kind === "pushed") return;
    const project: Believed = this.projects.get(event.project) ?? {
      releases: new Map(),
      quarantined: false,
      removed: false,
    };
    this.projects.set(event.project, project);
    const once = (isNew: boolean): void => {
      if (!isNew) this.tooMany.push(JSON.stringify(event));
    };
    switch (event.kind) {
      case "released": {
        once(!project.releases.has(event.version) || project.removed);
        project.removed = false;
        project.releases.set(event.version, { yanked: false, files: new Set(event.files) });
        return;
      }
      case "files-added": {
        const files = project.releases.get(event.version)?.files ?? new Set();
        once(event.files.every((file) => !files.has(file)));
        for (const file of event.files) files.add(file);
        return;
      }
      case "yanked":
      case "unyanked": {
        const release = project.releases.get(event.version) ?? {
          yanked: event.kind !== "yanked",
          files: new Set<string>(),
        };
        project.releases.set(event.version, release);
        once(release.yanked !== (event.kind === "yanked"));
        release.yanked = event.kind === "yanked";
        return;
      }
      case "release-removed":
        once(project.releases.delete(event.version));
        return;
      case "project-removed":
        once(!project.removed);
        project.removed = true;
        return;
      case "quarantined":
      case "unquarantined":
        once(project.quarantined !== (event.kind === "quarantined"));
        project.quarantined = event.kind === "quarantined";
    }
  }
}
