import type { WatchEvent } from "./event.ts";
import type { WatchState } from "./watcher.ts";

export interface KeptWatch {
  /** Counts the commits of this watcher; 0 before the first. */
  readonly revision: number;
  readonly state: WatchState;
}

export interface WatchCommit {
  readonly watcher: string;
  /** The revision that the poll was made with: whoever has an older one commits nothing. */
  readonly revision: number;
  /** Parts that are new or another (text), or no more (null). */
  readonly changes: ReadonlyMap<string, string | null>;
  readonly events: readonly WatchEvent[];
}

/**
 * Where watchers keep how far they are. An event and the state that knows of it are kept in one transaction: no event is
 * lost when a process ends before, and none is there twice when it ends after.
 */
export interface WatchMemory {
  /** Revision 0 and no parts for one that never committed. @throws CreameryError `store`. */
  load(watcher: string): Promise<KeptWatch>;
  /**
   * Keeps all of it or nothing.
   * @returns the new revision; null when another process committed meanwhile, and nothing was kept.
   * @throws CreameryError `store`, `disk-full`: whether it was kept is not known then, and `load` tells.
   */
  commit(commit: WatchCommit): Promise<number | null>;
}

/** A memory for tests and for trying out a watcher: gone with the process. */
export class WatchMemoryInProcess implements WatchMemory {
  /** All events, in the order of the commits. */
  readonly events: WatchEvent[] = [];
  readonly #kept = new Map<string, { revision: number; readonly parts: Map<string, string> }>();

  async load(watcher: string): Promise<KeptWatch> {
    const kept = this.#kept.get(watcher);
    return { revision: kept?.revision ?? 0, state: new Map(kept?.parts) };
  }

  async commit({ watcher, revision, changes, events }: WatchCommit): Promise<number | null> {
    const kept = this.#kept.get(watcher) ?? { revision: 0, parts: new Map<string, string>() };
    if (kept.revision !== revision) return null;
    for (const [key, text] of changes) {
      if (text === null) kept.parts.delete(key);
      else kept.parts.set(key, text);
    }
    kept.revision++;
    this.#kept.set(watcher, kept);
    this.events.push(...structuredClone(events));
    return kept.revision;
  }
}
