import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { z } from "zod";

import { printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import type { Bucket } from "../bucket/bucket.ts";
import { launcher } from "../launcher/client.ts";
import { directoriesFrom } from "../launcher/directories.ts";
import { attemptKey } from "../worker/bucket-keys.ts";
import { askerCwd } from "./farm/asker-cwd.ts";
import { openFarmBucket } from "./farm/open-farm-bucket.ts";
import { readConfig } from "./farm/read-config.ts";
import { storeLocation } from "./farm/store-location.ts";
import { findAttempt } from "./reproduce/find-attempt.ts";

const Options = z.object({ config: z.string().optional(), where: z.boolean().default(false) });

/**
 * `creamery log ATTEMPT [NAME]`: what is kept of an attempt, unpacked, on standard output; the log unless another is named.
 * @returns the exit code. @throws CreameryError `unknown-attempt`, `usage` for a name that is not there, `bucket`.
 */
export async function logCommand(
  id: string,
  name: string,
  given: unknown,
  signal: AbortSignal,
): Promise<number> {
  const options = Options.parse(given ?? {});
  const directories = directoriesFrom(process.env);
  const { config } = await readConfig(options.config, askerCwd(), launcher());
  const { attempt } = await findAttempt(await storeLocation(config, directories), id);
  await using opened = await openFarmBucket(config, directories, process.env);
  if (options.where) {
    const place = await placeOf(opened.bucket, attempt.id, name);
    process.stdout.write(`${place}\n`);
    return 0;
  }
  await showKept(opened.bucket, attempt.id, name, process.stdout, signal);
  return 0;
}

/** Writes what is kept, as it was given, and leaves the output open. @throws CreameryError `usage`, `bucket`, `interrupted`. */
export async function showKept(
  bucket: Bucket,
  id: string,
  name: string,
  output: Writable,
  signal: AbortSignal,
): Promise<void> {
  const blob = isName(name) ? await bucket.open(attemptKey(id, name)) : null;
  if (blob === null) throw await absent(bucket, id, name);
  try {
    await pipeline(blob.content(signal), output, { signal, end: false });
  } catch (thrown) {
    // Who has read enough closes the pipe.
    if (output.destroyed && !signal.aborted) return;
    throw thrown;
  }
}

/** Where it lies, packed. @throws CreameryError `usage`. */
async function placeOf(bucket: Bucket, id: string, name: string): Promise<string> {
  const place = isName(name) ? await bucket.locate(attemptKey(id, name)) : null;
  if (place === null) throw await absent(bucket, id, name);
  return place;
}

/** One part of a key. */
function isName(name: string): boolean {
  return /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,200}$/u.test(name);
}

async function absent(bucket: Bucket, id: string, name: string): Promise<CreameryError> {
  const prefix = attemptKey(id, "");
  const there = (await bucket.list(prefix)).map((key) => key.slice(prefix.length));
  const input = printableLine(`${id} ${name}`).slice(0, 120);
  if (there.length === 0)
    return new CreameryError("usage", "nothing is kept of this attempt any more", {
      input,
      nextStep: "test it anew with ./creamery test; docs/bucket.md says what is kept for how long",
    });
  const isLockOnly = there.includes("again.json");
  return new CreameryError(
    "usage",
    name === "log.txt" ? "its log is kept no more" : "is not kept of this attempt",
    {
      input,
      nextStep:
        name === "log.txt" && isLockOnly
          ? `./creamery reproduce ${id} runs it again; kept are ${there.join(", ")}`
          : `kept are ${there.join(", ")}`,
    },
  );
}
