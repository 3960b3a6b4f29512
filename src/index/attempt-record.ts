import { z } from "zod";

import type { StoredFile } from "./file-store.ts";
import type { IndexFile, ProjectPage } from "./project-page.ts";
import { shownUrl } from "./secret.ts";

/** What an attempt asked of its index and got: the raw record from which its lock is written and by which it is run again. */

export const RecordedFile = z.object({
  project: z.string(),
  filename: z.string(),
  sha256: z.string(),
  sizeBytes: z.number(),
  uploadTime: z.string().nullable(),
  requiresPython: z.string().nullable(),
  /** Upstream's address, without credentials and query. */
  url: z.string(),
  /** The index whose page listed it. */
  upstream: z.string(),
  /** Asked for while the release was built: by its build environment, whoever else has it from the installer's cache. */
  forBuild: z.boolean().optional(),
});
export type RecordedFile = z.infer<typeof RecordedFile>;

export function recordedFile(
  page: ProjectPage,
  file: IndexFile,
  stored: Pick<StoredFile, "sha256" | "sizeBytes">,
): RecordedFile {
  return {
    project: page.name,
    filename: file.filename,
    sha256: stored.sha256,
    sizeBytes: stored.sizeBytes,
    uploadTime: file.uploadTime,
    requiresPython: file.requiresPython,
    url: shownUrl(file.url),
    upstream: page.upstream,
  };
}

/** A wheel of which whoever resolved read the metadata, and that was not fetched. */
export const RecordedLook = RecordedFile.extend({ metadataSha256: z.string() });
export type RecordedLook = z.infer<typeof RecordedLook>;

export const RecordedCrate = z.object({
  name: z.string(),
  version: z.string(),
  sha256: z.string(),
  sizeBytes: z.number(),
  line: z.string(),
});
export type RecordedCrate = z.infer<typeof RecordedCrate>;

/** All versions of a crate, as the index had them: cargo resolves with them, whatever it fetches. */
export const RecordedCrateIndex = z.object({
  name: z.string(),
  lines: z.array(z.string()),
  stale: z.boolean(),
});
export type RecordedCrateIndex = z.infer<typeof RecordedCrateIndex>;

/** A source repository that was asked for. */
export const RecordedRepository = z.object({
  /** Normalised, https. */
  url: z.string(),
  /** The branch that a clone begins with. */
  head: z.string().nullable(),
  /** Branches and tags that were shown, each as it was last. */
  references: z.array(z.object({ name: z.string(), hash: z.string() })),
  /** What was handed out, by its hash: commits, and annotated tags. */
  commits: z.array(z.string()),
  /** Upstream could not be asked. */
  stale: z.boolean(),
});
export type RecordedRepository = z.infer<typeof RecordedRepository>;

export const RecordedRequest = z.object({
  /** Milliseconds since the endpoint was opened. */
  atMs: z.number(),
  method: z.string(),
  /** Without the token, bounded. */
  path: z.string(),
  status: z.number(),
  bytes: z.number(),
});
export type RecordedRequest = z.infer<typeof RecordedRequest>;

export const RecordedFault = z.object({
  /** Milliseconds since the endpoint was opened; older records did not say. */
  atMs: z.number().default(0),
  code: z.string(),
  line: z.string(),
});
export type RecordedFault = z.infer<typeof RecordedFault>;

export const AttemptRecord = z.object({
  schema: z.literal(1),
  attemptId: z.string(),
  openedAt: z.string(),
  /** Addresses of the upstream indexes, in order, without credentials. */
  upstreams: z.array(z.string()),
  /** Files uploaded at this instant or later were not offered. */
  before: z.string().nullable(),
  replayed: z.boolean(),
  requests: z.array(RecordedRequest),
  bytes: z.number(),
  pages: z.array(
    z.object({
      project: z.string(),
      sha256: z.string(),
      upstream: z.string(),
      stale: z.boolean(),
      lastSerial: z.number().nullable(),
      /** Files that were left out because the index does not say when they were uploaded; older records did not say. */
      undated: z.number().default(0),
    }),
  ),
  /** Names that no index has. */
  missing: z.array(z.string()),
  files: z.array(RecordedFile),
  /** Without those that were fetched after all; older records have none. */
  looked: z.array(RecordedLook).default([]),
  crates: z.array(RecordedCrate),
  /** What was looked up of crates, fetched or not; older records have none. */
  crateIndex: z.array(RecordedCrateIndex).default([]),
  /** Older records have none. */
  repositories: z.array(RecordedRepository).default([]),
  /** What was asked for and not allowed, with why. */
  refused: z.array(z.object({ path: z.string(), why: z.string() })),
  limits: z.array(z.enum(["bytes", "requests", "names"])),
  /** Files of pages asked for that had another sha256 when this mirror saw them before; older records did not say. */
  replaced: z
    .array(z.object({ project: z.string(), filename: z.string(), was: z.string(), is: z.string() }))
    .default([]),
  /** Faults of upstreams, a line each time. */
  faults: z.array(RecordedFault),
  /** More happened than is listed. */
  truncated: z.boolean(),
});
export type AttemptRecord = z.infer<typeof AttemptRecord>;

/** What upstreams did wrong, once for each: an installer asks again. */
export function faultLines({ faults }: Pick<AttemptRecord, "faults">): string[] {
  return [...new Set(faults.map(({ line }) => line))];
}

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
