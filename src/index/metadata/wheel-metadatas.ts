import { createHash } from "node:crypto";

import { CreameryError } from "../../base/errors.ts";
import { within } from "../../base/within.ts";
import type { FileStore, StoredFile } from "../files/file-store.ts";
import { isCoreMetadata, MetadataStore } from "./metadata-store.ts";
import type { IndexFile, ProjectPage } from "../page/project-page.ts";
import { readBody, type UpstreamClient } from "../upstream/upstream-client.ts";
import { metadataOfWheel, metadataOfWheelFile } from "./wheel-metadata.ts";

/** Where wheels, and what is said of them, are to be had. */
export interface WheelSource {
  readonly files: FileStore;
  /** Ends what is on its way. */
  readonly life: AbortSignal;
  readonly idleMs: number;
  clientOf(page: ProjectPage): UpstreamClient;
  urlOf(page: ProjectPage, file: IndexFile): string;
  whole(page: ProjectPage, file: IndexFile, signal: AbortSignal): Promise<StoredFile>;
}

const TAIL_BYTES = 64 * 1024;
const METADATA_DEADLINE_MS = 60_000;
const MAX_METADATA_BYTES = 8 << 20;
/** What is larger is read from disk each time: a few thousand are held. */
const MAX_HELD_METADATA_BYTES = 64 * 1024;

/** Core metadata of wheels (PEP 658), by whichever way it can be had, and held against the wheel when that comes. */
export class WheelMetadatas {
  readonly #store: MetadataStore;
  readonly #source: WheelSource;
  readonly #running = new Map<string, Promise<Buffer | null>>();
  /** Made from ranges: not yet compared with a verified wheel. */
  readonly #unverified = new Map<string, string>();

  /** @param directory must be there. */
  constructor(directory: string, source: WheelSource) {
    this.#store = new MetadataStore(directory);
    this.#source = source;
  }

  /**
   * A wheel's core metadata (PEP 658): out of the wheel if it is here, from upstream if it serves it, else
   * by ranges of the wheel, else out of the whole wheel.
   * @returns null when the wheel has none that can be read.
   */
  get(page: ProjectPage, file: IndexFile, signal: AbortSignal): Promise<Buffer | null> {
    const name = saidName(page, file);
    let running = this.#running.get(name);
    if (running === undefined) {
      if (this.#running.size > 2000) this.#running.clear();
      // Shared by all who ask at once: it ends with the mirror, not with the first of them.
      running = this.#make(page, file, this.#source.life);
      this.#running.set(name, running);
      const made = running;
      const forget = (): void => {
        if (this.#running.get(name) === made) this.#running.delete(name);
      };
      made.then((content) => {
        if ((content?.length ?? 0) > MAX_HELD_METADATA_BYTES) forget();
      }, forget);
    }
    return within(running, { signal });
  }

  /** A wheel's metadata as far as it is kept on this host, upstream unasked; null where it is not. */
  async kept(page: ProjectPage, file: IndexFile): Promise<Buffer | null> {
    const ofWheel = await this.#store.readOfWheel(file);
    if (ofWheel !== null) return ofWheel;
    const stored = await this.#source.files.kept(file);
    if (stored !== null) return await this.#ofWheel(file, stored);
    return await this.#store.readSaid(page, file);
  }

  /**
   * To be called when a wheel has come whole: what was said of it before must be in it.
   * @throws CreameryError `upstream-hash` when its metadata is another than was served.
   */
  async confirm(page: ProjectPage, file: IndexFile, stored: StoredFile): Promise<void> {
    const name = saidName(page, file);
    const kept = await this.#store.readSaid(page, file);
    const said = this.#unverified.get(name) ?? (kept === null ? undefined : sha256(kept));
    if (said === undefined) return;
    this.#unverified.delete(name);
    await this.#store.forgetSaid(page, file);
    const real = await metadataOfWheelFile(stored.path);
    if (real !== null) await this.#store.keepOfWheel(file, real);
    if (real !== null && sha256(real) === said) return;
    this.#running.delete(name);
    throw new CreameryError(
      "upstream-hash",
      "the index sent other metadata than the verified wheel holds",
      { input: file.filename },
    );
  }

  async #make(page: ProjectPage, file: IndexFile, signal: AbortSignal): Promise<Buffer | null> {
    const said = file.upstreamMetadata?.sha256 ?? null;
    // A kept one that upstream's page contradicts is made anew.
    const isGood = (kept: Buffer | null): kept is Buffer =>
      kept !== null && (said === null || sha256(kept) === said);
    const ofWheel = await this.#store.readOfWheel(file);
    if (isGood(ofWheel)) return ofWheel;
    const stored = await this.#source.files.kept(file);
    if (stored !== null) return await this.#ofWheel(file, stored);
    const before = await this.#store.readSaid(page, file);
    if (isGood(before)) return before;
    const isFarm = this.#source.clientOf(page).isFarm;
    let made = await this.#fromUpstream(page, file, signal);
    // A farm makes it itself, by whichever way it can be had.
    if (made === null && !isFarm) made = await this.#fromRanges(page, file, signal);
    if (made !== null) {
      await this.#store.keepSaid(page, file, made);
      return made;
    }
    if (isFarm || !file.filename.endsWith(".whl")) return null;
    return await this.#ofWheel(file, await this.#source.whole(page, file, signal));
  }

  async #ofWheel(file: IndexFile, stored: StoredFile): Promise<Buffer | null> {
    const made = await metadataOfWheelFile(stored.path);
    if (made !== null) await this.#store.keepOfWheel(file, made);
    return made;
  }

  async #fromUpstream(
    page: ProjectPage,
    file: IndexFile,
    signal: AbortSignal,
  ): Promise<Buffer | null> {
    const client = this.#source.clientOf(page);
    const isFarm = client.isFarm;
    if (file.upstreamMetadata === null && !isFarm) return null;
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(METADATA_DEADLINE_MS)]);
    using response = await client.request({
      url: `${this.#source.urlOf(page, file)}.metadata`,
      signal: bounded,
      idleMs: this.#source.idleMs,
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
    const client = this.#source.clientOf(page);
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(METADATA_DEADLINE_MS)]);
    const ask = async (
      range: string,
      maxBytes: number,
    ): Promise<{ readonly bytes: Buffer; readonly total: number } | null> => {
      using response = await client.request({
        url: file.url,
        signal: bounded,
        idleMs: this.#source.idleMs,
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

/** Two indexes may say different things of one hash. */
export function saidName(page: ProjectPage, { key }: IndexFile): string {
  return `${page.upstream} ${key}`;
}

function sha256(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
