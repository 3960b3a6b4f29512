import { Readable } from "node:stream";

import { CreameryError, reasonOf } from "../../base/errors.ts";
import type { Answer } from "./s3-exchange.ts";
import type { S3Client } from "./s3-client.ts";
import { s3Address } from "./s3-place.ts";
import type { NotedBlob } from "./blob-headers.ts";

/** A connection may be cut so often without a byte having come. */
const CUTS = 5;

/** The bytes of an object as they are stored; where a connection is cut, the rest is asked for. */
export function resumedContent(
  client: S3Client,
  key: string,
  { storedBytes, etag }: NotedBlob,
  signal: AbortSignal,
): Readable {
  return Readable.from(bytesOf(client, key, storedBytes, etag, signal), { objectMode: false });
}

async function* bytesOf(
  client: S3Client,
  key: string,
  storedBytes: number,
  etag: string | null,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const input = s3Address(client.place, key);
  let at = 0;
  let cuts = 0;
  // An empty object is asked for too: whether it is there and may be read.
  for (let first = true; first || at < storedBytes; first = false) {
    const answer = await client.ask({
      method: "GET",
      key,
      headers: {
        ...(at === 0 ? {} : { range: `bytes=${at}-` }),
        // The same object, not one that was removed and made again meanwhile.
        ...(at === 0 || etag === null ? {} : { "if-match": etag }),
      },
      signal,
    });
    try {
      for await (const chunk of partFrom(answer, at)) {
        at += chunk.length;
        cuts = 0;
        if (at > storedBytes)
          throw new CreameryError("bucket", "is larger than what was stored", { input });
        yield chunk;
      }
      if (at < storedBytes) throw new Error("the answer was cut short");
    } catch (cause) {
      if (cause instanceof CreameryError) throw cause;
      if (signal.aborted)
        throw new CreameryError("interrupted", "was interrupted", { input, cause });
      if (++cuts > CUTS)
        throw new CreameryError("bucket", `could not be read: ${reasonOf(cause)}`, {
          input,
          cause,
        });
    } finally {
      answer.body.destroy();
    }
  }
}

/** Of an answer that begins earlier than it was asked to, what was had already is left out. */
async function* partFrom({ status, body }: Answer, at: number): AsyncGenerator<Buffer> {
  let skip = status === 206 ? 0 : at;
  for await (const chunk of body) {
    if (!Buffer.isBuffer(chunk)) continue;
    const rest = chunk.subarray(Math.min(skip, chunk.length));
    skip -= chunk.length - rest.length;
    if (rest.length > 0) yield rest;
  }
}
