import { join } from "node:path";

import { directoryNameOf } from "../upstream/upstreams.ts";
import { CreameryError } from "../../base/errors.ts";
import { within } from "../../base/within.ts";
import { MAX_FRESH_MS } from "./freshness.ts";
import { HistoryStore } from "../past/history-store.ts";
import { KeptPages } from "./kept-pages.ts";
import { Forbidden, PageAsker } from "./page-asker.ts";
import { HeldEntries, type PageEntry } from "./page-entry.ts";
import { formOf } from "./page-form.ts";
import type { PageHistory } from "../past/page-history.ts";
import type { ProjectPage } from "./project-page.ts";
import { replacedFiles, replacedLine } from "./replaced-files.ts";
import { shownUrl } from "../upstream/secret.ts";
import { IDLE_MS, type UpstreamClient } from "../upstream/upstream-client.ts";
import { vanishedPage } from "../past/vanished-page.ts";

/** After a failure, upstream is left in peace for so long where an old page can be served. */
const STALE_FRESH_MS = 30_000;

export interface PageOptions {
  /**
   * Upstream is asked whatever is kept: something is known to be there that the kept page does not have, as a release that a
   * watcher has just seen. At most once a second.
   */
  readonly anew?: boolean;
  /**
   * The page is wanted as it was at this instant: what is kept must have been seen then or later, and a project that is
   * gone since is told with what is known of it.
   */
  readonly at?: Date;
}

const ANEW_MS = 1000;
/** Of all parsed pages that are held, what changed in them included: about 1.5 kB each. */
const MAX_HELD_ROWS = 200_000;

/** Whether a page that was asked for before will do, and how it is asked for where it won't. */
interface Wanted {
  readonly isGood: (entry: PageEntry) => boolean;
  readonly noCache: boolean;
}

export interface PageStoreOptions {
  readonly now?: (() => number) | undefined;
  /** Without a byte for so long, upstream is given up. */
  readonly idleMs?: number | undefined;
  /** Files of all pages that are held in memory. */
  readonly maxHeldRows?: number | undefined;
  /** Told once of each file that a page lists with another hash than it had. */
  readonly onReplaced?: ((line: string) => void) | undefined;
}

/** Pages of one upstream index: kept compressed on disk as upstream sent them, parsed once, revalidated. */
export class PageStore {
  readonly #client: UpstreamClient;
  readonly #kept: KeptPages;
  readonly #histories: HistoryStore;
  readonly #now: () => number;
  readonly #onReplaced: (line: string) => void;
  readonly #asker: PageAsker;
  readonly #entries: HeldEntries;
  readonly #running = new Map<string, Promise<PageEntry>>();

  /** @param directory the index's own: pages and histories are kept below. */
  constructor(
    client: UpstreamClient,
    directory: string,
    {
      now = Date.now,
      idleMs = IDLE_MS,
      maxHeldRows = MAX_HELD_ROWS,
      onReplaced = () => undefined,
    }: PageStoreOptions = {},
  ) {
    this.#entries = new HeldEntries(maxHeldRows);
    this.#client = client;
    const own = directoryNameOf(client.upstream);
    this.#histories = new HistoryStore(join(directory, "history", own));
    this.#now = now;
    this.#onReplaced = (line) => onReplaced(`${shownUrl(client.upstream.url)}: ${line}`);
    const form = formOf(client.upstream);
    const kept = new KeptPages(join(directory, "pages", own), form);
    this.#kept = kept;
    this.#asker = new PageAsker({ client, form, kept, now, idleMs });
  }

  /**
   * A project's page, at most as old as upstream allows; one that is older when upstream can't be asked (`stale`).
   * @param name normalised.
   * @returns null when upstream has no such project.
   * @throws CreameryError `no-network`, `upstream` when nothing older is kept either, or upstream refuses to show it.
   */
  async page(
    name: string,
    signal: AbortSignal,
    { anew = false, at }: PageOptions = {},
  ): Promise<ProjectPage | null> {
    const known = this.#entries.get(name);
    const wanted = this.#wanted(anew, at);
    if (known !== undefined && wanted.isGood(known)) return this.#told(name, known, at);
    // One question for all who ask at once: its life is not that of the first who asked.
    const running = this.#running.get(name) ?? this.#run(name, known, wanted);
    const entry = await within(running, { signal });
    // Whoever had asked already may have been content with less.
    if (!wanted.noCache || wanted.isGood(entry)) return this.#told(name, entry, at);
    const fresh = this.#running.get(name) ?? this.#run(name, entry, wanted);
    return this.#told(name, await within(fresh, { signal }), at);
  }

