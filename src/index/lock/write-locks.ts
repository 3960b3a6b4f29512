import { stringify } from "smol-toml";

import type { MarkerEnvironment } from "../../python/markers.ts";
import { normaliseName } from "../../python/names.ts";
import {
  compareVersions,
  formatVersion,
  parseVersion,
  sameVersion,
} from "../../python/versions.ts";
import type { AttemptRecord, RecordedFile } from "../record/attempt-record.ts";
import {
  fileTable,
  packageOf,
  versionOfFile,
  type LockedPackage,
  type Table,
} from "./locked-package.ts";
import type { InstalledRelease } from "./pylock.ts";
import type { SourceOrigin } from "./source-origin.ts";

/** Lock files as PEP 751 has them, of what an attempt's index served: what was installed, and what was built with. */

/** From what the release under test was installed, where the attempt's index did not serve that. */
export interface GivenRelease {
  readonly name: string;
  readonly version: string;
  readonly from:
    | SourceOrigin
    /** A file of a person's own. */
    | { readonly kind: "archive"; readonly filename: string; readonly sha256: string };
}

export interface LockInput {
  readonly record: AttemptRecord;
  readonly installed: readonly InstalledRelease[];
  readonly given?: GivenRelease | null;
  /** Of the interpreter: what was resolved for it need not fit another. */
  readonly markers?: MarkerEnvironment;
}

export const RUN_TIME_LOCK = "pylock.toml";
export const BUILD_LOCK = "pylock.build.toml";

export interface Locks {
  /** Of what was installed at the end. */
  readonly runTime: string;
  /** Of all else that was fetched: what isolated builds were given. Null where that is nothing. */
  readonly build: string | null;
}

/**
 * Both locks of an attempt. What was installed from nowhere that others know (a local tree) is named in
 * `tool.creamery.unlocated`; crates, for which PEP 751 has no place, in the build lock's `tool.creamery.crates`.
 */
export function locksFrom(input: LockInput): Locks {
  const { record } = input;
  const unlocated: string[] = [];
  const installed: LockedPackage[] = [];
  const names = new Set<string>();
  const served = Map.groupBy(record.files, ({ project }) => project);
  for (const { name, version } of input.installed.toSorted(byName)) {
    const own = served.get(name) ?? [];
    const found = names.has(name) ? null : installedPackage(name, version, own, input.given);
    if (found === null) unlocated.push(`${name}==${version}`);
    else {
      names.add(name);
      installed.push(found);
    }
  }
  const used = new Set(installed.flatMap(({ files }) => files));
  const left = record.files.filter((file) => file.forBuild === true || !used.has(file));
  const built = buildPackages(left);
  const listed = new Set(built.packages.flatMap(({ files }) => files));
  const others = left.filter((file) => !listed.has(file));
  const hasBuild = left.length > 0 || record.crates.length > 0;
  return {
    runTime: lockText(input, installed, [], {
      ...(hasBuild ? { "build-lock": BUILD_LOCK } : {}),
      unlocated,
    }),
    build: hasBuild
      ? lockText(input, built.packages, built.groups, {
          "run-time-lock": RUN_TIME_LOCK,
          ...(others.length === 0 ? {} : { others: others.map(fileTable) }),
          ...(record.crates.length === 0 ? {} : { crates: record.crates.map(crateTable) }),
        })
      : null,
  };
}

const byName = (left: InstalledRelease, right: InstalledRelease): number =>
  left.name === right.name ? 0 : left.name < right.name ? -1 : 1;

function installedPackage(
  name: string,
  version: string,
  files: readonly RecordedFile[],
  given: GivenRelease | null = null,
): LockedPackage | null {
  const parsed = parseVersion(version);
  // A directory's name in a guest: it may be anything.
  if (parsed === null) return null;
  const known = formatVersion(parsed);
  if (given !== null && normaliseName(given.name) === name && sameVersion(given.version, known))
    return givenPackage(name, known, given);
  return packageOf(name, known, files);
}

function givenPackage(name: string, version: string, { from }: GivenRelease): LockedPackage | null {
  switch (from.kind) {
    case "index":
      return packageOf(name, version, [from.file]);
    // A tree's version is whatever its build makes of it: PEP 751 lets none be said.
    case "git":
      return {
        table: {
          name,
          vcs: {
            type: "git",
            url: from.url,
            ...(from.ref === null ? {} : { "requested-revision": from.ref }),
            "commit-id": from.commit,
          },
        },
        files: [],
      };
    case "archive":
      return {
        table: {
          name,
          version,
          archive: { path: from.filename, hashes: { sha256: from.sha256 } },
        },
        files: [],
      };
  }
}

/** An attempt may fetch any number of releases of a project: what no lock has room for is among the others. */
const MAX_GROUPS = 20;

/**
 * What is left, by release. One build may want another release of a project than the next: where there are several, the
 * newest is in group `build-1`, an older one in `build-2` and so on, and each group is a whole that can be installed.
 */
function buildPackages(files: readonly RecordedFile[]): {
  readonly packages: readonly LockedPackage[];
  readonly groups: readonly string[];
} {
  const projects = [...Map.groupBy(files, ({ project }) => project)]
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, own]) => ({ name, releases: releasesOf(own).slice(0, MAX_GROUPS) }));
  const most = projects.reduce((found, { releases }) => Math.max(found, releases.length), 0);
  const groups = most < 2 ? [] : Array.from({ length: most }, (_, index) => `build-${index + 1}`);
  const packages = projects.flatMap(({ name, releases }) =>
    releases.flatMap(([version, own], index) => {
      // The oldest of a project is that of all groups for which it has no older one.
      const last = index === releases.length - 1;
      const of = groups.slice(index, last ? groups.length : index + 1);
      const marker =
        releases.length < 2
          ? undefined
          : of.map((group) => `'${group}' in dependency_groups`).join(" or ");
      return packageOf(name, version, own, marker) ?? [];
    }),
  );
  return { packages, groups };
}

/** Of one project, the newest first. */
function releasesOf(
  files: readonly RecordedFile[],
): (readonly [version: string, files: readonly RecordedFile[]])[] {
  return [...Map.groupBy(files, (file) => versionOfFile(file))]
    .flatMap(([text, own]) => {
      const version = text === null ? null : parseVersion(text);
      return version === null ? [] : [{ version, own }];
    })
    .toSorted((left, right) => compareVersions(right.version, left.version))
    .map(({ version, own }) => [formatVersion(version), own] as const);
}

function lockText(
  { record, markers }: LockInput,
  packages: readonly LockedPackage[],
  groups: readonly string[],
  more: Table,
): string {
  return stringify({
    "lock-version": "1.0",
    ...(markers === undefined ? {} : { environments: [environmentOf(markers)] }),
    ...(groups.length === 0
      ? {}
      : { "dependency-groups": groups, "default-groups": groups.slice(0, 1) }),
    "created-by": "creamery",
    packages: packages.map(({ table }) => table),
    tool: {
      creamery: {
        attempt: record.attemptId,
        "index-date": record.before ?? record.openedAt,
        ...more,
      },
    },
  });
}

/** What decides which files and which dependencies fit. */
function environmentOf(markers: MarkerEnvironment): string {
  return (["implementation_name", "python_version", "sys_platform", "platform_machine"] as const)
    .map((name) => `${name} == '${markers[name]}'`)
    .join(" and ");
}

function crateTable({ name, version, sha256, sizeBytes }: AttemptRecord["crates"][number]): Table {
  return { name, version, checksum: sha256, size: sizeBytes };
}
