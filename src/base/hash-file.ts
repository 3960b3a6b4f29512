import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";

const CHUNK_BYTES = 256 * 1024;

/** sha256 of a file, hexadecimal, however large it is. @throws the system's error, or the signal's reason. */
export async function sha256OfFile(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  const chunks = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  await pipeline(chunks, hash, signal === undefined ? {} : { signal });
  return hash.digest("hex");
}
