import { parse, stringify } from "smol-toml";
import { z } from "zod";

import { CreameryError, reasonOf } from "../base/errors.ts";
import { isName, normaliseName } from "../python/names.ts";
import type { AttemptRecord, RecordedFile } from "./attempt-record.ts";

/** A lock file as PEP 751 has it, written from what an attempt's index served and what was then installed. */

export interface InstalledRelease {
  readonly name: string;
  readonly version: string;
}

const LockedFile = z.looseObject({
  name: z.string(),
  url: z.string(),
  size: z.number().optional(),
  "upload-time": z.unknown().optional(),
  hashes: z.record(z.string(), z.string()),
});
const LockedPackage = z.looseObject({
  name: z.string(),
  version: z.string().optional(),
  index: z.string().optional(),
  sdist: LockedFile.optional(),
  wheels: z.array(LockedFile).optional(),
});
/** What we read of a lock; other keys are passed over. */
export const Pylock = z.looseObject({
  "lock-version": z.string().regex(/^1\./u, "is a version that is not known here"),
  "created-by": z.string(),
  packages: z.array(LockedPackage),
});
export type Pylock = z.infer<typeof Pylock>;

/** `name==version` lines of `pip freeze` or `uv pip freeze`; others (editable, from a path) are left out. */
export function installedFromFreeze(lines: readonly string[]): InstalledRelease[] {
  return lines.flatMap((line) => {
    const [name = "", version = ""] = line.trim().split("==");
    return isName(name) && version !== "" ? [{ name: normaliseName(name), version }] : [];
  });
}

/**
 * The lock of an attempt. What was installed from elsewhere (the release's own tree) is named in
 * `tool.creamery.unlocated`; what was fetched to build with is in `tool.creamery.build`.
 */
export function lockFrom(
  record: AttemptRecord,
  installed: readonly InstalledRelease[],
  requiresPython?: string,
): string {
  const used = new Set<RecordedFile>();
  const unlocated: string[] = [];
  const packages = installed
    .toSorted((left, right) => (left.name < right.name ? -1 : 1))
    .flatMap(({ name, version }) => {
      const files = record.files.filter(
        (file) =>
          file.project === normaliseName(name) &&
          versionOfFilename(file.filename, file.project) === version,
      );
      const [first] = files;
      if (first === undefined) {
        unlocated.push(`${name}==${version}`);
        return [];
      }
      for (const file of files) used.add(file);
      const sdist = files.find(({ filename }) => !filename.endsWith(".whl"));
      const wheels = files.filter(({ filename }) => filename.endsWith(".whl"));
      return [
        {
          name: normaliseName(name),
          version,
          ...(first.requiresPython === null ? {} : { "requires-python": first.requiresPython }),
          index: first.upstream,
          ...(sdist === undefined ? {} : { sdist: locked(sdist) }),
          ...(wheels.length === 0 ? {} : { wheels: wheels.map(locked) }),
        },
      ];
    });
  const build = record.files.filter((file) => !used.has(file)).map(locked);
  return stringify({
    "lock-version": "1.0",
    "created-by": "creamery",
    ...(requiresPython === undefined ? {} : { "requires-python": requiresPython }),
    packages,
    tool: {
      creamery: {
        attempt: record.attemptId,
        "index-date": record.before ?? record.openedAt,
        unlocated,
        build,
      },
    },
  });
}

function locked(file: RecordedFile): Record<string, unknown> {
  const uploaded = file.uploadTime === null ? Number.NaN : Date.parse(file.uploadTime);
  return {
    name: file.filename,
    ...(Number.isNaN(uploaded) ? {} : { "upload-time": new Date(uploaded) }),
    url: file.url,
    size: file.sizeBytes,
    hashes: { sha256: file.sha256 },
  };
}

/** @throws CreameryError `configuration-file` for what is no lock. */
export function parsePylock(text: string, input = "pylock.toml"): Pylock {
  try {
    return Pylock.parse(parse(text));
  } catch (cause) {
    const why =
      cause instanceof z.ZodError
        ? z.prettifyError(cause).replaceAll("\n", " ")
        : reasonOf(cause).split("\n")[0];
    throw new CreameryError("configuration-file", `is no lock file: ${why}`, { input, cause });
  }
}

/**
 * The version in a distribution's filename; null when it holds none.
 * @param project normalised, to know where a sdist's name ends.
 */
export function versionOfFilename(filename: string, project: string): string | null {
  if (filename.endsWith(".whl")) return filename.split("-")[1]?.replaceAll("_", "-") ?? null;
  const stem = filename.replace(/\.(?:tar\.(?:gz|bz2|xz|Z)|tgz|zip)$/iu, "");
  if (stem === filename) return null;
  for (let dash = stem.indexOf("-"); dash >= 0; dash = stem.indexOf("-", dash + 1)) {
    if (normaliseName(stem.slice(0, dash)) === project) return stem.slice(dash + 1);
  }
  return null;
}
