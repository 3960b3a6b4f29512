import { z } from "zod";

import type { StoredFile } from "../files/file-store.ts";
import type { IndexFile, ProjectPage } from "../page/project-page.ts";
import { shownUrl } from "../upstream/secret.ts";

/** What an attempt asked of its index and got: the raw record from which its lock is written and by which it is run again. */

export const RecordedFile = z.object({
  project: z.string(),
  filename: z.string(),
  sha256: z.string(),
  sizeBytes: z.number(),
  uploadTime: z.string().nullable(),
  requiresPython: z.string().nullable(),
  /** Upstream's address, without credentials and query. */
  url: z.string(),
  /** The index whose page listed it. */
  upstream: z.string(),
  /** Asked for while the release was built: by its build environment, whoever else has it from the installer's cache. */
  forBuild: z.boolean().optional(),
});
export type RecordedFile = z.infer<typeof RecordedFile>;

export function recordedFile(
  page: ProjectPage,
  file: IndexFile,
  stored: Pick<StoredFile, "sha256" | "sizeBytes">,
): RecordedFile {
  return {
    project: page.name,
    filename: file.filename,
    sha256: stored.sha256,
    sizeBytes: stored.sizeBytes,
    uploadTime: file.uploadTime,
    requiresPython: file.requiresPython,
    url: shownUrl(file.url),
    upstream: page.upstream,
  };
}

/** A wheel of which whoever resolved read the metadata, and that was not fetched. */
export const RecordedLook = RecordedFile.extend({ metadataSha256: z.string() });
export type RecordedLook = z.infer<typeof RecordedLook>;

export const RecordedCrate = z.object({
  name: z.string(),
  version: z.string(),
  sha256: z.string(),
  sizeBytes: z.number(),
  line: z.string(),
});
export type RecordedCrate = z.infer<typeof RecordedCrate>;

/** All versions of a crate, as the index had them: cargo resolves with them, whatever it fetches. */
export const RecordedCrateIndex = z.object({
  name: z.string(),
  lines: z.array(z.string()),
  stale: z.boolean(),
});
export type RecordedCrateIndex = z.infer<typeof RecordedCrateIndex>;

/** A source repository that was asked for. */
export const RecordedRepository = z.object({
  /** Normalised, https. */
  url: z.string(),
  /** The branch that a clone begins with. */
  head: z.string().nullable(),
  /** Branches and tags that were shown, each as it was last. */
  references: z.array(z.object({ name: z.string(), hash: z.string() })),
  /** What was handed out, by its hash: commits, and annotated tags. */
  commits: z.array(z.string()),
  /** Upstream could not be asked. */
  stale: z.boolean(),
});
export type RecordedRepository = z.infer<typeof RecordedRepository>;

export const RecordedRequest = z.object({
  /** Milliseconds since the endpoint was opened. */
  atMs: z.number(),
  method: z.string(),
  /** Without the token, bounded. */
  path: z.string(),
  status: z.number(),
  bytes: z.number(),
});
export type RecordedRequest = z.infer<typeof RecordedRequest>;

export const RecordedFault = z.object({
  /** Milliseconds since the endpoint was opened; older records did not say. */
  atMs: z.number().default(0),
  code: z.string(),
  line: z.string(),
});
export type RecordedFault = z.infer<typeof RecordedFault>;

export const AttemptRecord = z.object({
  schema: z.literal(1),
  attemptId: z.string(),
  openedAt: z.string(),
  /** Addresses of the upstream indexes, in order, without credentials. */
  upstreams: z.array(z.string()),
  /** Files uploaded at this instant or later were not offered. */
  before: z.string().nullable(),
  replayed: z.boolean(),
  requests: z.array(RecordedRequest),
  bytes: z.number(),
  pages: z.array(
    z.object({
      project: z.string(),
      sha256: z.string(),
      upstream: z.string(),
      stale: z.boolean(),
      lastSerial: z.number().nullable(),
      /** Files that were left out because the index does not say when they were uploaded; older records did not say. */
      undated: z.number().default(0),
    }),
  ),
  /** Names that no index has. */
  missing: z.array(z.string()),
  files: z.array(RecordedFile),
  /** Without those that were fetched after all; older records have none. */
  looked: z.array(RecordedLook).default([]),
  crates: z.array(RecordedCrate),
  /** What was looked up of crates, fetched or not; older records have none. */
  crateIndex: z.array(RecordedCrateIndex).default([]),
  /** Older records have none. */
  repositories: z.array(RecordedRepository).default([]),
  /** What was asked for and not allowed, with why. */
  refused: z.array(z.object({ path: z.string(), why: z.string() })),
  limits: z.array(z.enum(["bytes", "requests", "names"])),
  /** Files of pages asked for that had another sha256 when this mirror saw them before; older records did not say. */
  replaced: z
    .array(z.object({ project: z.string(), filename: z.string(), was: z.string(), is: z.string() }))
    .default([]),
  /** Faults of upstreams, a line each time. */
  faults: z.array(RecordedFault),
  /** More happened than is listed. */
  truncated: z.boolean(),
});
export type AttemptRecord = z.infer<typeof AttemptRecord>;

/** What upstreams did wrong, once for each: an installer asks again. */
export function faultLines({ faults }: Pick<AttemptRecord, "faults">): string[] {
  return [...new Set(faults.map(({ line }) => line))];
}
