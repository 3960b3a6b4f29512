import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

import { PROCESS_NAME } from "../base/process-name.ts";
import { CreameryError, diskFullFault } from "../base/errors.ts";
import type { AttemptBucket, CreateOptions, OpenedBlob, Stored } from "../bucket/bucket.ts";
import { removeLeftovers } from "../bucket/key-lock.ts";
import {
  AssetFacts,
  AssetList,
  COMPRESSION_HEADER,
  DIGEST_HEADER,
  digestOf,
  farmPath,
  parseFarmKey,
} from "./farm-assets.ts";
import type { FarmClient, FarmResponse } from "./farm-client.ts";

export interface RemoteBucketOptions {
  readonly farm: FarmClient;
  /** This worker's own: what is a stream lies there until the farm has it. */
  readonly directory: string;
}

/** The farm may have to write a large file to its disk before it answers. */
const IDLE_MS = 5 * 60_000;
const LOOK_MS = 60_000;

/** The farm's bucket as far as a worker may use it: what its own attempts leave and what they are given, and no more. */
export class RemoteBucket implements AttemptBucket {
  readonly #farm: FarmClient;
  readonly #directory: string;

  private constructor({ farm, directory }: RemoteBucketOptions) {
    this.#farm = farm;
    this.#directory = directory;
  }

  static async open(options: RemoteBucketOptions): Promise<RemoteBucket> {
    await mkdir(options.directory, { recursive: true, mode: 0o700 });
    await removeLeftovers(options.directory);
    return new RemoteBucket(options);
  }

  async create(
    key: string,
    content: Buffer | AsyncIterable<Buffer>,
    { signal, compression, expectedSha256 }: CreateOptions,
  ): Promise<Stored> {
    const path = pathOf(key);
    await using given = Buffer.isBuffer(content)
      ? inMemory(content)
      : await this.#spool(key, content, signal);
    if (expectedSha256 !== undefined && expectedSha256 !== given.sha256)
      throw new CreameryError("bucket", `came with sha256 ${given.sha256}, not ${expectedSha256}`, {
        input: key,
      });
    // Made once: an answer that was lost, and the same again, come to the same.
    const stored = await this.#farm.json(
      {
        method: "PUT",
        path,
        signal,
        idleMs: IDLE_MS,
        headers: {
          "content-type": "application/octet-stream",
          "content-length": String(given.sizeBytes),
          [DIGEST_HEADER]: digestOf(given.sha256),
          [COMPRESSION_HEADER]: compression,
        },
        body: given.read,
      },
      AssetFacts,
    );
    if (stored.sha256 !== given.sha256)
      throw new CreameryError("bucket", "is kept by the farm as something else", { input: key });
    const { sha256, sizeBytes, storedBytes } = stored;
    return { key, sha256, sizeBytes, storedBytes };
  }

  async open(key: string): Promise<OpenedBlob | null> {
    const facts = await this.#facts(key);
    if (facts === null) return null;
    const { location: _, ...stored } = facts;
    const chunks = (signal: AbortSignal) => this.#content(key, stored.sha256, signal);
    return { ...stored, key, content: (signal) => Readable.from(chunks(signal)) };
  }

  /** @param prefix `attempts/ID/`, and no other. */
  async list(prefix: string): Promise<readonly string[]> {
    const id = /^attempts\/([0-9a-z][0-9a-z-]{0,63})\/$/u.exec(prefix)?.[1];
    if (id === undefined) throw notOurs(prefix);
    const signal = AbortSignal.timeout(LOOK_MS);
    const { keys } = await this.#farm.json(
      { path: `worker/attempts/${id}/assets`, signal },
      AssetList,
    );
    return keys;
  }

  async remove(key: string): Promise<boolean> {
    const signal = AbortSignal.timeout(LOOK_MS);
    using _response = await this.#farm.request({ method: "DELETE", path: pathOf(key), signal });
    return true;
  }

  /** The farm renews what it is asked for the facts of. */
  async renew(key: string): Promise<boolean> {
    return (await this.#facts(key)) !== null;
  }

  async locate(key: string): Promise<string | null> {
    return (await this.#facts(key))?.location ?? null;
  }

  async #facts(key: string): Promise<AssetFacts | null> {
    const signal = AbortSignal.timeout(LOOK_MS);
    const nullable = AssetFacts.nullable();
    return await this.#farm.json({ path: `${pathOf(key)}/facts`, signal }, nullable);
  }

  async *#content(key: string, sha256: string, signal: AbortSignal): AsyncGenerator<Buffer> {
    using response: FarmResponse = await this.#farm.request({ path: pathOf(key), signal });
    const hash = createHash("sha256");
    for await (const chunk of response.body) {
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
      hash.update(bytes);
      yield bytes;
    }
    if (!response.body.complete || hash.digest("hex") !== sha256)
      throw new CreameryError("bucket", "did not come as it was stored", {
        input: key,
        nextStep: "try again",
      });
  }

  /** Hashed before it is sent, and there to be sent again. */
  async #spool(
    key: string,
    content: AsyncIterable<Buffer>,
    signal: AbortSignal,
  ): Promise<Given & AsyncDisposable> {
    const name = `${PROCESS_NAME}-${Math.random().toString(36).slice(2)}`;
    const path = join(this.#directory, name);
    const hash = createHash("sha256");
    let sizeBytes = 0;
    const meter = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        sizeBytes += chunk.length;
        done(null, chunk);
      },
    });
    try {
      const file = await open(path, "wx", 0o600);
      await pipeline(Readable.from(content), meter, file.createWriteStream(), { signal });
    } catch (thrown) {
      await rm(path, { force: true });
      if (signal.aborted)
        throw new CreameryError("interrupted", "was interrupted", { input: key, cause: thrown });
      throw diskFullFault(thrown, this.#directory) ?? thrown;
    }
    return {
      sha256: hash.digest("hex"),
      sizeBytes,
      read: () => createReadStream(path),
      [Symbol.asyncDispose]: () => rm(path, { force: true }),
    };
  }
}

interface Given {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly read: () => Buffer | AsyncIterable<Buffer>;
}

function inMemory(content: Buffer): Given & AsyncDisposable {
  return {
    sha256: createHash("sha256").update(content).digest("hex"),
    sizeBytes: content.length,
    read: () => content,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function pathOf(key: string): string {
  const parsed = parseFarmKey(key);
  if (parsed === null) throw notOurs(key);
  return farmPath(parsed);
}

function notOurs(key: string): CreameryError {
  return new CreameryError("bucket", "is no key that a worker may use", {
    input: key.slice(0, 100),
  });
}
