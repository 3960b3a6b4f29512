import { pipeline as connect, type Readable } from "node:stream";

import { CreameryError } from "../base/errors.ts";
import {
  assertExpected,
  checkedContent,
  compressors,
  createFault,
  Meter,
  readableOf,
  sameAs,
} from "./blob-content.ts";
import { assertKey, assertPrefix, isKey } from "./bucket-key.ts";
import type {
  BlobEntry,
  Bucket,
  CreateOptions,
  LeftoverOptions,
  Leftovers,
  OpenedBlob,
  RemoveCondition,
  Stored,
} from "./bucket.ts";
import { blobHeaders, notedBlob, type BlobNote, type NotedBlob } from "./s3/blob-headers.ts";
import { abortUpload, uploadParts } from "./s3/multipart.ts";
import { pieces } from "./s3/pieces.ts";
import { resumedContent } from "./s3/resumed-content.ts";
import { S3Client, S3Fault, s3FaultOf, type S3ClientOptions } from "./s3/s3-client.ts";
import { s3Address, type S3Place } from "./s3/s3-place.ts";
import { parsePage, parseUploads } from "./s3/s3-xml.ts";
import { Spool } from "./s3/spool.ts";

/** Of whoever asks without a signal of his own: one object's headers, say. */
const SHORT_MS = 300_000;
const ONLY_NEW = { "if-none-match": "*" } as const;

export interface S3BucketOptions extends S3ClientOptions {
  /** For content that is too large to be held and whose hash nobody knows beforehand. */
  readonly spoolDirectory: string;
}

/**
 * A bucket on a server that speaks S3. A key is one object; what is noted of it stands in the object's own headers, so that
 * it exists whole or not at all. Keys are made with `If-None-Match: *`; a server that does not know that is asked before and
 * after whether somebody else was there (docs/bucket.md).
 */
export class S3Bucket implements Bucket, Disposable {
  readonly #client: S3Client;
  readonly #place: S3Place;
  readonly #spool: Spool;

  private constructor(client: S3Client, spool: Spool) {
    this.#client = client;
    this.#place = client.place;
    this.#spool = spool;
  }

  /** Asks nothing of the server yet. @throws CreameryError `disk-full`. */
  static async open(place: S3Place, options: S3BucketOptions): Promise<S3Bucket> {
    assertPrefix(place.prefix);
    return new S3Bucket(new S3Client(place, options), await Spool.open(options.spoolDirectory));
  }

  async create(
    key: string,
    content: Buffer | AsyncIterable<Buffer>,
    options: CreateOptions,
  ): Promise<Stored> {
    assertKey(key);
    try {
      return await this.#create(key, content, options);
    } catch (thrown) {
      if (thrown instanceof S3Fault) throw s3FaultOf(thrown, s3Address(this.#place, key));
      throw createFault(thrown, key, options);
    }
  }

  async #create(
    key: string,
    content: Buffer | AsyncIterable<Buffer>,
    { signal, compression, expectedSha256 }: CreateOptions,
  ): Promise<Stored> {
    const seen = new Meter();
    let storedBytes = 0;
    const count = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      for await (const chunk of chunks) {
        storedBytes += chunk.length;
        yield chunk;
      }
    };
    const source = readableOf(content);
    const stages = [seen, ...compressors(compression)];
    // A failure of any stage reaches the reader through the last one.
    connect([source, ...stages], () => undefined);
    using _end = endingWith(source, signal);
    const parts = pieces(count(buffersOf(stages.at(-1) ?? seen)));
    const stored = (): Stored => ({
      key,
      sha256: seen.sha256,
      sizeBytes: seen.sizeBytes,
      storedBytes,
    });

    const first = await parts.next();
    const second = await parts.next();
    const start = first.done === true ? Buffer.alloc(0) : first.value;
    if (second.done === true) {
      // All of it is here.
      assertExpected(key, seen.sha256, expectedSha256);
      return await this.#put(key, start, { ...stored(), compression }, signal);
    }
    const whole = async function* (): AsyncGenerator<Buffer> {
      yield start;
      yield second.value;
      yield* parts;
    };
    const check = (): void => assertExpected(key, seen.sha256, expectedSha256);
    // What is noted of an object is said before its first part: what nobody knows yet is written down and read again.
    if (expectedSha256 !== undefined && compression === "none") {
      const note = { sha256: expectedSha256, sizeBytes: null, compression };
      return await this.#upload(key, whole(), note, { stored, check, signal });
    }
    await using held = await this.#spool.hold(whole(), signal);
    check();
    const note = { ...stored(), compression };
    return await this.#upload(key, pieces(held.read()), note, { stored, check, signal });
  }

