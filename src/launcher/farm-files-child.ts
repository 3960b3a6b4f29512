import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";

import { DirectoryBucket } from "../bucket/directory-bucket.ts";
import { BucketFiles } from "../image/lock/kept-files.ts";
import { farmFilesRequest } from "./farm-files.ts";
import { faultOf } from "./fault.ts";

/**
 * Started by FarmFiles, with the farm's rights: one request on standard input, its answer on standard output (JSON, or the
 * contents of files), a fault as the last line of standard error.
 */

async function answer(bucketDirectory: string): Promise<void> {
  const request = farmFilesRequest.parse(JSON.parse(await text(process.stdin)));
  const files = new BucketFiles(await DirectoryBucket.open(bucketDirectory), bucketDirectory);
  // Whoever started it ends it.
  const { signal } = new AbortController();
  const say = (value: unknown) => process.stdout.write(JSON.stringify(value));
  switch (request.kind) {
    case "find":
      say(await files.find(request.sha256s));
      return;
    case "read":
      await pipeline(files.read(request.files, signal), process.stdout);
      return;
    case "keep":
      await files.keep(request.files, request.from, signal);
      say(null);
      return;
    case "prune":
      say(await files.prune(request.needed, signal));
  }
}

try {
  await answer(process.argv[2] ?? "");
} catch (thrown) {
  process.stderr.write(`${JSON.stringify(faultOf(thrown))}\n`);
  process.exitCode = 1;
}
