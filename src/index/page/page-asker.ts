import { createHash } from "node:crypto";

import { CreameryError } from "../../base/errors.ts";
import { shownUrl } from "../upstream/secret.ts";
import {
  readBody,
  type UpstreamClient,
  type UpstreamResponse,
} from "../upstream/upstream-client.ts";
import { FARM_PAGE_TYPE, parseFarmPage } from "./farm-page.ts";
import { freshness, isStale } from "./freshness.ts";
import { MAX_PAGE_BYTES, type KeptPage, type KeptPages } from "./kept-pages.ts";
import type { PageEntry } from "./page-entry.ts";
import type { PageForm } from "./page-form.ts";

const PAGE_DEADLINE_MS = 60_000;
const RETRIES = 2;
const NOT_FOUND_FRESH_MS = 60_000;

/** Upstream shows this page to nobody, or not to us. */
export class Forbidden extends CreameryError {}

export interface PageAskerOptions {
  readonly client: UpstreamClient;
  readonly form: PageForm;
  /** Where what comes is written. */
  readonly kept: KeptPages;
  readonly now: () => number;
  /** Without a byte for so long, upstream is given up. */
  readonly idleMs: number;
}

/** Asks one upstream index for pages, anew or whether they have changed, and keeps what it says. */
export class PageAsker {
  readonly #client: UpstreamClient;
  readonly #form: PageForm;
  readonly #kept: KeptPages;
  readonly #now: () => number;
  readonly #idleMs: number;

  constructor({ client, form, kept, now, idleMs }: PageAskerOptions) {
    this.#client = client;
    this.#form = form;
    this.#kept = kept;
    this.#now = now;
    this.#idleMs = idleMs;
  }

  /**
   * @param old what is known of it. @param noCache what stands between is to ask, too.
   * @throws CreameryError `no-network`, `upstream`; `Forbidden` where it may not be shown, an older one neither.
   */
  async ask(name: string, old: PageEntry | undefined, noCache: boolean): Promise<PageEntry> {
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
    const stale = this.#client.isFarm && isStale(header("warning"));
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
  ): Promise<Pick<PageEntry, "history" | "goneFrom">> {
    if (!this.#client.isFarm || contentType !== FARM_PAGE_TYPE) return {};
    const page = parseFarmPage(await readBody(response, MAX_PAGE_BYTES), name);
    return page === null ? {} : { history: page.history, goneFrom: page.upstream };
  }
}
