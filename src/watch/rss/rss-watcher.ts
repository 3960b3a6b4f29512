import { z } from "zod";

import { CreameryError } from "../../base/errors.ts";
import { shownUrl } from "../../index/upstream/secret.ts";
import { normaliseName } from "../../python/names.ts";
import type { WatchedIndex } from "../ask-upstream.ts";
import { backoffMs } from "../backoff.ts";
import type { WatchEvent } from "../event.ts";
import { roundMs, Rounds } from "../rounds.ts";
import { PageLooks, type LookedAt } from "../simple-pages/page-looks.ts";
import type { PageFacts } from "../simple-pages/page-facts.ts";
import { REQUESTS_PER_SECOND } from "../simple-pages/simple-pages-watcher.ts";
import { readPart, shortDigest } from "../state-part.ts";
import type { Poll, Watcher, WatchNote, WatchState } from "../watcher.ts";
import { askFeed, type FeedItem } from "./rss-feed.ts";
import { newsOf, SeenFeed } from "./seen-feed.ts";

export interface RssOptions extends WatchedIndex {
  /** Of the feed. */
  readonly url: string;
  /** Projects whose pages are looked at: nothing of them is missed for longer than a round. */
  readonly projects: readonly string[];
  /** Whether releases of other projects are told as the feed shows them; some are missed. */
  readonly others: "told" | "passed-over";
  readonly now: () => number;
  readonly requestsPerSecond?: number;
  readonly confirmMs?: number;
}

const FEED_MS = 60_000;
/** A round of all pages finds what a feed does not tell: yanks, removals, files that were added. */
const SHORTEST_ROUND_MS = 60 * 60_000;
const BATCH = 16;
const AGAIN_MS = 15_000;
const MAX_AGAIN_MS = 5 * 60_000;
const GIVE_UP_MS = 60 * 60_000;

const FEED = "feed";
const RECONCILE = "reconcile";
/** All pages are being looked at because something was missed: those up to this name were. */
const Reconcile = z.strictObject({ after: z.string() });
/** A project's page is to show these versions. */
const Awaited = z.strictObject({
  versions: z.array(z.string()),
  sinceMs: z.number(),
  dueMs: z.number(),
  tries: z.number().int(),
});
type Awaited = z.infer<typeof Awaited>;

const lookKey = (project: string): string => `look:${project}`;

interface Found {
  readonly events: WatchEvent[];
  readonly changes: Map<string, string | null>;
  readonly notes: WatchNote[];
}

/**
 * A feed of the newest releases is a hint, and forgets: it says which page to look at now. What happened is told by
 * comparing pages, as the watcher of simple pages does; when a whole window was missed, all pages are looked at.
 */
export class RssWatcher implements Watcher {
  readonly name: string;
  readonly #options: RssOptions;
  readonly #index: WatchedIndex;
  readonly #projects: readonly string[];
  readonly #tracked: ReadonlySet<string>;
  readonly #perSecond: number;
  readonly #looks: PageLooks;
  readonly #rounds: Rounds;
  #feedDueMs = 0;
  #feedFailures = 0;

  constructor(options: RssOptions) {
    this.#options = options;
    this.#index = { client: options.client, contact: options.contact };
    this.name = `rss:${shortDigest(shownUrl(options.url))}`;
    this.#tracked = new Set(options.projects.map(normaliseName));
    this.#projects = [...this.#tracked].toSorted();
    this.#perSecond = options.requestsPerSecond ?? REQUESTS_PER_SECOND;
    const intervalMs = Math.max(SHORTEST_ROUND_MS, roundMs(this.#tracked.size, this.#perSecond));
    this.#rounds = new Rounds(this.#projects, intervalMs, options.now());
    this.#looks = new PageLooks({
      watcher: this.name,
      index: this.#index,
      first: "nothing",
      projects: this.#tracked.size,
      ...(options.confirmMs === undefined ? {} : { confirmMs: options.confirmMs }),
    });
  }

  async poll(state: WatchState, signal: AbortSignal): Promise<Poll> {
    const now = this.#options.now();
    const found: Found = { events: [], changes: new Map(), notes: [] };
    const awaited = this.#awaited(state);
    let reconcile = readPart(this.name, state, RECONCILE, Reconcile);
    let fault: CreameryError | null = null;
    if (this.#feedDueMs <= now) {
      const read = await this.#readFeed(state, awaited, found, now, signal);
      if (read instanceof CreameryError) fault = read;
      else if (read === "gap") reconcile = { after: "" };
    }
    const names = this.#turns(awaited, reconcile, now);
    const announced = new Map([...awaited].map(([name, { versions }]) => [name, versions]));
    const looked = await this.#looks.look([...names], state, now, signal, announced);
    found.events.push(...looked.events);
    for (const [key, text] of looked.changes) found.changes.set(key, text);
    found.notes.push(...looked.notes);
    const lagMs = Math.max(0, ...[...awaited.values()].map(({ sinceMs }) => now - sinceMs));
    this.#settle(looked, awaited, state, found, now);
    if (reconcile !== null) reconcile = this.#reconciled(reconcile, names);
    this.#keep(state, awaited, reconcile, found);
    const due = Math.min(
      this.#feedDueMs,
      this.#rounds.nextDue(),
      reconcile === null ? Infinity : now,
      ...[...awaited.values()].map(({ dueMs }) => dueMs),
    );
    return {
      events: found.events,
      changes: found.changes,
      nextPollMs: Math.max(due - this.#options.now(), (names.size / this.#perSecond) * 1000, 0),
      lagMs,
      notes: found.notes,
      fault: looked.fault ?? fault,
    };
  }

  #awaited(state: WatchState): Map<string, Awaited> {
    const awaited = new Map<string, Awaited>();
    for (const key of state.keys()) {
      if (!key.startsWith("look:")) continue;
      const name = key.slice("look:".length);
      const part = readPart(this.name, state, key, Awaited);
      if (part !== null && this.#tracked.has(name)) awaited.set(name, part);
    }
    return awaited;
  }

  /** A feed that can't be had holds up no page. */
  async #readFeed(
    state: WatchState,
    awaited: Map<string, Awaited>,
    found: Found,
    now: number,
    signal: AbortSignal,
  ): Promise<"read" | "gap" | CreameryError> {
    const before = readPart(this.name, state, FEED, SeenFeed);
    let answer;
    try {
      answer = await askFeed({
        index: this.#index,
        url: this.#options.url,
        etag: before?.etag ?? null,
        modified: before?.modified ?? null,
        now,
        signal,
      });
    } catch (thrown) {
      signal.throwIfAborted();
      if (!(thrown instanceof CreameryError)) throw thrown;
      this.#feedFailures++;
      this.#feedDueMs = now + Math.max(FEED_MS, backoffMs(this.#feedFailures, null, 1));
      return thrown;
    }
    this.#feedFailures = 0;
    this.#feedDueMs = now + FEED_MS;
    if (answer === null) return "read";
    const { seen, news, gap } = newsOf(before, answer);
    const text = JSON.stringify(seen);
    if (state.get(FEED) !== text) found.changes.set(FEED, text);
    for (const item of news) this.#announce(item, awaited, found, now);
    if (!gap) return "read";
    const others = this.#options.others === "told" ? "; of other projects some are lost" : "";
    found.notes.push({
      kind: "gap",
      reason: `the feed shows nothing that was seen before: all ${this.#tracked.size} pages are looked at${others}`,
    });
    return "gap";
  }

