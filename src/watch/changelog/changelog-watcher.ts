import { z } from "zod";

import { CreameryError } from "../../base/errors.ts";
import { shownUrl } from "../../index/upstream/secret.ts";
import { askUpstream, type WatchedIndex } from "../ask-upstream.ts";
import { WatchEvent } from "../event.ts";
import { RetryLater } from "../retry-later.ts";
import { sideBySide } from "../side-by-side.ts";
import { readPart, shortDigest } from "../state-part.ts";
import type { Poll, Watcher, WatchNote, WatchState } from "../watcher.ts";
import { addEvent, eventsOfRows, type ProjectChanges } from "./events-of-rows.ts";
import { lastSerial, rowsSince, type ChangelogRow, type RpcOptions } from "./xml-rpc.ts";

export interface ChangelogOptions extends WatchedIndex {
  /** Of the XML-RPC. */
  readonly url: string;
  readonly now: () => number;
  readonly intervalMs?: number;
  /** Which projects are of interest, by normalised name; all by default. */
  readonly wants?: (project: string) => boolean;
  /** How far below the highest serial a row may turn up late: its transaction ended after a later one's. */
  readonly lookback?: number;
}

const INTERVAL_MS = 60_000;
const LOOKBACK = 250;
/** As many rows as an index gives at once. */
const MAX_ROWS = 50_000;
/** Of one poll, of the journal. */
const MAX_QUESTIONS = 64;
/** Simple pages that are asked for in one poll, whether they show what was announced. */
const MAX_CHECKS = 32;
const CHECKS_PER_SECOND = 4;
const CONNECTIONS = 4;
/** Edges keep a page for ten minutes: what is older is shown by all of them. */
const FRESH_SECONDS = 15 * 60;
const AGAIN_MS = 15_000;
const MAX_AGAIN_MS = 5 * 60_000;
const GIVE_UP_MS = 60 * 60_000;
/** A last serial that stays lower for so long means that the index counts anew. */
const RESET_MS = 60 * 60_000;

const CURSOR = "cursor";
const Cursor = z.strictObject({
  high: z.number().int().nonnegative(),
  /** What was there at the beginning, up to this serial, is no news, however late it turns up. */
  floor: z.number().int().nonnegative(),
  /** How far below `high` those serials are that were seen, within the lookback. */
  seen: z.array(z.number().int().nonnegative()),
  behindSince: z.number().nullable(),
});
type Cursor = z.infer<typeof Cursor>;

const Aside = z.strictObject({
  serial: z.number().int(),
  sinceMs: z.number(),
  dueMs: z.number(),
  tries: z.number().int(),
  events: z.array(WatchEvent),
});
type Aside = z.infer<typeof Aside>;

const asideKey = (project: string): string => `aside:${project}`;

interface Found {
  readonly events: WatchEvent[];
  readonly changes: Map<string, string | null>;
  readonly notes: WatchNote[];
}

/**
 * An index's journal, by serial. Serials have gaps and may turn up late, so each question goes back a little and what was
 * seen there is passed over. What a project's page does not show yet (its serial is lower) is set aside and looked at again;
 * no other project waits for it.
 */
export class ChangelogWatcher implements Watcher {
  readonly name: string;
  readonly #options: ChangelogOptions;
  readonly #index: WatchedIndex;

  constructor(options: ChangelogOptions) {
    this.#options = options;
    this.#index = { client: options.client, contact: options.contact };
    this.name = `changelog:${shortDigest(shownUrl(options.url))}`;
  }

  async poll(state: WatchState, signal: AbortSignal): Promise<Poll> {
    const now = this.#options.now();
    const rpc: RpcOptions = { index: this.#index, url: this.#options.url, now, signal };
    const cursor = readPart(this.name, state, CURSOR, Cursor);
    const found: Found = { events: [], changes: new Map(), notes: [] };
    if (cursor === null) {
      const high = await lastSerial(rpc);
      const begun: Cursor = { high, floor: high, seen: [0], behindSince: null };
      found.changes.set(CURSOR, JSON.stringify(begun));
      return this.#done(found, this.#interval, 0, null);
    }
    const { rows, full, next } = await this.#read(cursor, rpc, found);
    if (JSON.stringify(next) !== JSON.stringify(cursor))
      found.changes.set(CURSOR, JSON.stringify(next));
    const asides = this.#asides(state);
    this.#sort(rows, asides, found, now);
    const fault = await this.#check(asides, found, now, signal);
    return this.#pace(state, asides, found, full, now, fault);
  }

  get #interval(): number {
    return this.#options.intervalMs ?? INTERVAL_MS;
  }

