import { createHash } from "node:crypto";
import { gzip } from "node:zlib";
import { promisify } from "node:util";

import type { ProjectPage } from "./project-page.ts";
import { pageAt } from "../past/page-at.ts";
import { renderPage, type PageFormat } from "./render-page.ts";

/** What is sent, in either form. */
export interface Rendered {
  /** Of the body, bytes. */
  readonly length: number;
  readonly etag: string;
  /** Made for each who wants it so: nearly all take it packed. */
  readonly body: () => Buffer;
  /** Made when it is first asked for, and kept. */
  readonly zipped: () => Promise<Buffer>;
}

export interface RenderedPage extends Rendered {
  /** False when this very call made it. */
  readonly wasKept: boolean;
}

/** Pages of one instant, or of now. */
export interface PagesAt {
  readonly before: Date | null;
  /** The page as it was then. */
  offered(page: ProjectPage): ProjectPage;
  /** @param page as `offered` gave it. */
  render(page: ProjectPage, format: PageFormat): RenderedPage;
  /** Whether `render` has nothing to make. */
  isKept(page: ProjectPage, format: PageFormat): boolean;
}

interface Kept {
  readonly source: string;
  /** Of the body, bytes. */
  readonly length: number;
  readonly etag: string;
  /** Let go once it is packed. */
  text: string | null;
  zipped: Promise<Buffer> | null;
  /** Of all that is held. */
  bytes: number;
}

const MAX_KEPT_BYTES = 6 << 20;

/** Instants of one page that are remembered: installers of one date ask for a page and then for its files. */
const MAX_INSTANTS = 8;

/**
 * Pages as an index sends them: HEAD and 304 cost a client nothing, and must not cost a rendering each. A body is held as a string, which
 * goes when it is packed, a tenth as large: buffers that wait for the garbage collector are memory that it does not hurry for.
 */
export class RenderedPages {
  readonly #maxBytes: number;
  readonly #kept = new Map<string, Kept>();
  readonly #past = new WeakMap<ProjectPage, Map<number, ProjectPage>>();
  #bytes = 0;

  /** @param maxBytes of all that is kept, whatever it is of. */
  constructor(maxBytes: number = MAX_KEPT_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** @param before the instant whose pages these are; null for now's. */
  at(before: Date | null): PagesAt {
    return {
      before,
      offered: (page) => (before === null ? page : this.#pageAt(page, before)),
      render: (page, format) => this.#render(page, format, before),
      isKept: (page, format) => this.#known(page, format, before) !== undefined,
    };
  }

  #pageAt(page: ProjectPage, at: Date): ProjectPage {
    const instants = this.#past.get(page) ?? new Map<number, ProjectPage>();
    this.#past.set(page, instants);
    const known = instants.get(at.getTime());
    if (known !== undefined) return known;
    const [oldest] = instants.keys();
    if (instants.size >= MAX_INSTANTS && oldest !== undefined) instants.delete(oldest);
    const past = pageAt(page, at);
    instants.set(at.getTime(), past);
    return past;
  }

  #known(page: ProjectPage, format: PageFormat, before: Date | null): Kept | undefined {
    const known = this.#kept.get(keyOf(page, format, before));
    return known?.source === sourceOf(page) ? known : undefined;
  }

  #render(page: ProjectPage, format: PageFormat, before: Date | null): RenderedPage {
    const key = keyOf(page, format, before);
    const known = this.#known(page, format, before);
    const wasKept = known !== undefined;
    const kept = known ?? make(sourceOf(page), renderPage(page, format));
    if (!wasKept) this.#keep(key, kept);
    const { length, etag } = kept;
    const text = (): string => kept.text ?? renderPage(page, format);
    return {
      length,
      etag,
      wasKept,
      body: () => Buffer.from(text()),
      zipped: () => (kept.zipped ??= this.#zip(key, kept, text())),
    };
  }

  async #zip(key: string, kept: Kept, text: string): Promise<Buffer> {
    const content = await zip(text, kept.length);
    kept.text = null;
    this.#grow(key, kept, content.length - kept.length);
    return content;
  }

  #keep(key: string, kept: Kept): void {
    this.#drop(key);
    if (kept.length > this.#maxBytes) return;
    this.#kept.set(key, kept);
    this.#grow(key, kept, kept.length);
  }

  /** What is kept grew; not what was dropped meanwhile. */
  #grow(key: string, kept: Kept, bytes: number): void {
    if (this.#kept.get(key) !== kept) return;
    kept.bytes += bytes;
    this.#bytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    this.#bytes -= this.#kept.get(key)?.bytes ?? 0;
    this.#kept.delete(key);
  }
}

function keyOf({ name }: ProjectPage, format: PageFormat, before: Date | null): string {
  return `${name} ${format} ${before?.getTime() ?? ""}`;
}

/** What an index says of a project, and has said before, decides how it is rendered. */
function sourceOf({ upstream, contentSha256, history }: ProjectPage): string {
  return `${upstream} ${contentSha256} ${history?.changes.at(-1)?.byMs ?? ""}`;
}

/** The same of what is kept elsewhere. */
export function renderedOf(text: string): Rendered {
  const { length, etag } = make("", text);
  return { length, etag, body: () => Buffer.from(text), zipped: () => zip(text, length) };
}

const SCRATCH_BYTES = 1 << 20;
const MOST_SCRATCHES = 4;
const scratches: Buffer[] = [];

async function zip(text: string, length: number): Promise<Buffer> {
  if (length > SCRATCH_BYTES) return await promisify(gzip)(text, { level: 1 });
  const scratch = scratches.pop() ?? Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  scratch.write(text);
  const content = await promisify(gzip)(scratch.subarray(0, length), { level: 1 });
  // Of one that failed something may still be at it.
  if (scratches.length < MOST_SCRATCHES) scratches.push(scratch);
  return content;
}

function make(source: string, text: string): Kept {
  const hash = createHash("sha256").update(text).digest("base64url").slice(0, 32);
  const length = Buffer.byteLength(text);
  return { source, length, etag: `"${hash}"`, text, zipped: null, bytes: 0 };
}
