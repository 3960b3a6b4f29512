import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

import { PROCESS_NAME } from "../../base/process-name.ts";
import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError, diskFullFault } from "../../base/errors.ts";
import type { Bucket } from "../../bucket/bucket.ts";
import type { AttemptRecord, IndexService } from "../../index/index-service.ts";
import type { AgainJson, KeptFile } from "../../worker/again.ts";
import type { HostFile, JobOverlay } from "../../worker/attempt-job.ts";

export interface BringDeps {
  readonly bucket: Bucket;
  readonly index: IndexService;
  /** What is taken out of the bucket is copied there, and removed with the rest of what an ended process left. */
  readonly workDirectory: string;
  readonly signal: AbortSignal;
}

/**
 * A source's file from the bucket, from what the index keeps, else from the index by its hash.
 * @param of whose file it is, as a person reads it.
 * @throws CreameryError `bucket`, `upstream` where it is to be had nowhere, and what fetching it throws.
 */
export async function bringSource(
  { filename, sha256, key }: KeptFile,
  of: { readonly project: string; readonly version: string },
  deps: BringDeps,
): Promise<HostFile> {
  const path =
    key === null
      ? await bringFile({ ...of, filename, sha256 }, deps.index, deps.signal)
      : await takeFile(key, sha256, deps);
  return { path, filename, sha256 };
}

/** A copy of what the bucket holds, held against its hash: the bucket may be on another host. */
export async function takeFile(
  key: string,
  sha256: string,
  { bucket, workDirectory, signal }: Omit<BringDeps, "index">,
): Promise<string> {
  // Renewed first: nobody collects it before the attempt that will refer to it is known.
  const blob = (await bucket.renew(key)) ? await bucket.open(key) : null;
  if (blob === null)
    throw new CreameryError("bucket", "is not there any more", {
      input: key,
      nextStep: "test it anew with ./creamery test",
    });
  if (blob.sha256 !== sha256)
    throw new CreameryError("bucket", `has sha256 ${blob.sha256}, not ${sha256}`, { input: key });
  const path = join(workDirectory, `${PROCESS_NAME}-source-${sha256}`);
  try {
    await pipeline(blob.content(signal), createWriteStream(path, { mode: 0o644 }), { signal });
    return path;
  } catch (thrown) {
    await rm(path, { force: true });
    throw diskFullFault(thrown, path) ?? thrown;
  }
}

/**
 * Sees that all is kept that a replay will serve: what is kept no more is fetched by its hash.
 * @throws CreameryError `upstream` for a file or commit that is to be had nowhere, and what fetching one throws.
 */
export async function bringLocked(
  { files, crates, repositories }: Pick<AttemptRecord, "files" | "crates" | "repositories">,
  index: IndexService,
  signal: AbortSignal,
): Promise<void> {
  for (const { project, filename, sha256 } of files)
    await bringFile({ project, version: "", filename, sha256 }, index, signal);
  for (const crate of crates) await index.fetchCrate(crate, signal);
  for (const { url, commits } of repositories) await index.keepCommits(url, commits, signal);
}

/**
 * What an experiment gave an attempt, its wheels out of the bucket into what the index keeps.
 * @throws CreameryError `bucket` for a wheel that is not there any more, `disk-full`.
 */
export async function bringOverlay(
  { releases, ...overlay }: NonNullable<AgainJson["overlay"]>,
  deps: BringDeps,
): Promise<JobOverlay> {
  const brought: JobOverlay["releases"][number][] = [];
  for (const { project, version, wheel } of releases) {
    const file = wheel === null ? null : await bringSource(wheel, { project, version }, deps);
    if (file !== null) await deps.index.keepFile(file.path, file.sha256);
    brought.push({ project, version, wheel: file });
  }
  return { ...overlay, releases: brought };
}

interface Wanted {
  readonly project: string;
  readonly version: string;
  readonly filename: string;
  readonly sha256: string;
}

async function bringFile(
  { project, version, filename, sha256 }: Wanted,
  index: IndexService,
  signal: AbortSignal,
): Promise<string> {
  const kept = await index.keptFile(sha256);
  if (kept !== null) return kept.path;
  const page = await index.project(project, signal);
  const file = page?.files.find((one) => one.filename === filename && one.sha256 === sha256);
  if (page !== null && file !== undefined) return (await index.fetchFile(page, file, signal)).path;
  const release = version === "" ? project : `${project} ${version}`;
  throw new CreameryError("upstream", "is neither kept here nor on the index any more", {
    input: clip(printableLine(`${release}, ${filename}`), 300),
    nextStep: "test it anew with ./creamery test",
  });
}