  /** Of a project that is gone by now, what is known of it at that instant. */
  #told(
    name: string,
    { page, history, goneFrom }: PageEntry,
    at: Date | undefined,
  ): ProjectPage | null {
    if (page !== null || at === undefined || history === undefined) return page;
    return vanishedPage(name, history, at, goneFrom ?? shownUrl(this.#client.upstream.url));
  }

  #wanted(anew: boolean, at: Date | undefined): Wanted {
    const now = this.#now();
    const atMs = at?.getTime() ?? Number.NEGATIVE_INFINITY;
    // Of an instant that is to come nobody knows more than of now.
    const sinceMs = atMs > now ? Number.NEGATIVE_INFINITY : atMs;
    return {
      isGood: ({ checkedAtMs, freshMs }) =>
        checkedAtMs >= sinceMs &&
        this.#now() - checkedAtMs < (anew ? Math.min(freshMs, ANEW_MS) : freshMs),
      // What stands between may hold a page as long as that.
      noCache: anew || now - sinceMs < MAX_FRESH_MS,
    };
  }

  /** Whether upstream, which has no such project now, was seen to have it. To be asked after `page` said null. */
  had(name: string): boolean {
    const entry = this.#entries.get(name);
    const changes = entry?.page === null ? (entry.history?.changes ?? []) : [];
    return changes.some(({ kind }) => kind === "gone");
  }

  /** Projects of which a page is kept, in no order. */
  names(): Promise<string[]> {
    return this.#kept.names();
  }

  #run(name: string, known: PageEntry | undefined, wanted: Wanted): Promise<PageEntry> {
    const running = this.#refresh(name, known, wanted).finally(() => this.#running.delete(name));
    this.#running.set(name, running);
    return running;
  }

  async #refresh(name: string, known: PageEntry | undefined, wanted: Wanted): Promise<PageEntry> {
    const old = known ?? (await this.#load(name));
    if (old !== undefined && wanted.isGood(old)) return this.#remember(name, old);
    try {
      const asked = await this.#asker.ask(name, old, wanted.noCache);
      return this.#remember(name, await this.#noted(name, old, asked));
    } catch (thrown) {
      // Who may see it no more is shown no old one.
      if (thrown instanceof Forbidden || !(thrown instanceof CreameryError)) throw thrown;
      if (old?.page === undefined || old.page === null) throw thrown;
      // It is written no more while upstream is away, and in use all the same.
      await this.#kept.noteUse(name);
      return this.#remember(name, {
        ...old,
        page: { ...old.page, stale: true },
        checkedAtMs: this.#now(),
        freshMs: STALE_FRESH_MS,
      });
    }
  }

  async #load(name: string): Promise<PageEntry | undefined> {
    const found = await this.#kept.load(name);
    if (found === undefined) return undefined;
    const { fetchedAtMs: checkedAtMs, freshMs } = found.kept;
    const history = await this.#histories.read(name);
    return withHistory({ ...found, checkedAtMs, freshMs }, history, this.#client.isFarm);
  }

  /** With what changed since it was asked for before. */
  async #noted(name: string, old: PageEntry | undefined, entry: PageEntry): Promise<PageEntry> {
    const known = old === undefined ? await this.#histories.read(name) : old.history;
    const byMs = entry.checkedAtMs;
    const history = await this.#histories.note(name, known, [old?.page ?? null, entry.page], {
      afterMs: old?.kept.fetchedAtMs ?? byMs,
      byMs,
    });
    const noted = withHistory(entry, history, this.#client.isFarm);
    if (history !== known && noted.page !== null)
      for (const replaced of replacedFiles(noted.page))
        if (replaced.byMs === byMs) this.#onReplaced(replacedLine(replaced));
    return noted;
  }

  #remember(name: string, entry: PageEntry): PageEntry {
    this.#entries.hold(name, entry);
    return entry;
  }
}

/** What a farm tells with its page is more than what was seen from here. */
function withHistory(entry: PageEntry, own: PageHistory | undefined, isFarm: boolean): PageEntry {
  const { page } = entry;
  if (page === null) return { ...entry, history: isFarm ? (entry.history ?? own) : own };
  const history = isFarm ? (page.history ?? own) : own;
  return { ...entry, history: own, page: { ...page, history } };
}
