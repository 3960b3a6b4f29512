import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { CreameryError } from "../base/errors.ts";
import {
  FileStore,
  type FileReader,
  type StoredFile,
  type WantedFile,
} from "./files/file-store.ts";
import { GoneFiles } from "./past/gone-files.ts";
import { PageStore, type PageOptions } from "./page/page-store.ts";
import type { IndexFile, ProjectPage } from "./page/project-page.ts";
import { Provenances, provenanceUrl } from "./metadata/provenances.ts";
import { shownUrl } from "./upstream/secret.ts";
import { filesGoneSince, undoChanges } from "./past/undo-changes.ts";
import { IDLE_MS, UpstreamClient } from "./upstream/upstream-client.ts";
import type { Upstreams } from "./upstream/upstreams.ts";
import { saidName, WheelMetadatas } from "./metadata/wheel-metadatas.ts";

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

/** Pages and files of the upstream indexes, in their order: the first index that has a name serves it, whole. */
export class Mirror implements AsyncDisposable {
  readonly files: FileStore;
  readonly #indexes: readonly { readonly client: UpstreamClient; readonly pages: PageStore }[];
  /** Of wheels. */
  readonly metadata: WheelMetadatas;
  readonly #moved = new Set<string>();
  readonly #onReplaced: (line: string) => void;
  readonly #life = new AbortController();
  readonly #provenances: Provenances;
  readonly #gone: GoneFiles;
  /** An installer asks for a page and then for its files: what is gone is looked for once. */
  readonly #undonePages = new WeakMap<ProjectPage, Map<number, UndonePage>>();

  private constructor(options: MirrorOptions, files: FileStore) {
    this.files = files;
    this.metadata = new WheelMetadatas(metadataDirectory(options), {
      files,
      life: this.#life.signal,
      idleMs: options.idleMs ?? IDLE_MS,
      clientOf: (page) => this.clientOf(page),
      urlOf: (page, file) => this.#urlOf(page, file),
      whole: (page, file, signal) => this.whole(page, file, signal),
    });
    this.#gone = new GoneFiles(files);
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
    const farm = client.isFarm ? { client, urlOf } : null;
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

  /** What was attested of a file (PEP 740), as upstream has it; null where it has nothing. */
  async provenance(
    page: ProjectPage,
    file: IndexFile,
    signal: AbortSignal,
  ): Promise<Buffer | null> {
    const said = provenanceUrl(file);
    if (said === null) return null;
    const client = this.clientOf(page);
    const { isFarm } = client;
    const url = isFarm ? `${this.#urlOf(page, file)}.provenance` : said;
    // What one index says of a hash is nothing to another's.
    const key = createHash("sha256").update(saidName(page, file)).digest("hex");
    return this.#provenances.get({ key }, url, client, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.abort();
    await this.files.close();
    for (const { client } of this.#indexes) client.close();
  }
}

function metadataDirectory({ directory }: MirrorOptions): string {
  return join(directory, "metadata");
}
