import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { once } from "node:events";
import { finished } from "node:stream/promises";

import { CreameryError } from "../../base/errors.ts";
import { PROCESS_NAME } from "../../base/process-name.ts";
import type { Bucket } from "../../bucket/bucket.ts";
import { ATTEMPTS } from "../../bucket/retention/kept-names.ts";
import type { RetentionFacts, RetentionPolicy } from "../../bucket/retention/retention-facts.ts";
import { RetentionDecider } from "../../bucket/retention/retention-of.ts";
import { mirrorName } from "../git/repository-address.ts";
import { saidMetadataName } from "../metadata/metadata-store.ts";
import { KEY } from "./inventory.ts";

/** What names the files that an attempt was given, each by its sha256: what the index served, and what it was a test of. */
const NAMING = ["record.json", "again.json"] as const;
const NAMED = /"sha256":\s*"([0-9a-f]{64})"/gu;
const MIRROR = /^[\w-]{0,40}-[0-9a-f]{32}\.git$/u;
/** As a record has a repository (`RecordedRepository`). */
const REPOSITORY = /"url":\s*"(https:[^"\\]{1,500})",\s*"head":/gu;
/** As a record has a wheel of which the metadata alone was read (`RecordedLook`): what its index said of it is kept apart. */
const LOOK = /"sha256":\s*"([0-9a-f]{64})"[^{}]*"upstream":\s*"([^"\\]*)",\s*"metadataSha256":/gu;
/** Longer than what is looked for. */
const OVERLAP_CHARS = 16_384;

export interface PinnedFilesOptions {
  readonly facts: Pick<RetentionFacts, "attempts">;
  readonly policy: RetentionPolicy;
  readonly bucket: Pick<Bucket, "open">;
  /** The index's own: it is kept there what each of the pinned names, so that what was read once is not read again. */
  readonly directory: string;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

export interface PinnedFiles {
  /** sha256 of files, of what was said of wheels its name, and names of mirrors of repositories. */
  readonly names: ReadonlySet<string>;
  /** How many attempts are pinned whole. */
  readonly attempts: number;
  /** Pinned, and what they name can't be read: they pin no file. */
  readonly unreadable: readonly string[];
}

/**
 * The files that are named by attempts which the bucket's retention keeps whole.
 * @throws CreameryError `store`, `disk-full` by the system's own error, the signal's reason.
 */
export async function pinnedFiles(options: PinnedFilesOptions): Promise<PinnedFiles> {
  const { facts, policy, bucket, directory, nowMs, signal } = options;
  const decider = new RetentionDecider(policy, nowMs);
  const wanted = new Set<string>();
  for await (const attempt of facts.attempts(signal))
    if (decider.decide(attempt).keeps === "whole") wanted.add(attempt.id);
  const attempts = wanted.size;
  const names = new Set<string>();
  const unreadable: string[] = [];
  const file = join(directory, "pinned-files");
  const partial = join(directory, "files", "partial");
  await mkdir(partial, { recursive: true });
  const beside = join(partial, `${PROCESS_NAME}-pinned.${Math.random().toString(36).slice(2)}`);
  const written = createWriteStream(beside);
  const ended = finished(written);
  ended.catch(() => undefined);
  const add = async (id: string, named: readonly string[]): Promise<void> => {
    for (const one of named) names.add(one);
    if (!written.write(`${[id, named.length, ...named].join(" ")}\n`))
      await Promise.race([once(written, "drain", { signal }), ended]);
  };
  try {
    for await (const [id, named] of knownBefore(file, signal))
      if (wanted.delete(id)) await add(id, named);
    for (const id of wanted) {
      const named = await namedBy(bucket, id, signal);
      if (named === null) unreadable.push(id);
      else await add(id, named);
    }
    written.end();
    await ended;
    await rename(beside, file);
  } finally {
    written.destroy();
    await rm(beside, { force: true });
  }
  return { names, attempts, unreadable };
}

/** As an earlier run wrote it: what can't be read of it is read from the bucket again. */
async function* knownBefore(
  file: string,
  signal: AbortSignal,
): AsyncGenerator<readonly [string, readonly string[]]> {
  const stream = createReadStream(file, { signal });
  const failed = once(stream, "error");
  failed.catch(() => undefined);
  const opened = await Promise.race([once(stream, "open").then(() => true), failed]);
  if (opened !== true) {
    signal.throwIfAborted();
    return;
  }
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
    const [id = "", count, ...named] = line.split(" ");
    const isWhole =
      count === String(named.length) && named.every((one) => KEY.test(one) || MIRROR.test(one));
    if (isWhole) yield [id, named];
  }
}

/** Null where it can't be read. */
async function namedBy(
  bucket: Pick<Bucket, "open">,
  id: string,
  signal: AbortSignal,
): Promise<readonly string[] | null> {
  const named = new Set<string>();
  try {
    for (const name of NAMING) {
      const blob = await bucket.open(`${ATTEMPTS}${id}/${name}`);
      if (blob === null) continue;
      let text = "";
      // Never whole in memory: a guest that asks without end makes it long.
      for await (const chunk of blob.content(signal)) {
        text = text.slice(-OVERLAP_CHARS) + Buffer.from(chunk).toString("latin1");
        for (const [, sha256 = ""] of text.matchAll(NAMED)) named.add(sha256);
        for (const [, key = "", upstream = ""] of text.matchAll(LOOK))
          named.add(saidMetadataName(upstream, key));
        for (const [, url = ""] of text.matchAll(REPOSITORY)) named.add(mirrorName(url));
      }
    }
    return [...named];
  } catch (thrown) {
    signal.throwIfAborted();
    if (thrown instanceof CreameryError && thrown.code === "bucket") return null;
    throw thrown;
  }
}
