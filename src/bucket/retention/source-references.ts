import { buffer } from "node:stream/consumers";

import { z } from "zod";

import { CreameryError } from "../../base/errors.ts";
import type { Bucket } from "../bucket.ts";
import { AGAIN, ATTEMPTS, SOURCES } from "./kept-names.ts";

const MAX_BYTES = 16 * 1024 * 1024;
const File = z.object({ key: z.string().nullable() }).nullable();
const Again = z.object({ source: z.object({ sourceFile: File, wheelFile: File }) });

/**
 * Keys of the sources that what is kept of an attempt refers to: none where nothing would run it again.
 * @returns null where what it says can't be read.
 */
export async function sourceReferences(
  bucket: Bucket,
  id: string,
  signal: AbortSignal,
): Promise<readonly string[] | null> {
  const blob = await bucket.open(`${ATTEMPTS}${id}/${AGAIN}`).catch((thrown: unknown) => {
    if (thrown instanceof CreameryError && thrown.code === "bucket") return undefined;
    throw thrown;
  });
  if (blob === null) return [];
  if (blob === undefined || blob.sizeBytes > MAX_BYTES) return null;
  try {
    const text = (await buffer(blob.content(signal))).toString("utf8");
    const { source } = Again.parse(JSON.parse(text));
    const keys = [source.sourceFile?.key, source.wheelFile?.key];
    return [...new Set(keys.filter((key) => typeof key === "string"))].filter((key) =>
      key.startsWith(SOURCES),
    );
  } catch {
    signal.throwIfAborted();
    return null;
  }
}
