import { createHash } from "node:crypto";
import { open, writeFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";

import { CreameryError } from "../../base/errors.ts";
import type { KeptFile } from "./kept-files.ts";

/**
 * Writes a stream of files, one after the other with nothing between, to `directory/<sha256>` each. Their sizes say where one
 * ends, and their hashes whether it was that one.
 * @throws CreameryError `bucket` naming the first that is another or is cut short; whatever the stream ends with.
 */
export async function splitFiles(
  stream: AsyncIterable<Buffer>,
  files: readonly KeptFile[],
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  const waiting = files.filter(({ sizeBytes }) => sizeBytes > 0);
  for (const { sha256, sizeBytes } of files)
    if (sizeBytes === 0) await checkEmpty(sha256, directory);
  let begun: Begun | undefined;
  try {
    for await (const chunk of stream) {
      for (let rest = chunk; rest.length > 0;) {
        signal.throwIfAborted();
        begun ??= await begin(waiting.shift(), directory);
        const part = rest.subarray(0, begun.missingBytes);
        rest = rest.subarray(part.length);
        begun.hash.update(part);
        await begun.handle.writeFile(part);
        begun.missingBytes -= part.length;
        if (begun.missingBytes > 0) continue;
        await begun.handle.close();
        const { sha256 } = begun;
        if (begun.hash.digest("hex") !== sha256) throw damaged(sha256);
        begun = undefined;
      }
    }
    const next = begun ?? waiting[0];
    if (next !== undefined) throw damaged(next.sha256);
  } finally {
    await begun?.handle.close();
  }
}

async function checkEmpty(sha256: string, directory: string): Promise<void> {
  if (createHash("sha256").digest("hex") !== sha256) throw damaged(sha256);
  await writeFile(join(directory, sha256), "", { flag: "wx" });
}

interface Begun {
  readonly sha256: string;
  readonly handle: FileHandle;
  readonly hash: ReturnType<typeof createHash>;
  missingBytes: number;
}

async function begin(next: KeptFile | undefined, directory: string): Promise<Begun> {
  if (next === undefined) throw new CreameryError("bucket", "holds more than was asked for");
  const { sha256, sizeBytes: missingBytes } = next;
  const handle = await open(join(directory, sha256), "wx", 0o644);
  return { sha256, handle, hash: createHash("sha256"), missingBytes };
}

export function damaged(sha256: string, cause?: unknown): CreameryError {
  return new CreameryError("bucket", "is damaged: its content is not what was kept", {
    input: sha256,
    cause,
  });
}
