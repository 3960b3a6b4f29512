import { createHash } from "node:crypto";
import { join } from "node:path";

import { directoryNameOf } from "../upstream/upstreams.ts";
import { CreameryError } from "../../base/errors.ts";
import { within } from "../../base/within.ts";
import { FARM_PAGE_TYPE, parseFarmPage } from "./farm-page.ts";
import { freshness, isStale, MAX_FRESH_MS } from "./freshness.ts";
import { HistoryStore } from "../past/history-store.ts";
import { KeptPages, MAX_PAGE_BYTES, type KeptPage } from "./kept-pages.ts";
import { formOf, type PageForm } from "./page-form.ts";
import type { PageHistory } from "../past/page-history.ts";
import type { ProjectPage } from "./project-page.ts";
import { replacedFiles, replacedLine } from "./replaced-files.ts";
import { shownUrl } from "../upstream/secret.ts";
import {
  IDLE_MS,
  readBody,
  type UpstreamClient,
  type UpstreamResponse,
} from "../upstream/upstream-client.ts";
import { vanishedPage } from "../past/vanished-page.ts";

const PAGE_DEADLINE_MS = 60_000;
const RETRIES = 2;
const NOT_FOUND_FRESH_MS = 60_000;
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
const MAX_HELD = 500;

interface Entry {
  readonly kept: KeptPage;
  /** Null: upstream has no such project. */
  readonly page: ProjectPage | null;
  readonly checkedAtMs: number;
  readonly freshMs: number;
  /** What was seen to change in it. */
  readonly history?: PageHistory | undefined;
  /** Of a farm that has the project no more: the index that had it. */
  readonly goneFrom?: string | undefined;
}

/** Whether a page that was asked for before will do, and how it is asked for where it won't. */
interface Wanted {
  readonly isGood: (entry: Entry) => boolean;
  readonly noCache: boolean;
}

