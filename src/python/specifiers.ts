import {
  VERSION_SOURCE,
  compareRelease,
  compareVersions,
  isPrerelease,
  parseVersion,
  publicVersion,
  type Version,
} from "./versions.ts";

/** Version specifiers by PEP 440. */

export type SpecifierOperator = "===" | "==" | "~=" | "!=" | "<=" | ">=" | "<" | ">";

export interface Specifier {
  readonly operator: SpecifierOperator;
  /** As written, without spaces around it. */
  readonly text: string;
  /** Null for `===`, which compares text. */
  readonly version: Version | null;
  /** `== 1.2.*` */
  readonly prefix: boolean;
}

export type SpecifierSet = readonly Specifier[];

const SPECIFIER = /^\s*(===|==|~=|!=|<=|>=|<|>)\s*([^\s;)]*)\s*$/;
const EXACT_VERSION = new RegExp(`^${VERSION_SOURCE}$`, "i");

/** One clause such as `>=1.2`, or null. */
export function parseSpecifier(text: string): Specifier | null {
  const match = SPECIFIER.exec(text);
  if (match === null) return null;
  const [, sign = "", written = ""] = match;
  const operator = OPERATORS.find((known) => known === sign);
  if (operator === undefined) return null;
  if (operator === "===")
    return written === "" ? null : { operator, text: written, version: null, prefix: false };
  const prefix = written.endsWith(".*");
  if (prefix && operator !== "==" && operator !== "!=") return null;
  const bare = prefix ? written.slice(0, -2) : written;
  if (!EXACT_VERSION.test(bare)) return null;
  const version = parseVersion(bare);
  if (version === null) return null;
  if (prefix && (version.pre ?? version.post ?? version.dev ?? null) !== null) return null;
  if ((prefix || (operator !== "==" && operator !== "!=")) && version.local.length > 0) return null;
  if (operator === "~=" && version.release.length < 2) return null;
  return { operator, text: written, version, prefix };
}

const OPERATORS = ["===", "==", "~=", "!=", "<=", ">=", "<", ">"] as const;

/** Clauses joined by commas (all must hold), or null when one is none. The empty text allows every version. */
export function parseSpecifierSet(text: string): SpecifierSet | null {
  const clauses = text
    .split(",")
    .map((clause) => clause.trim())
    .filter((clause) => clause !== "");
  const parsed = clauses.map(parseSpecifier);
  return parsed.every((clause) => clause !== null) ? parsed : null;
}

export function formatSpecifierSet(set: SpecifierSet): string {
  return set.map((clause) => `${clause.operator}${clause.text}`).join(",");
}

/** Does the version satisfy every clause? Pre-releases are judged like any other: who picks decides on them. */
export function satisfies(version: Version, set: SpecifierSet, versionText?: string): boolean {
  return set.every((clause) => satisfiesOne(version, clause, versionText));
}

/** The same, of a version's text; false for a text that is no version (but for `===`). */
export function satisfiesText(text: string, set: SpecifierSet): boolean {
  const version = parseVersion(text);
  if (version !== null) return satisfies(version, set, text);
  return set.every(
    (clause) => clause.operator === "===" && clause.text.toLowerCase() === text.toLowerCase(),
  );
}

function satisfiesOne(
  version: Version,
  clause: Specifier,
  versionText: string | undefined,
): boolean {
  const wanted = clause.version;
  if (wanted === null)
    return (versionText ?? "").trim().toLowerCase() === clause.text.toLowerCase();
  switch (clause.operator) {
    case "===":
      return false;
    case "==":
      return equals(version, wanted, clause.prefix);
    case "!=":
      return !equals(version, wanted, clause.prefix);
    case "<=":
      return compareVersions(publicVersion(version), wanted) <= 0;
    case ">=":
      return compareVersions(publicVersion(version), wanted) >= 0;
    case "<":
      return isBelow(version, wanted);
    case ">":
      return isAbove(version, wanted);
    case "~=":
      return (
        compareVersions(publicVersion(version), wanted) >= 0 &&
        startsWith(version, { epoch: wanted.epoch, release: wanted.release.slice(0, -1) })
      );
  }
}

function equals(version: Version, wanted: Version, prefix: boolean): boolean {
  if (prefix) return startsWith(version, wanted);
  // A local part counts only where the clause names one.
  return (
    compareVersions(wanted.local.length === 0 ? publicVersion(version) : version, wanted) === 0
  );
}

function startsWith(
  version: Version,
  prefix: { readonly epoch: number; readonly release: readonly number[] },
): boolean {
  return (
    version.epoch === prefix.epoch &&
    compareRelease(version.release.slice(0, prefix.release.length), prefix.release) === 0
  );
}

/** PEP 440: `<V` leaves out pre-releases of V itself, unless V is one. */
function isBelow(version: Version, wanted: Version): boolean {
  if (compareVersions(version, wanted) >= 0) return false;
  return isPrerelease(wanted) || !isPrerelease(version) || !sameBase(version, wanted);
}

/** PEP 440: `>V` leaves out post-releases and local versions of V itself, unless V is a post-release. */
function isAbove(version: Version, wanted: Version): boolean {
  if (compareVersions(version, wanted) <= 0) return false;
  if (wanted.post === null && version.post !== null && sameBase(version, wanted)) return false;
  return version.local.length === 0 || compareVersions(publicVersion(version), wanted) !== 0;
}

function sameBase(left: Version, right: Version): boolean {
  return left.epoch === right.epoch && compareRelease(left.release, right.release) === 0;
}

export interface ReleaseChoice {
  readonly version: string;
  readonly yanked: boolean;
}

/**
 * The newest release that satisfies `set`: final and not yanked; where there is none, a pre-release (PEP 440); a yanked
 * one only when the set pins exactly it (PEP 592). Null when nothing fits.
 */
export function pickNewest<Choice extends ReleaseChoice>(
  choices: Iterable<Choice>,
  set: SpecifierSet,
): Choice | null {
  const pinned = set.some(
    (clause) => (clause.operator === "==" && !clause.prefix) || clause.operator === "===",
  );
  const wantsPrerelease = set.some(
    (clause) => clause.version !== null && clause.operator !== "!=" && isPrerelease(clause.version),
  );
  let best: { choice: Choice; version: Version; rank: number } | null = null;
  for (const choice of choices) {
    const version = parseVersion(choice.version);
    if (version === null || !satisfies(version, set, choice.version) || (choice.yanked && !pinned))
      continue;
    const rank = (choice.yanked ? 0 : 2) + (isPrerelease(version) && !wantsPrerelease ? 0 : 1);
    if (
      best === null ||
      rank > best.rank ||
      (rank === best.rank && compareVersions(version, best.version) > 0)
    ) {
      best = { choice, version, rank };
    }
  }
  return best?.choice ?? null;
}
