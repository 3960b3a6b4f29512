import type {
  AttemptRecord,
  RecordedCrate,
  RecordedCrateIndex,
  RecordedFile,
  RecordedFault,
  RecordedLook,
  RecordedRequest,
} from "./attempt-record.ts";

const MAX_ROWS = 20_000;
const MAX_PATH_CHARS = 400;
/** Of all lines of crates: those of a hundred crates are a few million characters. */
const MAX_CRATE_CHARS = 32 << 20;

interface RepositoryRow {
  head: string | null;
  stale: boolean;
  readonly references: Map<string, string>;
  readonly commits: Set<string>;
}

/** Gathers a record, bounded: a guest can ask without end. */
export class RecordBuilder {
  readonly #head: Pick<
    AttemptRecord,
    "attemptId" | "openedAt" | "upstreams" | "before" | "replayed"
  >;
  readonly #requests: RecordedRequest[] = [];
  readonly #pages = new Map<string, AttemptRecord["pages"][number]>();
  readonly #missing = new Set<string>();
  readonly #files = new Map<string, RecordedFile>();
  readonly #looked = new Map<string, RecordedLook>();
  readonly #crates = new Map<string, RecordedCrate>();
  readonly #crateIndex = new Map<string, RecordedCrateIndex>();
  readonly #repositories = new Map<string, RepositoryRow>();
  /** Of all repositories. */
  #references = 0;
  #commits = 0;
  readonly #refused: { path: string; why: string }[] = [];
  readonly #replaced = new Map<string, AttemptRecord["replaced"][number]>();
  readonly #limits = new Set<"bytes" | "requests" | "names">();
  readonly #faults: RecordedFault[] = [];
  readonly #openedAtMs = performance.now();
  /** What is asked for now is asked for by the build of the release itself. */
  building = false;
  #bytes = 0;
  #crateChars = 0;
  #truncated = false;

  constructor(
    head: Pick<AttemptRecord, "attemptId" | "openedAt" | "upstreams" | "before" | "replayed">,
  ) {
    this.#head = head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Milliseconds since the endpoint was opened, by a clock that never goes back. */
  get nowMs(): number {
    return Math.round(performance.now() - this.#openedAtMs);
  }

  countBytes(bytes: number): void {
    this.#bytes += bytes;
  }

  request(row: RecordedRequest): void {
    this.#add(this.#requests, { ...row, path: row.path.slice(0, MAX_PATH_CHARS) });
  }

  page(row: AttemptRecord["pages"][number]): void {
    this.#set(this.#pages, row.project, row);
  }

  missing(name: string): void {
    if (this.#missing.size < MAX_ROWS) this.#missing.add(name);
    else this.#truncated = true;
  }

  file(row: RecordedFile): void {
    const key = `${row.sha256}/${row.filename}`;
    const forBuild = this.building || this.#files.get(key)?.forBuild === true;
    this.#set(this.#files, key, forBuild ? { ...row, forBuild } : row);
  }

  look(row: RecordedLook): void {
    this.#set(this.#looked, `${row.sha256}/${row.filename}`, row);
  }

  crate(row: RecordedCrate): void {
    this.#set(this.#crates, `${row.name} ${row.version}`, row);
  }

  /** What a crate's page said first is kept: an attempt that lasts long may see another. */
  crateIndex(row: RecordedCrateIndex): void {
    if (this.#crateIndex.has(row.name)) return;
    this.#crateChars += row.lines.reduce((sum, { length }) => sum + length, 0);
    if (this.#crateChars > MAX_CRATE_CHARS) this.#truncated = true;
    else this.#set(this.#crateIndex, row.name, row);
  }

  repository(row: {
    readonly url: string;
    readonly head: string | null;
    readonly references: readonly { readonly name: string; readonly hash: string }[];
    readonly stale: boolean;
  }): void {
    const known = this.#repositoryRow(row.url);
    if (known === null) return;
    known.head = row.head;
    known.stale ||= row.stale;
    for (const { name, hash } of row.references) {
      if (!known.references.has(name) && ++this.#references > MAX_ROWS) this.#truncated = true;
      else known.references.set(name, hash);
    }
  }

  /** What a repository handed out. */
  commits(url: string, hashes: readonly string[]): void {
    const known = this.#repositoryRow(url);
    if (known === null) return;
    for (const hash of hashes) {
      if (!known.commits.has(hash) && ++this.#commits > MAX_ROWS) this.#truncated = true;
      else known.commits.add(hash);
    }
  }

  #repositoryRow(url: string): RepositoryRow | null {
    const known = this.#repositories.get(url);
    if (known !== undefined) return known;
    const row: RepositoryRow = {
      head: null,
      stale: false,
      references: new Map(),
      commits: new Set(),
    };
    this.#set(this.#repositories, url, row);
    return this.#repositories.get(url) ?? null;
  }

  refuse(path: string, why: string): void {
    this.#add(this.#refused, { path: path.slice(0, MAX_PATH_CHARS), why });
  }

  replaced(row: AttemptRecord["replaced"][number]): void {
    this.#set(this.#replaced, `${row.project} ${row.filename} ${row.was}`, row);
  }

  limit(which: "bytes" | "requests" | "names"): void {
    this.#limits.add(which);
  }

  fault(code: string, line: string): void {
    this.#add(this.#faults, { atMs: this.nowMs, code, line });
  }

  build(): AttemptRecord {
    return {
      schema: 1,
      ...this.#head,
      requests: [...this.#requests],
      bytes: this.#bytes,
      pages: [...this.#pages.values()],
      missing: [...this.#missing],
      files: [...this.#files.values()],
      looked: [...this.#looked].flatMap(([key, row]) => (this.#files.has(key) ? [] : [row])),
      crates: [...this.#crates.values()],
      crateIndex: [...this.#crateIndex.values()],
      repositories: [...this.#repositories].map(([url, { head, references, commits, stale }]) => ({
        url,
        head,
        references: [...references].map(([name, hash]) => ({ name, hash })),
        commits: [...commits],
        stale,
      })),
      refused: [...this.#refused],
      limits: [...this.#limits],
      replaced: [...this.#replaced.values()],
      faults: [...this.#faults],
      truncated: this.#truncated,
    };
  }

  #add<Row>(rows: Row[], row: Row): void {
    if (rows.length < MAX_ROWS) rows.push(row);
    else this.#truncated = true;
  }

  #set<Row>(rows: Map<string, Row>, key: string, row: Row): void {
    if (rows.has(key) || rows.size < MAX_ROWS) rows.set(key, row);
    else this.#truncated = true;
  }
}