  /** In one request. */
  async #put(
    key: string,
    body: Buffer,
    note: Stored & BlobNote,
    signal: AbortSignal,
  ): Promise<Stored> {
    const there = await this.#same(key, note.sha256, signal);
    if (there !== null) return there;
    const { sha256, sizeBytes, storedBytes } = note;
    return await this.#making({ key, sha256, sizeBytes, storedBytes }, signal, async () => {
      await this.#client.askText({
        method: "PUT",
        key,
        headers: { ...blobHeaders(key, note), ...ONLY_NEW },
        body,
        signal,
      });
    });
  }

  /** In parts. */
  async #upload(
    key: string,
    parts: AsyncIterable<Buffer>,
    note: BlobNote,
    {
      stored,
      check,
      signal,
    }: {
      readonly stored: () => Stored;
      /** Throws where what came is not what was announced. */
      readonly check: () => void;
      readonly signal: AbortSignal;
    },
  ): Promise<Stored> {
    const there = await this.#same(key, note.sha256, signal);
    if (there !== null) {
      // Told as it is only when all of what was given is known to be that.
      for await (const _ of parts) signal.throwIfAborted();
      check();
      return there;
    }
    let made: Stored | null = null;
    const before = async (): Promise<void> => {
      check();
      // Parts take their time: whoever came first meanwhile is seen also by a server without conditions.
      made = await this.#same(key, note.sha256, signal);
      if (made !== null) throw new AlreadyMade(made);
    };
    try {
      return await this.#making(stored, signal, async () => {
        await uploadParts(this.#client, key, parts, {
          headers: blobHeaders(key, note),
          condition: ONLY_NEW,
          before,
          signal,
        });
      });
    } catch (thrown) {
      if (thrown instanceof AlreadyMade) return thrown.stored;
      throw thrown;
    }
  }

  /**
   * Makes an object, and looks at what is there where that is not known: a server that was too late to say that it is done,
   * somebody else who was faster, a server that lets the last one win.
   */
  async #making(
    given: Stored | (() => Stored),
    signal: AbortSignal,
    make: () => Promise<void>,
  ): Promise<Stored> {
    const told = (): Stored => (typeof given === "function" ? given() : given);
    try {
      await make();
    } catch (thrown) {
      if (!mayBeThere(thrown)) throw thrown;
      const { key, sha256 } = told();
      const there = await this.#same(key, sha256, signal);
      if (there === null) throw thrown;
      return there;
    }
    const { key, sha256 } = told();
    const there = await this.#head(key, signal);
    if (there !== null) return sameAs(there, key, sha256);
    throw new CreameryError("bucket", "was removed while it was made", {
      input: s3Address(this.#place, key),
    });
  }

  /** What is there under a key, renewed; null when nothing is. @throws CreameryError `bucket` for something else. */
  async #same(key: string, sha256: string, signal: AbortSignal): Promise<Stored | null> {
    const there = await this.#head(key, signal);
    if (there === null) return null;
    const same = sameAs(there, key, sha256);
    // Removed at this instant: then it is made anew.
    return (await this.#renewed(key, there, signal)) ? same : null;
  }

  async open(key: string): Promise<OpenedBlob | null> {
    assertKey(key);
    return await this.#faults(key, async () => {
      const noted = await this.#head(key, AbortSignal.timeout(SHORT_MS));
      if (noted === null) return null;
      const { sha256, sizeBytes, storedBytes, compression } = noted;
      return {
        key,
        sha256,
        sizeBytes,
        storedBytes,
        compression,
        content: (signal) =>
          checkedContent(resumedContent(this.#client, key, noted, signal), {
            key,
            sha256,
            compression,
          }),
      };
    });
  }

  async list(prefix: string): Promise<readonly string[]> {
    const keys: string[] = [];
    for await (const { key } of this.entries(prefix, AbortSignal.timeout(SHORT_MS))) keys.push(key);
    return keys.toSorted();
  }

  async *entries(prefix: string, signal: AbortSignal): AsyncGenerator<BlobEntry> {
    assertPrefix(prefix);
    const before = `${this.#place.prefix}${prefix}`;
    for (let next: string | null = ""; next !== null;) {
      const token: string = next;
      const page = await this.#faults(prefix, async () => {
        const { text } = await this.#client.askText({
          method: "GET",
          key: null,
          query: {
            "list-type": "2",
            ...(before === "" ? {} : { prefix: before }),
            ...(token === "" ? {} : { "continuation-token": token }),
          },
          signal,
        });
        return parsePage(text);
      });
      for (const { key, storedBytes, madeMs } of page.objects) {
        const own = key.slice(this.#place.prefix.length);
        // What somebody else put there is none of ours.
        if (key.startsWith(before) && isKey(own)) yield { key: own, storedBytes, madeMs };
      }
      if (page.next === token)
        throw new CreameryError("bucket", "the S3 server lists the same page for ever", {
          input: s3Address(this.#place, prefix),
        });
      next = page.next;
    }
  }

  async remove(key: string, condition?: RemoveCondition): Promise<boolean> {
    assertKey(key);
    const signal = AbortSignal.timeout(SHORT_MS);
    return await this.#faults(key, async () => {
      if (condition !== undefined) {
        const there = await this.#headers(key, signal);
        if (there === null) return true;
        const madeMs = Date.parse(there["last-modified"] ?? "");
        // What does not say how old it is is young.
        if (!(madeMs < condition.madeBeforeMs)) return false;
      }
      await this.#client.askText({ method: "DELETE", key, signal }).catch((thrown: unknown) => {
        if (!(thrown instanceof S3Fault) || thrown.status !== 404) throw thrown;
      });
      return true;
    });
  }

  async renew(key: string): Promise<boolean> {
    assertKey(key);
    const signal = AbortSignal.timeout(SHORT_MS);
    return await this.#faults(key, async () => {
      const there = await this.#head(key, signal);
      return there !== null && (await this.#renewed(key, there, signal));
    });
  }

  async locate(key: string): Promise<string | null> {
    assertKey(key);
    return await this.#faults(key, async () =>
      (await this.#head(key, AbortSignal.timeout(SHORT_MS))) === null
        ? null
        : s3Address(this.#place, key),
    );
  }

  /** Uploads that nobody completed: their parts are seen nowhere, and paid for. */
  async collectLeftovers({ begunBeforeMs, dryRun, signal }: LeftoverOptions): Promise<Leftovers> {
    const { prefix } = this.#place;
    let count = 0;
    let marker: { readonly key: string; readonly uploadId: string } | null = null;
    do {
      const from: typeof marker = marker;
      const { uploads, next } = await this.#faults("", async () => {
        const { text } = await this.#client.askText({
          method: "GET",
          key: null,
          query: {
            uploads: "",
            ...(prefix === "" ? {} : { prefix }),
            ...(from === null ? {} : { "key-marker": from.key, "upload-id-marker": from.uploadId }),
          },
          signal,
        });
        return parseUploads(text);
      });
      for (const { key, uploadId, begunMs } of uploads) {
        const own = key.slice(prefix.length);
        if (!key.startsWith(prefix) || !isKey(own) || begunMs >= begunBeforeMs) continue;
        if (!dryRun)
          await this.#faults(own, async () => abortUpload(this.#client, own, uploadId, signal));
        count++;
      }
      marker = next;
    } while (marker !== null);
    return { count, bytes: 0 };
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }

  /** What is noted of a key. @throws CreameryError `bucket` for an object that nobody made through a bucket. */
  async #head(key: string, signal: AbortSignal): Promise<NotedBlob | null> {
    const headers = await this.#headers(key, signal);
    if (headers === null) return null;
    const noted = notedBlob(headers);
    if (noted !== null) return noted;
    throw new CreameryError("bucket", "was put there by something else: nothing is noted of it", {
      input: s3Address(this.#place, key),
      nextStep: "remove it, or name another bucket or prefix as bucket.place in creamery.toml",
    });
  }

  async #headers(key: string, signal: AbortSignal) {
    try {
      const { headers, body } = await this.#client.ask({ method: "HEAD", key, signal });
      body.resume();
      return headers;
    } catch (thrown) {
      if (thrown instanceof S3Fault && thrown.status === 404) return null;
      throw thrown;
    }
  }

  /** A copy onto itself, which has now's time. @returns false when it is there no more. */
  async #renewed(
    key: string,
    { sha256, sizeBytes, compression }: NotedBlob,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { bucket, prefix } = this.#place;
    try {
      await this.#client.askText({
        method: "PUT",
        key,
        headers: {
          ...blobHeaders(key, { sha256, sizeBytes, compression }, Date.now()),
          "x-amz-copy-source": `/${bucket}/${prefix}${key}`,
          "x-amz-metadata-directive": "REPLACE",
        },
        signal,
      });
      return true;
    } catch (thrown) {
      if (thrown instanceof S3Fault && (thrown.status === 404 || thrown.code === "NoSuchKey"))
        return false;
      throw thrown;
    }
  }

  async #faults<Value>(key: string, work: () => Promise<Value>): Promise<Value> {
    try {
      return await work();
    } catch (thrown) {
      throw s3FaultOf(thrown, s3Address(this.#place, key));
    }
  }
}

/** Somebody else made the same while the parts were sent. */
class AlreadyMade extends Error {
  readonly stored: Stored;

  constructor(stored: Stored) {
    super("is made already");
    this.stored = stored;
  }
}

/** Whether an object may be there although making it failed: the answer to an earlier try was lost, or somebody was faster. */
function mayBeThere(thrown: unknown): boolean {
  return thrown instanceof S3Fault && (thrown.status === 412 || thrown.status === 404);
}

async function* buffersOf(chunks: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) if (Buffer.isBuffer(chunk)) yield chunk;
}

/** Whoever gives content hears of it when nobody wants it any more. */
function endingWith(source: Readable, signal: AbortSignal): Disposable {
  const end = (): void => void source.destroy(new Error("was interrupted"));
  if (signal.aborted) end();
  signal.addEventListener("abort", end);
  return {
    [Symbol.dispose]: () => {
      signal.removeEventListener("abort", end);
      source.destroy();
    },
  };
}
