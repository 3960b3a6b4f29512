import { parseSdistFilename, parseWheelFilename } from "../../python/distribution-filename.ts";
import { formatVersion, parseVersion } from "../../python/versions.ts";

const PLATFORM = /\.(?:win32|win-amd64|win-arm64|linux-\w+|macosx-[\w.]+)$/u;

/**
 * The version that a file of this project is of; null where its name does not say. Eggs and installers, which nobody uploads
 * any more, count too: a version may have nothing else.
 * @param project normalised.
 */
export function versionOfFile(filename: string, project: string): string | null {
  const parsed = parseWheelFilename(filename) ?? parseSdistFilename(filename, project);
  if (parsed !== null) return parsed.version;
  // NAME-VERSION-py3.egg, NAME-VERSION.win32-py3.exe, NAME-VERSION.tar.Z: a name may hold dashes of its own.
  const parts = filename.replace(/\.(?:egg|exe|msi|rpm|deb|dmg|tar\.z|zip)$/iu, "").split("-");
  for (const part of parts.slice(1)) {
    const version = parseVersion(part.replace(PLATFORM, ""));
    if (version !== null) return formatVersion(version);
  }
  return null;
}

/** The same text for all ways to write one version (PEP 440: `1.0` and `1.0.0` are one). */
export function versionKey(text: string): string {
  const version = parseVersion(text);
  if (version === null) return text;
  const last = version.release.findLastIndex((part) => part !== 0);
  return formatVersion({ ...version, release: version.release.slice(0, Math.max(last, 0) + 1) });
}
