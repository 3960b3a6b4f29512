import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { CreameryError } from "../base/errors.ts";
import { within } from "../base/within.ts";
import { FileStore, type FileReader, type StoredFile, type WantedFile } from "./file-store.ts";
import { GoneFiles } from "./gone-files.ts";
import { isCoreMetadata, MetadataStore } from "./metadata-store.ts";
import { PageStore, type PageOptions } from "./page-store.ts";
import type { IndexFile, ProjectPage } from "./project-page.ts";
import { Provenances, provenanceUrl } from "./provenances.ts";
import { shownUrl } from "./secret.ts";
import { filesGoneSince, undoChanges } from "./undo-changes.ts";
import { IDLE_MS, readBody, UpstreamClient } from "./upstream-client.ts";
import type { Upstreams } from "./upstreams.ts";
import { metadataOfWheel, metadataOfWheelFile } from "./wheel-metadata.ts";

export interface MirrorOptions {
  /** The farm's own: pages, files and metadata are kept below. */
  readonly directory: string;
  readonly upstreams: Upstreams;
  /** `addresses.allow` of creamery.toml. */
  readonly allow?: readonly string[];
  readonly maxFileBytes?: number;
  readonly idleMs?: number;
  readonly deadlineMs?: number;
  readonly now?: () => number;
  /** Told once, where it is first seen, that a page lists a file with another hash than it had, or that a name went to a later index. */
  readonly onReplaced?: (line: string) => void;
}

interface UndonePage {
  readonly page: ProjectPage;
  readonly untilMs: number;
}

const UNDONE_MS = 10_000;
const MAX_INSTANTS = 8;

/** A file and the page that lists it, or did. */
export interface FoundFile {
  readonly page: ProjectPage;
  readonly file: IndexFile;
}

const MAX_MOVED = 10_000;
const TAIL_BYTES = 64 * 1024;
const METADATA_DEADLINE_MS = 60_000;
const MAX_METADATA_BYTES = 8 << 20;
/** What is larger is read from disk each time: a few thousand are held. */
const MAX_HELD_METADATA_BYTES = 64 * 1024;

/** Pages and files of the upstream indexes, in their order: the first index that has a name serves it, whole. */
export class Mirror implements AsyncDisposable {
  readonly files: FileStore;
  readonly #metadataStore: MetadataStore;
  readonly #indexes: readonly { readonly client: UpstreamClient; readonly pages: PageStore }[];
  readonly #idleMs: number;
  readonly #metadata = new Map<string, Promise<Buffer | null>>();
  /** Made from ranges: not yet compared with a verified wheel. */
  readonly #unverified = new Map<string, string>();
  readonly #moved = new Set<string>();
  readonly #onReplaced: (line: string) => void;
  readonly #life = new AbortController();
  readonly #provenances: Provenances;
  readonly #gone: GoneFiles;
  /** An installer asks for a page and then for its files: what is gone is looked for once. */
  readonly #undonePages = new WeakMap<ProjectPage, Map<number, UndonePage>>();

