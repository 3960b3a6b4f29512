import { Readable } from "node:stream";

import { Hono, type Context, type Env } from "hono";

import { CreameryError } from "../base/errors.ts";
import type { AttemptBucket } from "../bucket/bucket.ts";
import {
  Compression,
  COMPRESSION_HEADER,
  DIGEST_HEADER,
  MAX_SOURCE_BYTES,
  maxAssetBytes,
  parseDigest,
  parseFarmKey,
  type AssetFacts,
} from "../worker/farm-assets.ts";
import { attemptKey, sourceKey } from "../worker/bucket-keys.ts";
import { problemResponse } from "./problem.ts";

export interface AssetRoutesDeps<Principal, E extends Env = Env> {
  readonly bucket: AttemptBucket;
  /** Who asks, as the routes' authentication found. */
  readonly principalOf: (context: Context<E>) => Principal;
  /** Whether this attempt is one of the worker's own current leases. */
  readonly mayWrite: (principal: Principal, attemptId: string) => Promise<boolean>;
  /** Whether one of the worker's own current leases is of a job with this source. */
  readonly mayUseSource: (principal: Principal, sha256: string) => Promise<boolean>;
}

/**
 * What workers put into the farm's bucket, and take from it, without its credentials, below `worker/`: `attempts/ATTEMPT/assets/NAME` and
 * `sources/SHA256`; with `/facts` what is kept of one, or null.
 */
export function assetRoutes<Principal, E extends Env>(
  deps: AssetRoutesDeps<Principal, E>,
): Hono<E> {
  const { bucket } = deps;
  const app = new Hono<E>();
  app.onError((thrown) => problemResponse(thrown));

  const asset = async (context: Context<E>): Promise<string> => {
    const attemptId = context.req.param("attempt") ?? "";
    const key = attemptKey(attemptId, context.req.param("name") ?? "");
    if (parseFarmKey(key)?.kind !== "asset")
      throw new CreameryError("usage", "an attempt leaves nothing of this name", {
        input: key.slice(0, 200),
      });
    await assertOwn(deps.mayWrite(deps.principalOf(context), attemptId), attemptId);
    return key;
  };
  const source = async (context: Context<E>): Promise<string> => {
    const sha256 = context.req.param("sha256") ?? "";
    const key = sourceKey(sha256);
    if (parseFarmKey(key)?.kind !== "source")
      throw new CreameryError("usage", "is no sha256", { input: sha256.slice(0, 200) });
    await assertOwn(deps.mayUseSource(deps.principalOf(context), sha256), key);
    return key;
  };

  app.get("/attempts/:attempt/assets", async (context) => {
    const attemptId = context.req.param("attempt");
    await assertOwn(deps.mayWrite(deps.principalOf(context), attemptId), attemptId);
    return context.json({ keys: [...(await bucket.list(attemptKey(attemptId, "")))] });
  });
  for (const [path, keyOf] of [
    ["/attempts/:attempt/assets/:name", asset],
    ["/sources/:sha256", source],
  ] as const) {
    app.get(`${path}/facts`, async (context) =>
      context.json(await factsOf(bucket, await keyOf(context))),
    );
    app.get(path, async (context) => {
      const key = await keyOf(context);
      const blob = await bucket.open(key);
      if (blob === null)
        return problemResponse(new CreameryError("bucket", "is not there", { input: key }), 404);
      return new Response(Readable.toWeb(blob.content(context.req.raw.signal)), {
        headers: {
          "content-type": "application/octet-stream",
          "content-length": String(blob.sizeBytes),
        },
      });
    });
    app.put(path, async (context) => await put(context, bucket, await keyOf(context)));
  }
  // A source may be another attempt's too.
  app.delete("/attempts/:attempt/assets/:name", async (context) => {
    await bucket.remove(await asset(context));
    return context.body(null, 204);
  });
  return app;
}

async function put(context: Context, bucket: AttemptBucket, key: string): Promise<Response> {
  const declared = Number(context.req.header("content-length") ?? "");
  const sha256 = parseDigest(context.req.header(DIGEST_HEADER));
  const compression = Compression.safeParse(context.req.header(COMPRESSION_HEADER) ?? "none");
  const bad = (reason: string) => new CreameryError("usage", reason, { input: key });
  if (sha256 === null) throw bad(`needs a ${DIGEST_HEADER} with a sha-256`);
  if (!compression.success) throw bad(`needs a ${COMPRESSION_HEADER} that this farm knows`);
  if (!Number.isSafeInteger(declared) || context.req.header("content-length") === undefined)
    throw bad("needs a Content-Length");
  const maxBytes = maxBytesOf(key);
  if (declared > maxBytes) throw tooLarge(key, maxBytes);
  const known = await factsOf(bucket, key);
  if (known !== null) {
    if (known.sha256 === sha256) return context.json(known);
    return problemResponse(otherContent(key), 409);
  }
  const { body, signal } = context.req.raw;
  try {
    await bucket.create(key, bounded(body, declared, key), {
      signal,
      compression: compression.data,
      expectedSha256: sha256,
    });
  } catch (thrown) {
    // Two that were made at once.
    const winner = thrown instanceof CreameryError ? await factsOf(bucket, key) : null;
    if (winner !== null && winner.sha256 !== sha256) return problemResponse(otherContent(key), 409);
    throw thrown;
  }
  return context.json(await factsOf(bucket, key), 201);
}

async function factsOf(bucket: AttemptBucket, key: string): Promise<AssetFacts | null> {
  // Who asks is about to refer to it.
  const blob = (await bucket.renew(key)) ? await bucket.open(key) : null;
  const location = blob === null ? null : await bucket.locate(key);
  if (blob === null || location === null) return null;
  const { sha256, sizeBytes, storedBytes, compression } = blob;
  return { key, sha256, sizeBytes, storedBytes, compression, location };
}

/** What was declared is what comes: no more is read. */
async function* bounded(
  body: ReadableStream<Uint8Array> | null,
  sizeBytes: number,
  key: string,
): AsyncGenerator<Buffer> {
  if (body === null) return;
  let seen = 0;
  for await (const chunk of Readable.fromWeb(body)) {
    if (!(chunk instanceof Uint8Array)) continue;
    seen += chunk.length;
    if (seen > sizeBytes) throw tooLarge(key, sizeBytes);
    yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }
}

function maxBytesOf(key: string): number {
  const parsed = parseFarmKey(key);
  return parsed?.kind === "asset" ? (maxAssetBytes(parsed.name) ?? 0) : MAX_SOURCE_BYTES;
}

async function assertOwn(asked: Promise<boolean>, input: string): Promise<void> {
  if (await asked) return;
  throw new CreameryError("farm-refused", "is of no job that this worker holds a lease of", {
    input: input.slice(0, 200),
    nextStep: "throw the attempt away: its lease is over, or was never this worker's",
  });
}

function tooLarge(key: string, maxBytes: number): CreameryError {
  return new CreameryError("too-large", `is larger than ${maxBytes} bytes`, { input: key });
}

function otherContent(key: string): CreameryError {
  return new CreameryError("bucket", "holds something else already, and keys are made once", {
    input: key,
  });
}
