import { setTimeout as sleep } from "node:timers/promises";

import { reasonOf } from "../../base/errors.ts";
import { UpstreamClient } from "../../index/upstream/upstream-client.ts";
import type { Upstreams } from "../../index/upstream/upstreams.ts";
import { shownUrl } from "../../index/upstream/secret.ts";
import { whileSole } from "../../queue/sole-holder.ts";
import { EVERYTHING } from "../../model/watched-name.ts";
import type { Database } from "../../store/database.ts";
import type { WatchedIndex } from "../../watch/ask-upstream.ts";
import { ChangelogWatcher } from "../../watch/changelog/changelog-watcher.ts";
import { chooseFeed, type Feed } from "../../watch/choose-feed.ts";
import type { WatchEvent } from "../../watch/event.ts";
import {
  GitReferencesWatcher,
  type WatchedRepository,
} from "../../watch/git-references/git-references-watcher.ts";
import { RssWatcher } from "../../watch/rss/rss-watcher.ts";
import { runWatcher, type WatcherHealth } from "../../watch/run-watcher.ts";
import { SimplePagesWatcher } from "../../watch/simple-pages/simple-pages-watcher.ts";
import type { WatchMemory } from "../../watch/watch-memory.ts";
import type { Watcher, WatchNote } from "../../watch/watcher.ts";
import type { FarmLog } from "./farm-log.ts";

export interface WatchingOptions {
  readonly database: Database;
  /** Of this process. */
  readonly holder: string;
  readonly memory: WatchMemory;
  readonly upstreams: () => Promise<Upstreams>;
  readonly allow: readonly string[];
  readonly contact: string | null;
  readonly requestsPerSecond: number | undefined;
  readonly repositories: readonly WatchedRepository[];
  /** For what git needs while it asks. */
  readonly gitDirectory: string;
  readonly authorities: () => Promise<string | undefined>;
  /** After events were kept and planned. */
  readonly onEvents: (events: readonly WatchEvent[]) => void;
  readonly log: FarmLog;
}

/** How a watcher is, and what it watches, without credentials. */
export interface WatchedHealth extends WatcherHealth {
  readonly source: string;
}

const LOOK_MS = 2000;
const AGAIN_MS = 60_000;
const HOUR_MS = 3_600_000;

/** Runs the watchers of what is watched now, and others when that changes. */
export class Watching {
  readonly #options: WatchingOptions;
  readonly #health = new Map<string, WatchedHealth>();

  constructor(options: WatchingOptions) {
    this.#options = options;
  }

