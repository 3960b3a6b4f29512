import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import type { IndexFile, ProjectPage } from "../../index/index-service.ts";
import { parseSdistFilename, parseWheelFilename } from "../../python/distribution-filename.ts";
import {
  formatSpecifierSet,
  pickNewest,
  satisfiesText,
  type SpecifierSet,
} from "../../python/specifiers.ts";
import {
  compareVersions,
  formatVersion,
  parseVersion,
  type Version,
} from "../../python/versions.ts";

/** A release as a project's page has it: the files that are wheels or sdists of this project, best first. */
export interface PageRelease {
  /** Canonical (PEP 440). */
  readonly version: string;
  /** All of its files are (PEP 592). */
  readonly yanked: boolean;
  readonly sdists: readonly IndexFile[];
  /** By name. */
  readonly wheels: readonly IndexFile[];
}

/** PEP 625 has the first alone; the others are older, and taken where there is nothing better. */
const SDIST_SUFFIXES = [".tar.gz", ".zip", ".tgz", ".tar.bz2", ".tar.xz"];
const SHOWN_VERSIONS = 5;

/** The page's releases, the newest first. Files with names that are none of this project's are passed over, as pip does. */
export function releasesOf(page: ProjectPage): readonly PageRelease[] {
  const releases = new Map<
    string,
    { sdists: [string, IndexFile][]; wheels: [string, IndexFile][] }
  >();
  for (const file of page.files) {
    const wheel = parseWheelFilename(file.filename);
    const known = wheel ?? parseSdistFilename(file.filename, page.name);
    const version = known === null ? null : parseVersion(known.version);
    if (known === null || version === null || known.project !== page.name) continue;
    const key = sameKey(version);
    const release = releases.get(key) ?? { sdists: [], wheels: [] };
    releases.set(key, release);
    release[known.kind === "wheel" ? "wheels" : "sdists"].push([known.version, file]);
  }
  return [...releases.values()]
    .map(({ sdists, wheels }) => {
      const best = sdists.toSorted(([, left], [, right]) => compareSdists(left, right));
      const named = wheels.toSorted(([, left], [, right]) => byName(left, right));
      return {
        version: (best[0] ?? named[0])?.[0] ?? "",
        yanked: [...best, ...named].every(([, { yanked }]) => yanked !== null),
        sdists: best.map(([, file]) => file),
        wheels: named.map(([, file]) => file),
      };
    })
    .toSorted((left, right) => compareTexts(right.version, left.version));
}

/**
 * The release that pip would take: the newest that fits, a pre-release or a yanked one only as PEP 440 and 592 have it.
 * @param specifier null for any.
 * @throws CreameryError `no-distribution`, `unknown-version`.
 */
export function chooseRelease(page: ProjectPage, specifier: SpecifierSet | null): PageRelease {
  const set = specifier ?? [];
  const releases = releasesOf(page);
  const chosen = pickNewest(releases, set);
  if (chosen !== null) return chosen;
  const input = `${page.name}${formatSpecifierSet(set)}`;
  const listed = page.versions.find((version) => satisfiesText(version, set));
  const fitting = releases.find(({ version }) => satisfiesText(version, set));
  if (releases.length === 0 || (fitting === undefined && listed !== undefined)) {
    throw new CreameryError(
      "no-distribution",
      page.status === "quarantined"
        ? "its index holds it in quarantine, without files"
        : "none of its files on the index is a wheel or an sdist",
      { input, nextStep: "name another release, or test its repository by git+https://" },
    );
  }
  if (fitting !== undefined) {
    const why = [...fitting.sdists, ...fitting.wheels].find(({ yanked }) => yanked !== "")?.yanked;
    throw new CreameryError(
      "unknown-version",
      `what fits is yanked: ${fitting.version}${why === undefined || why === null ? "" : ` (${clip(printableLine(why), 120)})`}`,
      {
        input,
        nextStep: `pin it, as in ${page.name}==${fitting.version}, to have it all the same`,
      },
    );
  }
  const versions = releases.filter(({ yanked }) => !yanked).map(({ version }) => version);
  const shown = versions.length === 0 ? releases.map(({ version }) => version) : versions;
  throw new CreameryError(
    "unknown-version",
    `there is no such release; the newest ${shown.length === 1 ? "is" : "are"} ${shown.slice(0, SHOWN_VERSIONS).join(", ")}`,
    { input, nextStep: `write ${page.name}==${newestOf(shown)}, for one` },
  );
}

/** What is taken when none is named. */
function newestOf(versions: readonly string[]): string {
  return (
    pickNewest(
      versions.map((version) => ({ version, yanked: false })),
      [],
    )?.version ?? ""
  );
}

/** `1.0` and `1.0.0` are one release. */
function sameKey(version: Version): string {
  const release = [...version.release];
  while (release.length > 1 && release.at(-1) === 0) release.pop();
  return formatVersion({ ...version, release });
}

function compareTexts(left: string, right: string): number {
  const [one, other] = [parseVersion(left), parseVersion(right)];
  return one === null || other === null ? 0 : compareVersions(one, other);
}

function compareSdists(left: IndexFile, right: IndexFile): number {
  return (
    Number(left.yanked !== null) - Number(right.yanked !== null) ||
    suffixRank(left) - suffixRank(right) ||
    byName(left, right)
  );
}

function suffixRank({ filename }: IndexFile): number {
  return SDIST_SUFFIXES.findIndex((suffix) => filename.endsWith(suffix));
}

function byName(left: IndexFile, right: IndexFile): number {
  return left.filename < right.filename ? -1 : Number(left.filename > right.filename);
}
