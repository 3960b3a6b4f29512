import { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { CreameryError, reasonOf } from "../../base/errors.ts";
import type { Bucket } from "../../bucket/bucket.ts";
import { AGAIN, attemptOf } from "../../bucket/retention/kept-names.ts";
import { sourceReferences } from "../../bucket/retention/source-references.ts";

export interface BucketState {
  /** By the first part of their keys. */
  readonly rooms: Readonly<Record<string, { readonly blobs: number; readonly bytes: number }>>;
  /** What is damaged, or referred to and not there. */
  readonly faults: readonly { readonly key: string; readonly fault: string }[];
}

/** Looks at all that a bucket holds; unless `quick`, reads it and holds it against its hashes. @throws CreameryError `bucket` where it can't be listed. */
export async function checkBucket(
  bucket: Bucket,
  { quick, signal }: { readonly quick: boolean; readonly signal: AbortSignal },
): Promise<BucketState> {
  const rooms: Record<string, { blobs: number; bytes: number }> = {};
  const faults: { key: string; fault: string }[] = [];
  for await (const { key, storedBytes } of bucket.entries("", signal)) {
    const name = key.split("/")[0] ?? key;
    const room = (rooms[name] ??= { blobs: 0, bytes: 0 });
    room.blobs++;
    room.bytes += storedBytes;
    const fault = quick ? null : await faultOf(bucket, key, signal);
    if (fault !== null) faults.push({ key, fault });
    const attempt = attemptOf(key);
    if (attempt?.name !== AGAIN || fault !== null) continue;
    const sources = await sourceReferences(bucket, attempt.id, signal);
    if (sources === null) faults.push({ key, fault: "does not say what runs the attempt again" });
    for (const source of sources ?? [])
      if ((await bucket.locate(source)) === null)
        faults.push({ key: source, fault: `is not there, and ${attempt.id} refers to it` });
  }
  return { rooms, faults };
}

async function faultOf(bucket: Bucket, key: string, signal: AbortSignal): Promise<string | null> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  try {
    const blob = await bucket.open(key);
    // Removed meanwhile is no fault.
    if (blob !== null) await pipeline(blob.content(signal), nowhere, { signal });
    return null;
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    return thrown instanceof CreameryError ? thrown.message : reasonOf(thrown);
  }
}
