import type { Readable } from "node:stream";
import { createZstdDecompress } from "node:zlib";

import { CreameryError, reasonOf } from "../../base/errors.ts";
import { JoinedBytes } from "../../base/joined-bytes.ts";
import { MOST_LINE_BYTES } from "./archive-form.ts";

const NEWLINE = 10;

/**
 * The lines of an archive, without their newlines.
 * @throws CreameryError `bad-archive` for what is no zstd, is damaged, or ends within a line; `signal`'s reason.
 */
export async function* archiveLines(source: Readable, signal: AbortSignal): AsyncGenerator<Buffer> {
  const unpacked = createZstdDecompress();
  source.on("error", (fault) => unpacked.destroy(fault));
  source.pipe(unpacked);
  try {
    yield* linesOf(unpacked, signal);
  } catch (thrown) {
    signal.throwIfAborted();
    if (thrown instanceof CreameryError || isSystemFault(thrown)) throw thrown;
    throw new CreameryError(
      "bad-archive",
      `is damaged, or no archive of a store: ${reasonOf(thrown)}`,
      {
        cause: thrown,
      },
    );
  } finally {
    source.unpipe(unpacked);
    source.destroy();
    unpacked.destroy();
  }
}

async function* linesOf(bytes: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer> {
  let open = new JoinedBytes();
  let openBytes = 0;
  for await (const piece of bytes) {
    signal.throwIfAborted();
    let start = 0;
    for (;;) {
      const end = piece.indexOf(NEWLINE, start);
      if (end < 0) break;
      const last = piece.subarray(start, end);
      if (openBytes === 0) yield last;
      else {
        open.add(last);
        yield open.all();
        open = new JoinedBytes();
        openBytes = 0;
      }
      start = end + 1;
    }
    openBytes += piece.length - start;
    if (openBytes > MOST_LINE_BYTES)
      throw new CreameryError("bad-archive", "has a line that is too long");
    if (start < piece.length) open.add(piece.subarray(start));
  }
  if (openBytes > 0) throw new CreameryError("bad-archive", "is cut off");
}

/** A fault of the file's, not of what is in it. */
function isSystemFault(thrown: unknown): boolean {
  return thrown instanceof Error && "syscall" in thrown;
}