class Forbidden extends CreameryError {}

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
  readonly #idleMs: number;
  readonly #onReplaced: (line: string) => void;
  readonly #form: PageForm;
  readonly #entries = new Map<string, Entry>();
  readonly #running = new Map<string, Promise<Entry>>();
  readonly #maxHeldRows: number;
  #heldRows = 0;

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
    this.#maxHeldRows = maxHeldRows;
    this.#client = client;
    const own = directoryNameOf(client.upstream);
    this.#histories = new HistoryStore(join(directory, "history", own));
    this.#now = now;
    this.#idleMs = idleMs;
    this.#onReplaced = (line) => onReplaced(`${shownUrl(client.upstream.url)}: ${line}`);
    this.#form = formOf(client.upstream);
    this.#kept = new KeptPages(join(directory, "pages", own), this.#form);
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
    { page, history, goneFrom }: Entry,
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

  #run(name: string, known: Entry | undefined, wanted: Wanted): Promise<Entry> {
    const running = this.#refresh(name, known, wanted).finally(() => this.#running.delete(name));
    this.#running.set(name, running);
    return running;
  }

  async #refresh(name: string, known: Entry | undefined, wanted: Wanted): Promise<Entry> {
    const old = known ?? (await this.#load(name));
    if (old !== undefined && wanted.isGood(old)) return this.#remember(name, old);
    try {
      const asked = await this.#ask(name, old, wanted.noCache);
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

  async #load(name: string): Promise<Entry | undefined> {
    const found = await this.#kept.load(name);
    if (found === undefined) return undefined;
    const { fetchedAtMs: checkedAtMs, freshMs } = found.kept;
    const history = await this.#histories.read(name);
    return withHistory({ ...found, checkedAtMs, freshMs }, history, this.#isFarm);
  }

  get #isFarm(): boolean {
    return this.#client.upstream.farm !== undefined;
  }

  /** With what changed since it was asked for before. */
  async #noted(name: string, old: Entry | undefined, entry: Entry): Promise<Entry> {
    const known = old === undefined ? await this.#histories.read(name) : old.history;
    const byMs = entry.checkedAtMs;
    const history = await this.#histories.note(name, known, [old?.page ?? null, entry.page], {
      afterMs: old?.kept.fetchedAtMs ?? byMs,
      byMs,
    });
    const noted = withHistory(entry, history, this.#isFarm);
    if (history !== known && noted.page !== null)
      for (const replaced of replacedFiles(noted.page))
        if (replaced.byMs === byMs) this.#onReplaced(replacedLine(replaced));
    return noted;
  }

  #remember(name: string, entry: Entry): Entry {
    this.#forget(name);
    this.#entries.set(name, entry);
    this.#heldRows += rowsOf(entry);
    // Parsed pages are large: who asks for all of the largest must not fill our memory with them.
    for (const oldest of this.#entries.keys()) {
      const isFew = this.#entries.size <= MAX_HELD && this.#heldRows <= this.#maxHeldRows;
      if (isFew || this.#entries.size === 1) break;
      this.#forget(oldest);
    }
    return entry;
  }

  #forget(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#entries.delete(name);
    this.#heldRows -= rowsOf(entry);
  }

  async #ask(name: string, old: Entry | undefined, noCache: boolean): Promise<Entry> {
    const url = `${this.#client.upstream.url}${this.#form.path(name)}`;
    // What we hold no page of is asked for whole.
    const { etag, lastModified } =
      old === undefined || old.page === null ? { etag: null, lastModified: null } : old.kept;
    using response = await this.#client.request({
      url,
      signal: AbortSignal.timeout(PAGE_DEADLINE_MS),
      idleMs: this.#idleMs,
      retries: RETRIES,
      headers: {
        accept: this.#form.accept,
        "accept-encoding": "gzip",
        ...(noCache ? { "cache-control": "no-cache" } : {}),
        ...(etag === null ? {} : { "if-none-match": etag }),
        ...(lastModified === null ? {} : { "if-modified-since": lastModified }),
      },
    });
    const now = this.#now();
    const header = (key: string): string | null => {
      const value = response.headers[key];
      return typeof value === "string" ? value : null;
    };
    // A farm whose index is away says so: what it sends then is not to be taken for fresh.
    const stale = this.#isFarm && isStale(header("warning"));
    const freshMs = stale ? 0 : freshness(header("cache-control"));
    const isAsked = etag !== null || lastModified !== null;
    if (response.status === 304 && isAsked && old !== undefined && old.page !== null) {
      // RFC 9111: what a 304 does not say is as it was said with the page.
      const told = header("cache-control") === null && !stale ? old.kept.freshMs : freshMs;
      const kept = { ...old.kept, fetchedAtMs: now, freshMs: told };
      await this.#kept.save(name, kept, null);
      return { kept, page: { ...old.page, stale }, checkedAtMs: now, freshMs: told };
    }
    const told = response.status === 200 ? null : await this.#client.told(response);
    if (told?.code === "farm-refused") throw new Forbidden(told.code, told.message, told);
    if (told !== null && response.status !== 404) throw told;
    const said: Omit<KeptPage, "bodySha256"> = {
      url: shownUrl(response.url),
      contentType: header("content-type") ?? "text/html",
      etag: header("etag"),
      lastModified: header("last-modified"),
      fetchedAtMs: now,
      freshMs,
    };
    if (response.status === 404 || response.status === 410)
      return {
        kept: { ...said, bodySha256: "" },
        page: null,
        checkedAtMs: now,
        freshMs: NOT_FOUND_FRESH_MS,
        ...(await this.#toldGone(name, response, said.contentType)),
      };
    const input = shownUrl(url);
    if (response.status === 401 || response.status === 403) {
      throw new Forbidden("upstream", `refuses with ${response.status}`, {
        input,
        nextStep: "check the credentials in pip's configuration or in ~/.netrc",
      });
    }
    if (response.status !== 200)
      throw new CreameryError("upstream", `answers ${response.status}`, {
        input,
        nextStep: "try again later; the index is at fault",
      });
    const body = await readBody(response, MAX_PAGE_BYTES);
    const kept: KeptPage = {
      ...said,
      bodySha256: createHash("sha256").update(body).digest("hex"),
    };
    // Unchanged in substance where upstream knows no ETag: what was parsed stays.
    if (old !== undefined && old.page !== null && kept.bodySha256 === old.kept.bodySha256) {
      // It is read again as it was read, whatever it is called now.
      const same = { ...kept, contentType: old.kept.contentType };
      await this.#kept.save(name, same, null);
      return { kept: same, page: { ...old.page, stale }, checkedAtMs: now, freshMs };
    }
    const page = this.#form.parse(body, kept.contentType, response.url, name);
    if (page === null)
      throw new CreameryError("upstream", "answers with what is no project's page", {
        input,
        nextStep: "check that the index's address is right, and try again",
      });
    await this.#kept.save(name, kept, body);
    return { kept, page: { ...page, stale }, checkedAtMs: now, freshMs };
  }

  /** A farm tells of a project that is gone what was on its page. */
  async #toldGone(
    name: string,
    response: UpstreamResponse,
    contentType: string,
  ): Promise<Pick<Entry, "history" | "goneFrom">> {
    if (!this.#isFarm || contentType !== FARM_PAGE_TYPE) return {};
    const page = parseFarmPage(await readBody(response, MAX_PAGE_BYTES), name);
    return page === null ? {} : { history: page.history, goneFrom: page.upstream };
  }
}

function rowsOf({ page, history }: Entry): number {
  return 1 + (page?.files.length ?? 0) + (history?.changes.length ?? 0);
}

/** What a farm tells with its page is more than what was seen from here. */
function withHistory(entry: Entry, own: PageHistory | undefined, isFarm: boolean): Entry {
  const { page } = entry;
  if (page === null) return { ...entry, history: isFarm ? (entry.history ?? own) : own };
  const history = isFarm ? (page.history ?? own) : own;
  return { ...entry, history: own, page: { ...page, history } };
}
