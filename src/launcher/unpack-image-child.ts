import { createHash } from "node:crypto";
import { Transform } from "node:stream";
import { createZstdDecompress } from "node:zlib";
import { pipeline } from "node:stream/promises";

import { CreameryError, diskFullFault } from "../base/errors.ts";
import { refuse } from "../image/archive/read-tar.ts";
import { unpackTree } from "../image/archive/unpack-tree.ts";
import { faultOf } from "./fault.ts";

/**
 * Started by unpackContained, as root in a root of its own: an image's archive on standard input, a fault as the last line of
 * standard error.
 */
async function unpack(into: string, expectedSha256: string, maxBytes: number): Promise<void> {
  const hash = createHash("sha256");
  const hashed = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(process.stdin, hashed, createZstdDecompress(), (tar: AsyncIterable<Buffer>) =>
    unpackTree(tar, into, maxBytes),
  );
  if (hash.digest("hex") !== expectedSha256)
    throw new CreameryError("upstream-hash", "the archive is not the one that it is called");
}

function asFault(thrown: unknown): unknown {
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  if (/^(?:ERR_ZLIB|ZSTD_|Z_)/u.test(code)) return refuse("it is no whole zstd");
  return diskFullFault(thrown, "the image's directory") ?? thrown;
}

try {
  // Modes are what the archive says.
  process.umask(0);
  await unpack(process.argv[2] ?? "", process.argv[3] ?? "", Number(process.argv[4]));
} catch (thrown) {
  process.stderr.write(`\n${JSON.stringify(faultOf(asFault(thrown)))}\n`);
  process.exitCode = 1;
}