  private constructor(options: MirrorOptions, files: FileStore) {
    this.files = files;
    this.#metadataStore = new MetadataStore(metadataDirectory(options));
    this.#gone = new GoneFiles(files);
    this.#idleMs = options.idleMs ?? IDLE_MS;
    this.#onReplaced = options.onReplaced ?? (() => undefined);
    const provenances = join(options.directory, "provenance");
    this.#provenances = new Provenances(provenances, this.#life.signal);
    this.#indexes = options.upstreams.indexes.map((upstream) => {
      const client = new UpstreamClient(upstream, options.upstreams.transport, options.allow);
      return {
        client,
        pages: new PageStore(client, options.directory, options),
      };
    });
  }

  static async open(options: MirrorOptions): Promise<Mirror> {
    const { maxFileBytes, idleMs, deadlineMs } = options;
    const files = await FileStore.open({
      directory: join(options.directory, "files"),
      ...(maxFileBytes === undefined ? {} : { maxFileBytes }),
      ...(idleMs === undefined ? {} : { idleMs }),
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
    });
    await mkdir(metadataDirectory(options), { recursive: true });
    return new Mirror(options, files);
  }

  /** In order, without credentials. */
  get addresses(): readonly string[] {
    return this.#indexes.flatMap(
      ({ client: { upstream } }) => upstream.farm?.addresses ?? [shownUrl(upstream.url)],
    );
  }

  /**
   * @param name normalised.
   * @returns null when no index has it.
   * @throws CreameryError when an index can't be asked: a later one must not serve the name in its stead.
   */
  async page(
    name: string,
    signal: AbortSignal,
    options: PageOptions = {},
  ): Promise<ProjectPage | null> {
    const left: string[] = [];
    for (const { client, pages } of this.#indexes) {
      const page = await pages.page(name, signal, options);
      if (page === null) {
        if (pages.had(name)) left.push(shownUrl(client.upstream.url));
        continue;
      }
      this.#tellMoved(name, left, page);
      return options.at === undefined ? page : await this.#undone(page, options.at, signal);
    }
    return null;
  }

  /** A name that went from one index to a later one is served, and told: perhaps nobody meant it. */
  #tellMoved(name: string, left: readonly string[], { upstream }: ProjectPage): void {
    if (left.length === 0 || this.#moved.has(name)) return;
    if (this.#moved.size >= MAX_MOVED) this.#moved.clear();
    this.#moved.add(name);
    this.#onReplaced(
      `${name} was on ${left.join(", ")} and is not any more: it is ${upstream}'s now`,
    );
  }

  /** What is known of a project whether or not its index still has it; null where nothing ever changed in it. */
  pastPage(name: string, signal: AbortSignal): Promise<ProjectPage | null> {
    return this.page(name, signal, { at: new Date(0) });
  }

  /** A file that its index lists no more, and that is kept here. */
  async goneFile(
    name: string,
    matches: (file: IndexFile) => boolean,
    signal: AbortSignal,
  ): Promise<FoundFile | null> {
    for (const { pages } of this.#indexes) {
      const page = await pages.page(name, signal, { at: new Date(0) });
      if (page === null) continue;
      for (const change of page.history?.changes ?? [])
        if (change.kind === "gone" && matches(change.file))
          if ((await this.files.kept(change.file)) !== null) return { page, file: change.file };
      return null;
    }
    return null;
  }

  /** What is listed no more is there for as long as its bytes are. */
  async #undone(page: ProjectPage, at: Date, signal: AbortSignal): Promise<ProjectPage> {
    const known = this.#undonePages.get(page)?.get(at.getTime());
    if (known !== undefined && known.untilMs > performance.now()) return known.page;
    const client = this.clientOf(page);
    const urlOf = (file: IndexFile): string => this.#urlOf(page, file);
    const farm = client.upstream.farm === undefined ? null : { client, urlOf };
    const had = await this.#gone.had(filesGoneSince(page, at), farm, signal);
    const undone = undoChanges(page, at, had);
    if (undone === page) return page;
    const instants = this.#undonePages.get(page) ?? new Map<number, UndonePage>();
    if (instants.size >= MAX_INSTANTS) instants.clear();
    instants.set(at.getTime(), { page: undone, untilMs: performance.now() + UNDONE_MS });
    this.#undonePages.set(page, instants);
    return undone;
  }

  /** Projects of which a page is kept, sorted. */
  async heldNames(): Promise<readonly string[]> {
    const held = await Promise.all(this.#indexes.map(({ pages }) => pages.names()));
    return [...new Set(held.flat())].toSorted();
  }

  clientOf(page: ProjectPage): UpstreamClient {
    const index = this.#indexes.find(
      // A farm's pages are of its own indexes.
      ({ client: { upstream } }) =>
        upstream.farm !== undefined || shownUrl(upstream.url) === page.upstream,
    );
    if (index === undefined)
      throw new CreameryError("internal", "a page of no index of ours", { input: page.name });
    return index.client;
  }

  /** The file, whole, verified, on disk. */
  whole(page: ProjectPage, file: IndexFile, signal: AbortSignal): Promise<StoredFile> {
    return this.files.whole(this.#wanted(page, file), this.clientOf(page), signal);
  }

  follow(page: ProjectPage, file: IndexFile): FileReader {
    return this.files.follow(this.#wanted(page, file), this.clientOf(page));
  }

  /** From where a file is fetched: a page's own address of it, or the farm's. */
  #wanted(page: ProjectPage, file: IndexFile): WantedFile {
    return { ...file, url: this.#urlOf(page, file) };
  }

  #urlOf(page: ProjectPage, file: IndexFile): string {
    const { url, farm } = this.clientOf(page).upstream;
    if (farm === undefined) return file.url;
    return `${url}files/${page.name}/${file.key}/${encodeURIComponent(file.filename)}`;
  }

  /**
   * A wheel's core metadata (PEP 658): out of the wheel if it is here, from upstream if it serves it, else
   * by ranges of the wheel, else out of the whole wheel.
   * @returns null when the wheel has none that can be read.
   */
  metadata(page: ProjectPage, file: IndexFile, signal: AbortSignal): Promise<Buffer | null> {
    const name = saidName(page, file);
    let running = this.#metadata.get(name);
    if (running === undefined) {
      if (this.#metadata.size > 2000) this.#metadata.clear();
      // Shared by all who ask at once: it ends with the mirror, not with the first of them.
      running = this.#makeMetadata(page, file, this.#life.signal);
      this.#metadata.set(name, running);
      const made = running;
      const forget = (): void => {
        if (this.#metadata.get(name) === made) this.#metadata.delete(name);
      };
      made.then((content) => {
        if ((content?.length ?? 0) > MAX_HELD_METADATA_BYTES) forget();
      }, forget);
    }
    return within(running, { signal });
  }

  /** A wheel's metadata as far as it is kept on this host, upstream unasked; null where it is not. */
  async keptMetadata(page: ProjectPage, file: IndexFile): Promise<Buffer | null> {
    const ofWheel = await this.#metadataStore.readOfWheel(file);
    if (ofWheel !== null) return ofWheel;
    const stored = await this.files.kept(file);
    if (stored !== null) return await this.#ofWheel(file, stored);
    return await this.#metadataStore.readSaid(page, file);
  }

  /** What was attested of a file (PEP 740), as upstream has it; null where it has nothing. */
  async provenance(
    page: ProjectPage,
    file: IndexFile,
    signal: AbortSignal,
  ): Promise<Buffer | null> {
    const said = provenanceUrl(file);
    if (said === null) return null;
    const client = this.clientOf(page);
    const isFarm = client.upstream.farm !== undefined;
    const url = isFarm ? `${this.#urlOf(page, file)}.provenance` : said;
    // What one index says of a hash is nothing to another's.
    const key = createHash("sha256").update(saidName(page, file)).digest("hex");
    return this.#provenances.get({ key }, url, client, signal);
  }

  /**
   * To be called when a wheel has come whole: what was said of it before must be in it.
   * @throws CreameryError `upstream-hash` when its metadata is another than was served.
   */
  async confirmMetadata(page: ProjectPage, file: IndexFile, stored: StoredFile): Promise<void> {
    const name = saidName(page, file);
    const kept = await this.#metadataStore.readSaid(page, file);
    const said = this.#unverified.get(name) ?? (kept === null ? undefined : sha256(kept));
    if (said === undefined) return;
    this.#unverified.delete(name);
    await this.#metadataStore.forgetSaid(page, file);
    const real = await metadataOfWheelFile(stored.path);
    if (real !== null) await this.#metadataStore.keepOfWheel(file, real);
    if (real !== null && sha256(real) === said) return;
    this.#metadata.delete(name);
    throw new CreameryError(
      "upstream-hash",
      "the index sent other metadata than the verified wheel holds",
      { input: file.filename },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.abort();
    await this.files.close();
    for (const { client } of this.#indexes) client.close();
  }

  async #makeMetadata(
    page: ProjectPage,
    file: IndexFile,
    signal: AbortSignal,
  ): Promise<Buffer | null> {
    const said = file.upstreamMetadata?.sha256 ?? null;
    // A kept one that upstream's page contradicts is made anew.
    const isGood = (kept: Buffer | null): kept is Buffer =>
      kept !== null && (said === null || sha256(kept) === said);
    const ofWheel = await this.#metadataStore.readOfWheel(file);
    if (isGood(ofWheel)) return ofWheel;
    const stored = await this.files.kept(file);
    if (stored !== null) return await this.#ofWheel(file, stored);
    const before = await this.#metadataStore.readSaid(page, file);
    if (isGood(before)) return before;
    const isFarm = this.clientOf(page).upstream.farm !== undefined;
    let made = await this.#fromUpstream(page, file, signal);
    // A farm makes it itself, by whichever way it can be had.
    if (made === null && !isFarm) made = await this.#fromRanges(page, file, signal);
    if (made !== null) {
      await this.#metadataStore.keepSaid(page, file, made);
      return made;
    }
    if (isFarm || !file.filename.endsWith(".whl")) return null;
    return await this.#ofWheel(file, await this.whole(page, file, signal));
  }

  async #ofWheel(file: IndexFile, stored: StoredFile): Promise<Buffer | null> {
    const made = await metadataOfWheelFile(stored.path);
    if (made !== null) await this.#metadataStore.keepOfWheel(file, made);
    return made;
  }

  async #fromUpstream(
    page: ProjectPage,
    file: IndexFile,
    signal: AbortSignal,
  ): Promise<Buffer | null> {
    const client = this.clientOf(page);
    const isFarm = client.upstream.farm !== undefined;
    if (file.upstreamMetadata === null && !isFarm) return null;
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(METADATA_DEADLINE_MS)]);
    using response = await client.request({
      url: `${this.#urlOf(page, file)}.metadata`,
      signal: bounded,
      idleMs: this.#idleMs,
    });
    const told = response.status === 200 ? null : await client.told(response);
    if (told !== null && response.status !== 404) throw told;
    if (response.status !== 200) return null;
    const content = await readBody(response, MAX_METADATA_BYTES);
    const said = file.upstreamMetadata?.sha256 ?? null;
    if (said !== null && sha256(content) !== said) {
      throw new CreameryError(
        "upstream-hash",
        "the index sent metadata with another sha256 than its page says",
        { input: `${file.filename}.metadata` },
      );
    }
    // Said of a wheel by whatever stands between, or of another kind: the wheel itself is still to be had.
    if (!isCoreMetadata(content)) return null;
    if (said === null) this.#unverified.set(saidName(page, file), sha256(content));
    return content;
  }

  async #fromRanges(
    page: ProjectPage,
    file: IndexFile,
    signal: AbortSignal,
  ): Promise<Buffer | null> {
    if (!file.filename.endsWith(".whl")) return null;
    const client = this.clientOf(page);
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(METADATA_DEADLINE_MS)]);
    const ask = async (
      range: string,
      maxBytes: number,
    ): Promise<{ readonly bytes: Buffer; readonly total: number } | null> => {
      using response = await client.request({
        url: file.url,
        signal: bounded,
        idleMs: this.#idleMs,
        headers: { range: `bytes=${range}`, "accept-encoding": "identity" },
      });
      const total = /^bytes \d+-\d+\/(\d+)$/u.exec(response.headers["content-range"] ?? "")?.[1];
      if (response.status !== 206 || total === undefined) return null;
      return { bytes: await readBody(response, maxBytes), total: Number(total) };
    };
    try {
      const tail = await ask(`-${TAIL_BYTES}`, TAIL_BYTES);
      if (tail === null) return null;
      const made = await metadataOfWheel(
        tail.total,
        async (start, end) => {
          const from = tail.total - tail.bytes.length;
          if (start >= from) return tail.bytes.subarray(start - from, end - from);
          return (await ask(`${start}-${end - 1}`, end - start))?.bytes ?? Buffer.alloc(0);
        },
        tail.bytes,
      );
      if (made !== null) this.#unverified.set(saidName(page, file), sha256(made));
      return made;
    } catch (thrown) {
      signal.throwIfAborted();
      // The whole wheel is still to be had, perhaps: its own download says what is wrong.
      if (thrown instanceof CreameryError || thrown instanceof RangeError) return null;
      throw thrown;
    }
  }
}

function metadataDirectory({ directory }: MirrorOptions): string {
  return join(directory, "metadata");
}

/** Two indexes may say different things of one hash. */
function saidName(page: ProjectPage, { key }: IndexFile): string {
  return `${page.upstream} ${key}`;
}

function sha256(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