  get health(): readonly WatchedHealth[] {
    return [...this.#health.values()];
  }

  /** Of several coordinators of one PostgreSQL one watches; the others are there for when it ends. A file has one coordinator. */
  async run(signal: AbortSignal): Promise<void> {
    const { database, holder } = this.#options;
    if (database.kind === "sqlite") return await this.#watchAll(signal);
    await whileSole({ database, what: "watching", holder }, (ends) => this.#watchAll(ends), signal);
  }

  async #watchAll(signal: AbortSignal): Promise<void> {
    const git = this.#watchRepositories(signal);
    while (!signal.aborted) {
      try {
        await this.#watchIndexes(await this.#watched(), signal);
      } catch (thrown) {
        if (signal.aborted) break;
        this.#options.log.tell("watcher-failing", {
          watcher: "index",
          reason: reasonOf(thrown),
          failures: 1,
        });
        await sleep(AGAIN_MS, undefined, { signal }).catch(() => undefined);
      }
    }
    await git;
  }

  /** Until the list of names is another, or a better feed may be there. */
  async #watchIndexes(names: readonly string[], signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    const running: Promise<void>[] = [];
    let chooseAgainMs = Number.POSITIVE_INFINITY;
    if (names.length > 0) {
      const { indexes, transport } = await this.#options.upstreams();
      for (const upstream of indexes) {
        const client = new UpstreamClient(upstream, transport, this.#options.allow);
        const index = { client, contact: this.#options.contact };
        const key = `feed ${shownUrl(upstream.url)}`;
        const kept = await this.#keptFeed(key);
        const chosen = await chooseFeed(index, {
          now: Date.now(),
          signal: either,
          ...(kept === undefined ? {} : { kept }),
        });
        if (chosen.provisional) chooseAgainMs = Date.now() + HOUR_MS;
        await this.#keepFeed(key, chosen.feed.kind);
        const what = names.includes(EVERYTHING) ? "everything" : `${names.length} projects`;
        this.#options.log.tell("watching", {
          what: `${what} of ${shownUrl(upstream.url)}`,
          why: chosen.why.join("; "),
        });
        const watcher = watcherOf(chosen.feed, index, names, this.#options);
        running.push(this.#run(watcher, shownUrl(upstream.url), either));
      }
    }
    const before = names.join();
    while (!signal.aborted && Date.now() < chooseAgainMs) {
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
      const now = signal.aborted ? names : await this.#watched().catch(() => names);
      if (now.join() !== before) break;
    }
    stop.abort();
    await Promise.all(running);
  }

  async #watchRepositories(signal: AbortSignal): Promise<void> {
    const { repositories, gitDirectory: directory, allow } = this.#options;
    if (repositories.length === 0) return;
    const ca = await this.#options.authorities();
    const watcher = new GitReferencesWatcher({
      repositories,
      directory,
      allow,
      now: Date.now,
      ...(ca === undefined ? {} : { ca }),
    });
    this.#options.log.tell("watching", {
      what: `${repositories.length} repositories`,
      why: "configured",
    });
    await this.#run(watcher, `${repositories.length} repositories`, signal);
  }

  async #run(watcher: Watcher, source: string, signal: AbortSignal): Promise<void> {
    const { memory, log } = this.#options;
    await runWatcher(watcher, {
      memory,
      signal,
      onHealth: (health) => this.#note({ ...health, source }),
      onNote: (note) => log.tell("watcher-note", { watcher: watcher.name, note: lineOf(note) }),
      onEvents: (events) => {
        for (const event of events.slice(0, 20))
          log.tell("seen", { watcher: watcher.name, what: JSON.stringify(event) });
        this.#options.onEvents(events);
      },
    });
    this.#health.delete(watcher.name);
  }

  #note(health: WatchedHealth): void {
    const { log } = this.#options;
    const before = this.#health.get(health.watcher);
    this.#health.set(health.watcher, health);
    const { watcher, fault, consecutiveFailures: failures } = health;
    if (fault !== null && (before?.fault ?? null) === null)
      log.tell("watcher-failing", { watcher, reason: fault, failures });
    if (fault === null && (before?.fault ?? null) !== null)
      log.tell("watcher-recovered", { watcher });
  }

  async #watched(): Promise<readonly string[]> {
    const rows = await this.#options.database.read((db) =>
      db.selectFrom("watched").select("name").orderBy("name").execute(),
    );
    return rows.map(({ name }) => name);
  }

  async #keptFeed(key: string): Promise<Feed["kind"] | undefined> {
    const row = await this.#options.database.read((db) =>
      db.selectFrom("farm_setting").select("value").where("name", "=", key).executeTakeFirst(),
    );
    return (["changelog", "rss", "simple-pages"] as const).find((kind) => kind === row?.value);
  }

  async #keepFeed(key: string, value: Feed["kind"]): Promise<void> {
    await this.#options.database.write((within) =>
      within
        .insertInto("farm_setting")
        .values({ name: key, value })
        .onConflict((on) => on.column("name").doUpdateSet({ value }))
        .execute(),
    );
  }
}

function watcherOf(
  feed: Feed,
  index: WatchedIndex,
  names: readonly string[],
  { requestsPerSecond }: WatchingOptions,
): Watcher {
  const all = names.includes(EVERYTHING);
  const projects = names.filter((name) => name !== EVERYTHING);
  const rate = requestsPerSecond === undefined ? {} : { requestsPerSecond };
  const common = { ...index, now: Date.now };
  switch (feed.kind) {
    case "changelog": {
      const wanted = new Set(projects);
      return new ChangelogWatcher({
        ...common,
        url: feed.url,
        ...(all ? {} : { wants: (project: string) => wanted.has(project) }),
      });
    }
    case "rss":
      return new RssWatcher({
        ...common,
        ...rate,
        url: feed.url,
        projects,
        others: all ? "told" : "passed-over",
      });
    case "simple-pages":
      // Who has just been named is tested now, not with the next release alone.
      return new SimplePagesWatcher({ ...common, ...rate, projects, first: "newest" });
  }
}

function lineOf(note: WatchNote): string {
  return note.kind === "gap" || note.project === null
    ? `${note.kind}: ${note.reason}`
    : `${note.kind}: ${note.project}: ${note.reason}`;
}
