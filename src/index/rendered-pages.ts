import { createHash } from "node:crypto";
import { gzip } from "node:zlib";
import { promisify } from "node:util";

import type { ProjectPage } from "./project-page.ts";
import { renderPage, uploadedBefore, type PageFormat } from "./render-page.ts";

export interface RenderedPage {
  readonly body: Buffer;
  readonly etag: string;
  /** Made when it is first asked for. */
  zipped(): Promise<Buffer>;
  /** False when this very call made it. */
  readonly wasKept: boolean;
}

interface Kept {
  readonly source: string;
  readonly body: Buffer;
  readonly etag: string;
  zipped: Promise<Buffer> | null;
}

const MAX_KEPT_BYTES = 32 << 20;

/** Pages as one endpoint sends them: HEAD and 304 cost a client nothing, and must not cost a rendering each. */
export class RenderedPages {
  readonly #before: Date | null;
  readonly #maxBytes: number;
  readonly #kept = new Map<string, Kept>();
  readonly #offered = new WeakMap<ProjectPage, ProjectPage>();
  #bytes = 0;

  constructor(before: Date | null, maxBytes: number = MAX_KEPT_BYTES) {
    this.#before = before;
    this.#maxBytes = maxBytes;
  }

  /** The page without what was uploaded too late. */
  offered(page: ProjectPage): ProjectPage {
    if (this.#before === null) return page;
    let offered = this.#offered.get(page);
    if (offered === undefined) {
      offered = uploadedBefore(page, this.#before);
      this.#offered.set(page, offered);
    }
    return offered;
  }

  /** @param page as `offered` gave it. */
  render(page: ProjectPage, format: PageFormat): RenderedPage {
    const key = `${page.name} ${format}`;
    // What an index says of a project decides how it is rendered.
    const source = `${page.upstream} ${page.contentSha256}`;
    const known = this.#kept.get(key);
    const wasKept = known !== undefined && known.source === source;
    const kept = wasKept ? known : make(source, renderPage(page, format));
    if (!wasKept) this.#keep(key, kept);
    return { ...asRendered(kept), wasKept };
  }

  #keep(key: string, kept: Kept): void {
    this.#drop(key);
    if (kept.body.length > this.#maxBytes) return;
    this.#kept.set(key, kept);
    this.#bytes += kept.body.length;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    this.#bytes -= this.#kept.get(key)?.body.length ?? 0;
    this.#kept.delete(key);
  }
}

/** Bytes as they are sent, for what is kept elsewhere. */
export function renderedOf(body: Buffer): Omit<RenderedPage, "wasKept"> {
  return asRendered(make("", body));
}

function asRendered(kept: Kept): Omit<RenderedPage, "wasKept"> {
  const zipped = (): Promise<Buffer> => (kept.zipped ??= promisify(gzip)(kept.body, { level: 1 }));
  return { body: kept.body, etag: kept.etag, zipped };
}

function make(source: string, body: Buffer): Kept {
  const hash = createHash("sha256").update(body).digest("base64url").slice(0, 32);
  return { source, body, etag: `"${hash}"`, zipped: null };
}
