import { isName, normaliseName } from "./names.ts";
import { formatVersion, parseVersion } from "./versions.ts";

/** File names of wheels (PEP 427, 491) and sdists (PEP 625, and what came before it). */

export interface WheelFilename {
  readonly kind: "wheel";
  readonly project: string;
  readonly version: string;
  readonly build: string | null;
  /** Expanded: `cp311-abi3-manylinux_2_28_x86_64` */
  readonly tags: readonly string[];
}

export interface SdistFilename {
  readonly kind: "sdist";
  readonly project: string;
  readonly version: string;
}

const MAX_TAGS = 2000;
const SDIST_SUFFIXES = [".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz"];

/** The wheel's name taken apart, or null when it is none. */
export function parseWheelFilename(filename: string): WheelFilename | null {
  if (!filename.endsWith(".whl") || filename.includes("/")) return null;
  const parts = filename.slice(0, -4).split("-");
  if (parts.length !== 5 && parts.length !== 6) return null;
  const [name = "", versionText = ""] = parts;
  const [pythons = "", abis = "", platforms = ""] = parts.slice(-3);
  const build = parts.length === 6 ? (parts[2] ?? "") : null;
  const version = parseVersion(versionText);
  if (!/^[\w.]+$/.test(name) || name.includes("__") || !isName(name) || version === null)
    return null;
  if (/^[0-9]/.test(pythons)) return null;
  if (build !== null && !/^[0-9]/.test(build)) return null;
  const tags = pythons
    .split(".")
    .flatMap((python) =>
      abis
        .split(".")
        .flatMap((abi) =>
          platforms.split(".").map((platform) => `${python}-${abi}-${platform}`.toLowerCase()),
        ),
    );
  if (tags.length > MAX_TAGS) return null;
  return {
    kind: "wheel",
    project: normaliseName(name),
    version: formatVersion(version),
    build,
    tags: [...new Set(tags)],
  };
}

/**
 * The sdist's name taken apart, or null when it is none. Names from before PEP 625 may hold dashes: `project` says which
 * is meant where it is known.
 */
export function parseSdistFilename(filename: string, project?: string): SdistFilename | null {
  const suffix = SDIST_SUFFIXES.find((known) => filename.endsWith(known));
  if (suffix === undefined || filename.includes("/")) return null;
  const stem = filename.slice(0, -suffix.length);
  const dashes = stem
    .split("")
    .flatMap((character, index) => (character === "-" ? [index] : []))
    .toReversed();
  for (const dash of dashes) {
    const [name, version] = [stem.slice(0, dash), parseVersion(stem.slice(dash + 1))];
    if (version === null || !isName(name)) continue;
    if (project !== undefined && normaliseName(name) !== normaliseName(project)) continue;
    return { kind: "sdist", project: normaliseName(name), version: formatVersion(version) };
  }
  return null;
}
