import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import type { WatchedIndex } from "../ask-upstream.ts";
import type { WatchEvent } from "../event.ts";
import { RetryLater } from "../retry-later.ts";
import { sideBySide } from "../side-by-side.ts";
import { readPart } from "../state-part.ts";
import type { WatchNote, WatchState } from "../watcher.ts";
import { lookAtPage, type Look } from "./look-at-page.ts";
import { PageFacts } from "./page-facts.ts";

/** Few connections, however many pages. */
const CONNECTIONS = 4;
/** Longer than edges keep a page (`max-age=600`), with some room. */
export const CONFIRM_MS = 15 * 60_000;
const RESET_MS = 60 * 60_000;
/** How long until a page that is older than one that was seen, or can't be had, is looked at again, and at most. */
const AGAIN_MS = 10_000;
const MAX_AGAIN_MS = 10 * 60_000;
/** So many projects in a row that can't be asked mean that the index can't be. */
const INDEX_FAILS = 3;

export interface PageLooksOptions {
  /** Of the watcher, for faults. */
  readonly watcher: string;
  readonly index: WatchedIndex;
  readonly first: "nothing" | "newest";
  readonly confirmMs?: number;
  /** How many projects there are. */
  readonly projects: number;
}

/** What several pages said. */
export interface LookedAt {
  readonly events: readonly WatchEvent[];
  readonly changes: ReadonlyMap<string, string>;
  readonly notes: readonly WatchNote[];
  /** Which are to be looked at again out of turn, and when (milliseconds since 1970). */
  readonly again: ReadonlyMap<string, number>;
  /** Those that were looked at, with what is known now. */
  readonly known: ReadonlyMap<string, PageFacts>;
  /** When the index asks for time, can't be reached, or has failed for several projects in a row. */
  readonly fault: CreameryError | null;
}

/** Of a project's part of the state. */
export function pageKey(name: string): string {
  return `page:${name}`;
}

/** Looks at pages of one index, several at a time: one that can't be had holds up no other. */
export class PageLooks {
  readonly #options: PageLooksOptions;
  /** How often in a row it was not to be had: a timetable's, lost with the process. */
  readonly #failures = new Map<string, number>();
  /** Those that failed since any other did not. */
  readonly #inARow = new Set<string>();

  constructor(options: PageLooksOptions) {
    this.#options = options;
  }

  /** @throws the signal's reason; CreameryError `store` for a state that can't be read. */
  async look(
    names: readonly string[],
    state: WatchState,
    now: number,
    signal: AbortSignal,
    announced: ReadonlyMap<string, readonly string[]> = new Map(),
  ): Promise<LookedAt> {
    const { watcher } = this.#options;
    const events: WatchEvent[] = [];
    const changes = new Map<string, string>();
    const notes: WatchNote[] = [];
    const again = new Map<string, number>();
    const known = new Map<string, PageFacts>();
    let busy: RetryLater | null = null;
    const looks = await sideBySide(names, CONNECTIONS, async (name) => {
      // Who asks for time is not asked for the rest.
      if (busy !== null) return busy;
      const before = readPart(watcher, state, pageKey(name), PageFacts);
      const look = await this.#lookAt(name, before, now, signal, announced.get(name));
      if (look instanceof RetryLater && look.retryAfterMs !== null) busy = look;
      return look;
    });
    let last: CreameryError | null = null;
    for (const [index, name] of names.entries()) {
      const look = looks[index];
      if (look === undefined) continue;
      if (look instanceof CreameryError) {
        last = look;
        this.#inARow.add(name);
        again.set(name, now + this.#failed(name));
        if (this.#failures.get(name) === 1 && look !== busy)
          notes.push({
            kind: "failing",
            project: name,
            reason: clip(printableLine(look.line), 300),
          });
        continue;
      }
      this.#failures.delete(name);
      this.#inARow.clear();
      known.set(name, look.facts);
      events.push(...look.events);
      const text = JSON.stringify(look.facts);
      const key = pageKey(name);
      if (state.get(key) !== text) changes.set(key, text);
      if (look.more) again.set(name, now);
      if (!look.behind) continue;
      again.set(name, now + AGAIN_MS);
      notes.push({
        kind: "behind",
        project: name,
        reason: "its page is older, by its serial, than one that was shown before",
      });
    }
    const down =
      known.size === 0 &&
      (last?.code === "no-network" ||
        this.#inARow.size >= Math.min(INDEX_FAILS, this.#options.projects));
    return { events, changes, notes, again, known, fault: busy ?? (down ? last : null) };
  }

  async #lookAt(
    name: string,
    before: PageFacts | null,
    now: number,
    signal: AbortSignal,
    announced: readonly string[] | undefined,
  ): Promise<Look | CreameryError> {
    try {
      return await lookAtPage(name, before, {
        index: this.#options.index,
        signal,
        now,
        first: this.#options.first,
        confirmMs: this.#options.confirmMs ?? CONFIRM_MS,
        resetMs: RESET_MS,
        ...(announced === undefined ? {} : { announced }),
      });
    } catch (thrown) {
      signal.throwIfAborted();
      if (thrown instanceof CreameryError) return thrown;
      throw thrown;
    }
  }

  #failed(name: string): number {
    const failures = (this.#failures.get(name) ?? 0) + 1;
    this.#failures.set(name, failures);
    return Math.min(AGAIN_MS * 2 ** (failures - 1), MAX_AGAIN_MS);
  }
}