  /** Rows that were never seen, and the cursor that knows of them. */
  async #read(
    cursor: Cursor,
    rpc: RpcOptions,
    found: Found,
  ): Promise<{
    readonly rows: readonly ChangelogRow[];
    readonly full: boolean;
    readonly next: Cursor;
  }> {
    const lookback = this.#options.lookback ?? LOOKBACK;
    const since = Math.max(cursor.floor, cursor.high - lookback);
    const answered: ChangelogRow[] = [];
    let [from, full] = [since, false];
    // Until there is something above what is known: some indexes give fewer rows at once than are looked back at.
    for (let asked = 0; asked < MAX_QUESTIONS && from <= cursor.high; asked++) {
      const { rows, count } = await rowsSince(from, rpc);
      answered.push(...rows);
      full = count >= MAX_ROWS || (asked > 0 && count > 0);
      const last = rows.at(-1)?.serial ?? from;
      if (last <= from) break;
      from = last;
    }
    // What is known is in the answer, unless an old copy gave it; where nothing is known yet there is nothing to miss.
    const nothingYet = since === cursor.high && answered.length === 0;
    if (from < cursor.high || nothingYet) {
      const last = await lastSerial(rpc);
      if (last < cursor.high)
        return { rows: [], full: false, next: this.#behind(cursor, last, rpc.now, found) };
    }
    const seen = new Set(cursor.seen.map((below) => cursor.high - below));
    const rows = answered.filter(
      ({ serial }, index, all) =>
        serial > since && !seen.has(serial) && all[index - 1]?.serial !== serial,
    );
    const high = Math.max(cursor.high, rows.at(-1)?.serial ?? 0);
    for (const { serial } of rows) seen.add(serial);
    const next: Cursor = {
      high,
      floor: cursor.floor,
      seen: [...seen]
        .filter((serial) => serial > high - lookback && serial > cursor.floor)
        .map((serial) => high - serial)
        .toSorted((left, right) => left - right),
      behindSince: null,
    };
    return { rows, full, next };
  }

  /** Upstream knows less than it did: an old copy of it answers, or it counts anew. */
  #behind(cursor: Cursor, last: number, now: number, found: Found): Cursor {
    const since = cursor.behindSince ?? now;
    if (now - since < RESET_MS) {
      if (cursor.behindSince === null)
        found.notes.push({
          kind: "behind",
          project: null,
          reason: `its last serial is ${last}, and it was ${cursor.high}`,
        });
      return { ...cursor, behindSince: since };
    }
    found.notes.push({
      kind: "gap",
      reason: `its last serial stays at ${last} and was ${cursor.high}: it counts anew, and is watched from here on`,
    });
    return { high: last, floor: last, seen: [0], behindSince: null };
  }

  #asides(state: WatchState): Map<string, Aside> {
    const asides = new Map<string, Aside>();
    for (const key of state.keys()) {
      if (!key.startsWith("aside:")) continue;
      const aside = readPart(this.name, state, key, Aside);
      if (aside !== null) asides.set(key.slice("aside:".length), aside);
    }
    return asides;
  }

  /** What is told at once, and what is told when the project's page shows it. */
  #sort(
    rows: readonly ChangelogRow[],
    asides: Map<string, Aside>,
    found: Found,
    now: number,
  ): void {
    const wants = this.#options.wants ?? (() => true);
    const newest = rows.reduce((latest, { timestamp }) => Math.max(latest, timestamp), 0);
    for (const [project, changes] of eventsOfRows(rows)) {
      if (!wants(project)) continue;
      const aside = asides.get(project);
      // Behind what waits already, whatever it is: a yank must not be told before its release.
      if (aside !== undefined) {
        const events = [...aside.events];
        for (const event of changes.events) addEvent(events, event);
        asides.set(project, { ...aside, events, serial: Math.max(aside.serial, changes.serial) });
      } else if (isShownLater(changes) && changes.timestamp >= newest - FRESH_SECONDS) {
        const { serial, events } = changes;
        asides.set(project, { serial, sinceMs: now, dueMs: now, tries: 0, events });
      } else found.events.push(...changes.events);
    }
  }

  /** Tells what pages show by now. A page that can't be had is one that does not show it. */
  async #check(
    asides: Map<string, Aside>,
    found: Found,
    now: number,
    signal: AbortSignal,
  ): Promise<CreameryError | null> {
    const due = [...asides]
      .filter(([, { dueMs }]) => dueMs <= now)
      .toSorted(([, left], [, right]) => left.dueMs - right.dueMs)
      .slice(0, MAX_CHECKS);
    let busy: RetryLater | null = null;
    await sideBySide(due, CONNECTIONS, async ([project, aside]) => {
      if (busy !== null) return;
      const shown = await this.#shows(project, aside.serial, now, signal);
      if (shown instanceof RetryLater && shown.retryAfterMs !== null) busy = shown;
      if (shown === true) {
        found.events.push(...aside.events);
        asides.delete(project);
        return;
      }
      const reason = shown === false ? "its page is older than the journal" : shown.line;
      if (now - aside.sinceMs >= GIVE_UP_MS) {
        found.events.push(...aside.events);
        found.notes.push({ kind: "gave-up-waiting", project, reason });
        asides.delete(project);
        return;
      }
      if (aside.tries === 0) found.notes.push({ kind: "set-aside", project, reason });
      const pauseMs = Math.min(AGAIN_MS * 2 ** aside.tries, MAX_AGAIN_MS);
      asides.set(project, { ...aside, tries: aside.tries + 1, dueMs: now + pauseMs });
    });
    return busy;
  }

  /** Whether a project's page is as new as the journal; true where the index does not say. */
  async #shows(
    project: string,
    serial: number,
    now: number,
    signal: AbortSignal,
  ): Promise<boolean | CreameryError> {
    try {
      const answer = await askUpstream(this.#index, {
        url: `${this.#index.client.upstream.url}${project}/`,
        method: "HEAD",
        accept: "application/vnd.pypi.simple.v1+json",
        maxBytes: 0,
        now,
        signal,
      });
      if (answer.kind === "absent") return false;
      // An index that knows no HEAD is not asked by one.
      if (answer.kind === "refused" || answer.said.serial === null) return true;
      return answer.said.serial >= serial;
    } catch (thrown) {
      signal.throwIfAborted();
      if (thrown instanceof CreameryError) return thrown;
      throw thrown;
    }
  }

  #pace(
    state: WatchState,
    asides: ReadonlyMap<string, Aside>,
    found: Found,
    full: boolean,
    now: number,
    fault: CreameryError | null,
  ): Poll {
    let [due, oldest] = [Infinity, now];
    for (const [project, aside] of asides) {
      const text = JSON.stringify(aside);
      if (state.get(asideKey(project)) !== text) found.changes.set(asideKey(project), text);
      due = Math.min(due, aside.dueMs);
      oldest = Math.min(oldest, aside.sinceMs);
    }
    for (const key of state.keys())
      if (key.startsWith("aside:") && !asides.has(key.slice("aside:".length)))
        found.changes.set(key, null);
    const checkMs = Math.max(due - now, (MAX_CHECKS / CHECKS_PER_SECOND) * 1000);
    const interval = full ? 1000 : this.#interval;
    return this.#done(found, Math.min(interval, checkMs), now - oldest, fault);
  }

  #done(found: Found, nextPollMs: number, lagMs: number, fault: CreameryError | null): Poll {
    const { events, changes, notes } = found;
    return { events, changes, nextPollMs, lagMs, notes, fault };
  }
}

/** Only what is to be installed needs to be shown first. */
function isShownLater({ events }: ProjectChanges): boolean {
  // Removed since: no page will show it.
  if (events.at(-1)?.kind === "project-removed") return false;
  return events.some(({ kind }) => kind === "released" || kind === "files-added");
}
