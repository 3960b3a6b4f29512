import { mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

import { directoryNameOf } from "../upstream/upstreams.ts";
import { CreameryError } from "../../base/errors.ts";
import { noteUse } from "../cache/note-use.ts";
import { freshness, isStale, MAX_FRESH_MS } from "../page/freshness.ts";
import { replaceFile } from "../files/replace-file.ts";
import { shownUrl } from "../upstream/secret.ts";
import {
  readBody,
  type UpstreamClient,
  type UpstreamResponse,
} from "../upstream/upstream-client.ts";

/** What an upstream said of a path of its sparse index. */
export interface CrateDocument {
  /** Null where it has none: 404, 410 and 451 all mean that (The Cargo Book, Index Protocols). */
  readonly body: Buffer | null;
  /** Upstream could not be asked just now: this is what it said before. */
  readonly stale: boolean;
}

interface Known extends CrateDocument {
  readonly etag: string | null;
  readonly lastModified: string | null;
  readonly untilMs: number;
}

/** The first line of what is kept on disk; before there was one, a document lay there alone. */
const Head = z.strictObject({
  creamery: z.literal(2),
  etag: z.string().nullable(),
  lastModified: z.string().nullable(),
  untilMs: z.number(),
});

const MAX_DOCUMENT_BYTES = 32 << 20;
/** Of all that is held in memory; the rest is read from disk when it is asked for. */
const MAX_HELD_BYTES = 64 << 20;
const MAX_HELD = 4096;
const RETRIES = 2;
const DEADLINE_MS = 60_000;
/** Installers of crates ask for a hundred at a time. */
const LEAST_FRESH_MS = 60_000;
/** After a failure, upstream is left in peace for so long where an old one can be served. */
const STALE_FRESH_MS = 30_000;

class Forbidden extends CreameryError {}

/** Documents of one sparse index (RFC 2789), asked for once by all who ask, revalidated, kept on disk. */
export class CrateDocuments {
  readonly #client: UpstreamClient;
  readonly #directory: string;
  readonly #now: () => number;
  readonly #isDocument: (path: string, text: string) => boolean;
  /** The one that was used last is the last. */
  readonly #known = new Map<string, Known>();
  readonly #running = new Map<string, Promise<Known>>();
  #heldBytes = 0;

  /**
   * @param directory for this upstream and others: each has its own below.
   * @param isDocument whether a text can be what lies at a path; what can't is neither served nor kept.
   */
  constructor(
    client: UpstreamClient,
    directory: string,
    isDocument: (path: string, text: string) => boolean,
    now: () => number = Date.now,
  ) {
    this.#client = client;
    this.#isDocument = isDocument;
    this.#now = now;
    this.#directory = join(directory, directoryNameOf(client.upstream));
  }

  /**
   * @param path of parts that are names of crates, or `config.json`.
   * @throws CreameryError `no-network`, `upstream` when nothing older is kept, or upstream refuses to show it.
   */
  async document(path: string): Promise<CrateDocument> {
    const known = this.#known.get(path);
    if (known !== undefined && this.#isFresh(known)) return this.#hold(path, known);
    // One question for all who ask at once.
    let running = this.#running.get(path);
    if (running === undefined) {
      running = this.#refresh(path, known).finally(() => this.#running.delete(path));
      this.#running.set(path, running);
    }
    return await running;
  }

  #isFresh({ untilMs }: Known): boolean {
    const leftMs = untilMs - this.#now();
    // A clock that was set back makes nothing fresh for longer.
    return leftMs > 0 && leftMs <= MAX_FRESH_MS;
  }

  async #refresh(path: string, held: Known | undefined): Promise<Known> {
    const old = held ?? (await this.#load(path));
    if (old !== undefined && this.#isFresh(old)) return this.#hold(path, old);
    try {
      const asked = await this.#ask(path, old);
      if (asked.body !== null) await this.#save(path, asked);
      return this.#hold(path, asked);
    } catch (thrown) {
      // Who may see it no more is shown no old one.
      if (thrown instanceof Forbidden || !(thrown instanceof CreameryError)) throw thrown;
      if (old === undefined || old.body === null) throw thrown;
      return this.#hold(path, { ...old, stale: true, untilMs: this.#now() + STALE_FRESH_MS });
    }
  }

  async #ask(path: string, old: Known | undefined): Promise<Known> {
    const url = `${this.#client.upstream.url}${path}`;
    const { etag, lastModified } =
      old === undefined || old.body === null ? { etag: null, lastModified: null } : old;
    using response = await this.#client.request({
      url,
      signal: AbortSignal.timeout(DEADLINE_MS),
      retries: RETRIES,
      headers: {
        "accept-encoding": "gzip",
        ...(etag === null ? {} : { "if-none-match": etag }),
        ...(etag !== null || lastModified === null ? {} : { "if-modified-since": lastModified }),
      },
    });
    // A farm whose index is away says so: what it sends then is not to be taken for fresh.
    const stale = this.#client.isFarm && isStale(header(response, "warning"));
    const freshMs = Math.max(freshness(header(response, "cache-control")), LEAST_FRESH_MS);
    const untilMs = this.#now() + (stale ? STALE_FRESH_MS : freshMs);
    if (response.status === 304 && old !== undefined) return { ...old, stale, untilMs };
    if ([404, 410, 451].includes(response.status))
      return {
        body: null,
        etag: null,
        lastModified: null,
        stale: false,
        untilMs: this.#now() + LEAST_FRESH_MS,
      };
    await this.#assertShown(response, url);
    const body = await readBody(response, MAX_DOCUMENT_BYTES);
    // What is sent in its place, to log in or to say sorry.
    if (!this.#isDocument(path, body.toString("utf8")))
      throw new CreameryError("upstream", "answers with what is no part of an index of crates", {
        input: shownUrl(url),
        nextStep: "check that the index's address is right, and try again",
      });
    return {
      body,
      etag: header(response, "etag"),
      lastModified: header(response, "last-modified"),
      stale,
      untilMs,
    };
  }

  async #assertShown(response: UpstreamResponse, url: string): Promise<void> {
    const { status } = response;
    if (status === 200) return;
    const told = await this.#client.told(response);
    if (told?.code === "farm-refused") throw new Forbidden(told.code, told.message, told);
    if (told !== null) throw told;
    const input = shownUrl(url);
    if (status === 401 || status === 403)
      throw new Forbidden("upstream", `refuses with ${status}`, {
        input,
        nextStep:
          "tokens of registries are not used: name an index that needs none, or user and password, as upstreams.crates in creamery.toml",
      });
    throw new CreameryError("upstream", `answers ${status}`, {
      input,
      nextStep: "try again later; the index of crates is at fault",
    });
  }

  #hold(path: string, known: Known): Known {
    const before = this.#known.get(path);
    if (before !== undefined) this.#drop(path, before);
    this.#known.set(path, known);
    this.#heldBytes += known.body?.length ?? 0;
    for (const [oldest, held] of this.#known) {
      if (this.#heldBytes <= MAX_HELD_BYTES && this.#known.size <= MAX_HELD) break;
      this.#drop(oldest, held);
    }
    return known;
  }

  #drop(path: string, { body }: Known): void {
    this.#known.delete(path);
    this.#heldBytes -= body?.length ?? 0;
  }

  #path(path: string): string {
    return join(this.#directory, path.replaceAll("/", "_"));
  }

  async #load(path: string): Promise<Known | undefined> {
    try {
      const place = this.#path(path);
      await noteUse(place, await stat(place));
      const content = await readFile(place);
      const end = content.indexOf("\n");
      const head = Head.safeParse(JSON.parse(content.subarray(0, Math.max(0, end)).toString()));
      return head.success
        ? { ...head.data, body: content.subarray(end + 1), stale: false }
        : { body: content, etag: null, lastModified: null, untilMs: 0, stale: false };
    } catch {
      // Never kept, or what lies there is no document: asked for.
      return undefined;
    }
  }

  /** A full disk is no reason not to answer. */
  async #save(path: string, { body, etag, lastModified, untilMs }: Known): Promise<void> {
    const head: z.infer<typeof Head> = { creamery: 2, etag, lastModified, untilMs };
    await mkdir(this.#directory, { recursive: true })
      .then(() =>
        replaceFile(
          this.#path(path),
          Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body ?? Buffer.alloc(0)]),
        ),
      )
      .catch(() => undefined);
  }
}

function header({ headers }: UpstreamResponse, key: string): string | null {
  const value = headers[key];
  return typeof value === "string" ? value : null;
}
