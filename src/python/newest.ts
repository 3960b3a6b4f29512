import { compareVersions, isPrerelease, parseVersion } from "./versions.ts";

/**
 * Whether a release takes the place of another as the one that people get: it is newer by PEP 440, and no pre-release where the other is
 * none. Of what is no version nothing is newer.
 */
export function isNewerRelease(version: string, than: string): boolean {
  const [now, before] = [parseVersion(version), parseVersion(than)];
  if (now === null || before === null || (isPrerelease(now) && !isPrerelease(before))) return false;
  return compareVersions(now, before) > 0;
}

/** Likewise, a final one also in the place of a pre-release that is newer. */
export function isPreferredRelease(version: string, than: string): boolean {
  const [now, before] = [parseVersion(version), parseVersion(than)];
  if (now !== null && before !== null && !isPrerelease(now) && isPrerelease(before)) return true;
  // Whatever it is, it is a version, and what was there is none.
  return (now !== null && before === null) || isNewerRelease(version, than);
}
