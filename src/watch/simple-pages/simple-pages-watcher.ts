import { shownUrl } from "../../index/upstream/secret.ts";
import { normaliseName } from "../../python/names.ts";
import type { WatchedIndex } from "../ask-upstream.ts";
import { roundMs, Rounds } from "../rounds.ts";
import { shortDigest } from "../state-part.ts";
import type { Poll, Watcher, WatchState } from "../watcher.ts";
import { pageKey, PageLooks } from "./page-looks.ts";

export interface SimplePagesOptions extends WatchedIndex {
  readonly projects: readonly string[];
  readonly now: () => number;
  /** The most that the index is asked; 4 by default. */
  readonly requestsPerSecond?: number;
  /** What the first look at a project reports; nothing by default. */
  readonly first?: "nothing" | "newest";
  /** How long what goes back to what was before must be seen before it counts, where no serial vouches for it. */
  readonly confirmMs?: number;
}

export const REQUESTS_PER_SECOND = 4;
/** Of one poll: what it found is kept before the next are asked. */
const BATCH = 16;

/**
 * Conditional GETs of the projects' simple pages: works on any index. Each project has its own part of the state, so
 * that a commit writes what changed.
 */
export class SimplePagesWatcher implements Watcher {
  readonly name: string;
  /** Milliseconds of one round of all projects. */
  readonly intervalMs: number;
  readonly #now: () => number;
  readonly #perSecond: number;
  readonly #looks: PageLooks;
  readonly #rounds: Rounds;
  readonly #keys: ReadonlySet<string>;
  #swept = false;
  /** What the last poll found: if it is not in the state, it was not kept. */
  #found: readonly (readonly [name: string, text: string])[] = [];

  constructor(options: SimplePagesOptions) {
    const index: WatchedIndex = { client: options.client, contact: options.contact };
    this.name = `simple-pages:${shortDigest(shownUrl(index.client.upstream.url))}`;
    const projects = [...new Set(options.projects.map(normaliseName))];
    this.#now = options.now;
    this.#perSecond = options.requestsPerSecond ?? REQUESTS_PER_SECOND;
    this.intervalMs = roundMs(projects.length, this.#perSecond);
    this.#rounds = new Rounds(projects, this.intervalMs, options.now());
    this.#keys = new Set(projects.map(pageKey));
    this.#looks = new PageLooks({
      watcher: this.name,
      index,
      first: options.first ?? "nothing",
      projects: projects.length,
      ...(options.confirmMs === undefined ? {} : { confirmMs: options.confirmMs }),
    });
  }

  async poll(state: WatchState, signal: AbortSignal): Promise<Poll> {
    const now = this.#now();
    for (const [name, text] of this.#found)
      if (state.get(pageKey(name)) !== text) this.#rounds.again(name, now);
    const lagMs = Math.max(0, now - this.#rounds.nextDue());
    const names = this.#rounds.take(now, BATCH);
    const looked = await this.#looks.look(names, state, now, signal);
    for (const [name, dueMs] of looked.again) this.#rounds.again(name, dueMs);
    const changes = new Map<string, string | null>(looked.changes);
    this.#found = names.flatMap((name) => {
      const text = looked.changes.get(pageKey(name));
      return text === undefined ? [] : [[name, text] as const];
    });
    // Of who is watched no more: watched again one day, its present is a beginning again.
    if (!this.#swept)
      for (const key of state.keys()) if (!this.#keys.has(key)) changes.set(key, null);
    this.#swept = true;
    return {
      events: looked.events,
      changes,
      // What was late is made up for no faster than the budget.
      nextPollMs: Math.max(
        this.#rounds.nextDue() - this.#now(),
        (names.length / this.#perSecond) * 1000 - (this.#now() - now),
        0,
      ),
      lagMs: this.#rounds.size === 0 ? null : lagMs,
      notes: looked.notes,
      fault: looked.fault,
    };
  }
}
