import { isNewerRelease } from "../python/newest.ts";

export interface Superseding {
  readonly reason: string;
  /** Of a release; the commit of a push. */
  readonly version: string;
  /** The branch or tag that was pushed to; empty for a release. */
  readonly line: string;
}

/**
 * Whether what waits of the same project need not be tested any more, now that something newer is there: a release that
 * is older by PEP 440 (a final one is not made old by a pre-release), an earlier push to the same branch. A release takes
 * the place of what was to be tested again of an older one, too.
 */
export function supersedes(newer: Superseding, older: Superseding): boolean {
  if (newer.version === older.version) return false;
  if (newer.reason === "push") return older.reason === "push" && newer.line === older.line;
  if (newer.reason !== "release" || (older.reason !== "release" && older.reason !== "retest"))
    return false;
  return isNewerRelease(newer.version, older.version);
}