  #announce(item: FeedItem, awaited: Map<string, Awaited>, found: Found, now: number): void {
    const { project, version, publishedAt } = item;
    if (this.#tracked.has(project)) {
      const before = awaited.get(project) ?? { versions: [], sinceMs: now, tries: 0 };
      const versions = [...new Set([...before.versions, version])];
      awaited.set(project, { ...before, versions, dueMs: now });
    } else if (this.#options.others === "told") {
      const uploadedAt = new Date(publishedAt).toISOString();
      found.events.push({ kind: "released", project, version, uploadedAt });
    }
  }

  /** Who is looked at now: what the feed announced, then what was missed, then whose turn it is. */
  #turns(
    awaited: ReadonlyMap<string, Awaited>,
    reconcile: z.infer<typeof Reconcile> | null,
    now: number,
  ): Set<string> {
    const names = new Set<string>();
    for (const [name, { dueMs }] of awaited)
      if (dueMs <= now && names.size < BATCH) names.add(name);
    if (reconcile !== null)
      for (const name of this.#projects)
        if (name > reconcile.after && names.size < BATCH) names.add(name);
    for (const name of this.#rounds.take(now, BATCH - names.size)) names.add(name);
    return names;
  }

  #settle(
    looked: LookedAt,
    awaited: Map<string, Awaited>,
    state: WatchState,
    found: Found,
    now: number,
  ): void {
    for (const [name, dueMs] of looked.again) {
      // Of a failed look nothing is lost: it is looked at until it is not.
      const before = awaited.get(name) ?? { versions: [], sinceMs: now, tries: 0 };
      awaited.set(name, { ...before, dueMs });
    }
    for (const [name, facts] of looked.known) {
      const waiting = awaited.get(name);
      if (waiting === undefined || looked.again.has(name)) continue;
      const missing = waiting.versions.filter((version) => !shows(facts, version));
      if (missing.length === 0) {
        awaited.delete(name);
        continue;
      }
      const reason = `its page does not show ${missing.length === 1 ? "a release" : "releases"} that the feed announced`;
      if (now - waiting.sinceMs >= GIVE_UP_MS) {
        awaited.delete(name);
        found.notes.push({ kind: "gave-up-waiting", project: name, reason });
        continue;
      }
      if (waiting.tries === 0) found.notes.push({ kind: "set-aside", project: name, reason });
      const pauseMs = Math.min(AGAIN_MS * 2 ** waiting.tries, MAX_AGAIN_MS);
      awaited.set(name, {
        ...waiting,
        versions: missing,
        tries: waiting.tries + 1,
        dueMs: now + pauseMs,
      });
    }
    for (const key of state.keys())
      if (key.startsWith("page:") && !this.#tracked.has(key.slice("page:".length)))
        found.changes.set(key, null);
  }

  /** Those that could not be looked at are awaited by themselves. */
  #reconciled(
    { after }: z.infer<typeof Reconcile>,
    names: ReadonlySet<string>,
  ): z.infer<typeof Reconcile> | null {
    let last = after;
    for (const name of this.#projects) {
      if (name <= last) continue;
      if (!names.has(name)) return { after: last };
      last = name;
    }
    return null;
  }

  #keep(
    state: WatchState,
    awaited: ReadonlyMap<string, Awaited>,
    reconcile: z.infer<typeof Reconcile> | null,
    found: Found,
  ): void {
    for (const [name, waiting] of awaited) {
      const text = JSON.stringify(waiting);
      if (state.get(lookKey(name)) !== text) found.changes.set(lookKey(name), text);
    }
    for (const key of state.keys())
      if (key.startsWith("look:") && !awaited.has(key.slice("look:".length)))
        found.changes.set(key, null);
    if (reconcile !== null) found.changes.set(RECONCILE, JSON.stringify(reconcile));
    else if (state.has(RECONCILE)) found.changes.set(RECONCILE, null);
  }
}

function shows(facts: PageFacts, version: string): boolean {
  return Object.hasOwn(facts.releases, version) || Object.hasOwn(facts.gone, version);
}
