import { createHash } from "node:crypto";

import type { AttemptRecord, RecordedFile, RecordedLook } from "./attempt-record.ts";
import type { WheelMetadatas } from "../metadata/wheel-metadatas.ts";
import type { IndexFile, ProjectPage } from "../page/project-page.ts";

/**
 * Pages as a replay has them: of each project the files that were fetched, and those of which whoever resolved read the
 * metadata, as far as that is kept. He comes to the same then, also where that was that nothing can be installed.
 */
export class RecordedPages {
  readonly #metadata: Pick<WheelMetadatas, "kept">;
  readonly #files: ReadonlyMap<string, readonly RecordedFile[]>;
  readonly #looked: ReadonlyMap<string, readonly RecordedLook[]>;
  /** By project, the index whose page was asked for. */
  readonly #upstreams: ReadonlyMap<string, string>;
  readonly #fetched: ReadonlySet<string>;
  readonly #pages = new Map<string, Promise<ProjectPage | null>>();

  constructor({ files, looked, pages }: AttemptRecord, metadata: Pick<WheelMetadatas, "kept">) {
    this.#metadata = metadata;
    this.#files = Map.groupBy(files, ({ project }) => project);
    this.#looked = Map.groupBy(looked, ({ project }) => project);
    this.#upstreams = new Map([
      ...pages.map(({ project, upstream }) => [project, upstream] as const),
      ...files.map(({ project, upstream }) => [project, upstream] as const),
    ]);
    this.#fetched = new Set(files.map(({ sha256 }) => sha256));
  }

  wasFetched({ sha256 }: Pick<IndexFile, "sha256">): boolean {
    return sha256 !== null && this.#fetched.has(sha256);
  }

  /** Null for a project that was not asked for, or that no index had. */
  page(name: string): Promise<ProjectPage | null> {
    let page = this.#pages.get(name);
    if (page === undefined) {
      const upstream = this.#upstreams.get(name);
      page = upstream === undefined ? Promise.resolve(null) : this.#make(name, upstream);
      if (upstream !== undefined) this.#pages.set(name, page);
    }
    return page;
  }

  async #make(name: string, upstream: string): Promise<ProjectPage> {
    const files = (this.#files.get(name) ?? []).map(recordedIndexFile);
    for (const look of this.#looked.get(name) ?? []) {
      const file = recordedIndexFile(look);
      const kept = await this.#metadata.kept(pageOf(name, upstream, []), file);
      if (kept !== null && sha256Of(kept) === look.metadataSha256) files.push(file);
    }
    return pageOf(name, upstream, files);
  }
}

function pageOf(name: string, upstream: string, files: readonly IndexFile[]): ProjectPage {
  return {
    name,
    versions: [],
    status: "active",
    lastSerial: null,
    upstream,
    stale: false,
    contentSha256: sha256Of(JSON.stringify(files)),
    raw: { meta: { "api-version": "1.0" }, name },
    files,
  };
}

function recordedIndexFile(file: RecordedFile): IndexFile {
  return {
    filename: file.filename,
    url: file.url,
    sha256: file.sha256,
    sizeBytes: file.sizeBytes === 0 ? null : file.sizeBytes,
    requiresPython: file.requiresPython,
    yanked: null,
    uploadTime: file.uploadTime,
    upstreamMetadata: null,
    key: file.sha256,
    raw: {
      filename: file.filename,
      hashes: { sha256: file.sha256 },
      ...(file.sizeBytes === 0 ? {} : { size: file.sizeBytes }),
      ...(file.requiresPython === null ? {} : { "requires-python": file.requiresPython }),
      ...(file.uploadTime === null ? {} : { "upload-time": file.uploadTime }),
    },
  };
}

function sha256Of(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
