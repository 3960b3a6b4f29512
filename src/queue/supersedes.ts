import { compareVersions, isPrerelease, parseVersion } from "../python/versions.ts";

export interface Superseding {
  readonly reason: string;
  /** Of a release; the commit of a push. */
  readonly version: string;
  /** The branch or tag that was pushed to; empty for a release. */
  readonly line: string;
}

/**
 * Whether what waits of the same project need not be tested any more, now that something newer is there: a release that
 * is older by PEP 440 (a final one is not made old by a pre-release), an earlier push to the same branch.
 */
export function supersedes(newer: Superseding, older: Superseding): boolean {
  if (newer.reason !== older.reason || newer.version === older.version) return false;
  if (newer.reason === "push") return newer.line === older.line;
  if (newer.reason !== "release") return false;
  const [now, before] = [parseVersion(newer.version), parseVersion(older.version)];
  if (now === null || before === null || (isPrerelease(now) && !isPrerelease(before))) return false;
  return compareVersions(now, before) > 0;
}
