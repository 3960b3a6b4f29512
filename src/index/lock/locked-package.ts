import { parseSdistFilename, parseWheelFilename } from "../../python/distribution-filename.ts";
import { isName, normaliseName } from "../../python/names.ts";
import { parseSpecifierSet } from "../../python/specifiers.ts";
import { parseVersion, sameVersion } from "../../python/versions.ts";
import type { RecordedFile } from "../record/attempt-record.ts";

/** Entries of `packages` as PEP 751 has them. All of it came from an index: what an installer would stumble over is left out. */

export type Table = Readonly<Record<string, unknown>>;

export interface LockedPackage {
  readonly table: Table;
  /** What stands in it; of two sdists it has one. */
  readonly files: readonly RecordedFile[];
}

/** The release that a file is of; null for a name that tells none, or another project's. */
export function versionOfFile({ filename, project }: RecordedFile): string | null {
  const parsed = parseWheelFilename(filename) ?? parseSdistFilename(filename, project);
  return parsed === null || parsed.project !== project ? null : parsed.version;
}

/** @param name normalised. @param marker when it is to be installed; always where there is none. */
export function packageOf(
  name: string,
  version: string,
  files: readonly RecordedFile[],
  marker?: string,
): LockedPackage | null {
  const own = files.filter((file) => {
    const found = file.project === name ? versionOfFile(file) : null;
    return found !== null && sameVersion(found, version);
  });
  const wheels = own.filter(({ filename }) => filename.endsWith(".whl"));
  const sources = own.filter(({ filename }) => !filename.endsWith(".whl"));
  const sdist = sources.find(isStandardSdist) ?? (wheels.length > 0 ? undefined : sources[0]);
  const used = [...(sdist === undefined ? [] : [sdist]), ...wheels];
  const [first] = used;
  if (first === undefined) return null;
  const { requiresPython, upstream } = first;
  return {
    table: {
      name,
      version,
      ...(marker === undefined ? {} : { marker }),
      ...(requiresPython === null || parseSpecifierSet(requiresPython) === null
        ? {}
        : { "requires-python": requiresPython }),
      // What a person gave in the place of a release is on no index.
      ...(isWeb(upstream) ? { index: upstream } : {}),
      ...(sdist === undefined ? {} : sdistTable(sdist)),
      ...(wheels.length === 0 ? {} : { wheels: wheels.map(fileTable) }),
    },
    files: used,
  };
}

/** The names that the standard knows (PEP 625, and one dash before the version until then). */
function isStandardSdist({ filename, project }: RecordedFile): boolean {
  const [, name = "", version = ""] = /^(.+)-([^-]+)(?:\.tar\.gz|\.zip)$/u.exec(filename) ?? [];
  return isName(name) && normaliseName(name) === project && parseVersion(version) !== null;
}

/** A source of another name can be locked as an archive alone. */
function sdistTable(file: RecordedFile): Table {
  const table = fileTable(file);
  if (isStandardSdist(file)) return { sdist: table };
  const { name: _, ...archive } = table;
  return { archive };
}

/** A file on no index is looked for beside the lock. */
export function fileTable(file: RecordedFile): Table {
  const uploaded = file.uploadTime === null ? Number.NaN : Date.parse(file.uploadTime);
  return {
    name: file.filename,
    ...(uploaded >= 0 && uploaded < END_OF_TIMES ? { "upload-time": new Date(uploaded) } : {}),
    ...(isWeb(file.url) ? { url: file.url } : { path: file.filename }),
    size: file.sizeBytes,
    hashes: { sha256: file.sha256 },
  };
}

/** TOML writes years with four digits. */
const END_OF_TIMES = Date.UTC(10_000, 0);

function isWeb(url: string): boolean {
  return /^https?:\/\//u.test(url);
}
