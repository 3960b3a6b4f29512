import { createReadStream } from "node:fs";

import { clip, printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import type { RejectedRung } from "../discovery/plan.ts";
import { attestedCommit, type AttestedCommit } from "../index/metadata/attested-commit.ts";
import type { IndexService } from "../index/index-service.ts";
import { parseCoreMetadata } from "../python/core-metadata.ts";
import type { AttemptJob, TestTree } from "./attempt-job.ts";
import { findTestTree } from "./find-test-tree.ts";
import { GUEST } from "./guest-environment.ts";
import { hashSources, unpackRepository, type UnpackedTree } from "./guest-scans.ts";
import type { GuestSession } from "./guest-session.ts";

export interface TestsElsewhere {
  /** Null where none were found, with certainty. */
  readonly found: { readonly tree: UnpackedTree; readonly from: TestTree } | null;
  readonly notes: readonly string[];
  readonly rejected: readonly RejectedRung[];
}

type AskedIndex = Pick<IndexService, "repositories" | "project" | "provenance">;

/** For all that is asked and fetched: a guest waits meanwhile. */
const SEARCH_MS = 180_000;

/**
 * Where an sdist holds no tests: its repository's tree, brought into the guest beside it.
 * @param metadata of what was installed, as text. @param root of the unpacked sdist, in the guest.
 * @throws CreameryError `agent-lost`, `channel`, `disk-full`, `host-lacks`; the session's signal's reason.
 */
export async function findTestsElsewhere(
  session: GuestSession,
  { source, replay }: Pick<AttemptJob, "source" | "replay">,
  index: AskedIndex,
  { metadata, root }: { readonly metadata: string; readonly root: string },
): Promise<TestsElsewhere> {
  const none = (why: string): TestsElsewhere => ({
    found: null,
    notes: [],
    rejected: [{ rung: "A2 to A4", why }],
  });
  const mirrors = index.repositories;
  if (source.kind !== "release" || source.sourceFile === null)
    return none("only a release's sdist is looked for in its repository");
  if (replay !== undefined) return none("a replay asks nobody");
  if (mirrors === undefined) return none("no repositories are served here");
  const hashes = await hashSources(session, root);
  if (hashes === null) return none("the sdist's files could not be hashed");
  const { project, version } = source;
  const signal = AbortSignal.any([session.signal, AbortSignal.timeout(SEARCH_MS)]);
  const { tree, notes, rejected } = await findTestTree({
    mirrors,
    project,
    version,
    metadata: parseCoreMetadata(metadata),
    hashes,
    attested: await attestedOf(source, index, signal),
    signal,
  });
  session.signal.throwIfAborted();
  if (tree === null) return { found: null, notes, rejected };
  const unpacked = await bringTestTree(session, tree);
  if (unpacked === null)
    return {
      found: null,
      notes: [],
      rejected: [...rejected, { rung: tree.rung, why: "its tree could not be unpacked" }],
    };
  return { found: { tree: unpacked, from: tree }, notes, rejected };
}

/** The commit that the sdist's provenance names; or why there is none. */
async function attestedOf(
  { project, sourceFile }: AttemptJob["source"],
  index: AskedIndex,
  signal: AbortSignal,
): Promise<AttestedCommit | string> {
  try {
    const page = await index.project(project, signal);
    const file = page?.files.find(
      ({ filename, sha256 }) => filename === sourceFile?.filename && sha256 === sourceFile.sha256,
    );
    if (page === null || file === undefined || file.sha256 === null)
      return "its index does not list the sdist by its hash";
    const { filename, sha256 } = file;
    const said = await index.provenance(page, file, signal);
    if (said === null) return "its index has no provenance of the sdist";
    return attestedCommit(said, { filename, sha256 });
  } catch (thrown) {
    if (thrown instanceof CreameryError) return clip(printableLine(thrown.line), 400);
    if (signal.aborted) return "took too long";
    throw thrown;
  }
}

/** Puts a repository's tree into the guest. @returns null where it could not be unpacked. */
export async function bringTestTree(
  session: GuestSession,
  { file, directory }: TestTree,
): Promise<UnpackedTree | null> {
  const archive = `${GUEST.upload}/${file.filename}`;
  const own = { mode: 0o644, owner: "job" } as const;
  await session.guest.put(archive, createReadStream(file.path), own);
  return await unpackRepository(session, archive, directory);
}
