import { evaluateMarker, parseMarker, type Marker, type MarkerEnvironment } from "./markers.ts";
import { isName, normaliseName } from "./names.ts";
import { formatSpecifierSet, parseSpecifierSet, type SpecifierSet } from "./specifiers.ts";

/** A dependency specifier (PEP 508). */
export interface Requirement {
  /** As written. */
  readonly name: string;
  /** Normalised (PEP 503). */
  readonly project: string;
  readonly extras: readonly string[];
  readonly specifiers: SpecifierSet;
  /** `name @ URL` */
  readonly url: string | null;
  readonly marker: Marker | null;
  readonly text: string;
}

const MAX_REQUIREMENT_CHARS = 4096;
const HEAD = /^\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[([^\]]*)\])?\s*/;

/** The requirement, or null when the text is none by PEP 508. */
export function parseRequirement(text: string): Requirement | null {
  if (text.length > MAX_REQUIREMENT_CHARS) return null;
  const head = HEAD.exec(text);
  if (head === null) return null;
  const [whole, name = "", extrasText] = head;
  const extras =
    extrasText === undefined || extrasText.trim() === ""
      ? []
      : extrasText.split(",").map((extra) => extra.trim());
  if (!extras.every(isName)) return null;
  const rest = text.slice(whole.length);
  const base = { name, project: normaliseName(name), extras, text: text.trim() };
  if (rest.startsWith("@")) return parseUrlPart(rest.slice(1), base);
  const semicolon = rest.indexOf(";");
  const specifiers = parseVersionsPart((semicolon < 0 ? rest : rest.slice(0, semicolon)).trim());
  const marker = semicolon < 0 ? null : parseMarker(rest.slice(semicolon + 1));
  if (specifiers === null || (semicolon >= 0 && marker === null)) return null;
  return { ...base, specifiers, url: null, marker };
}

type Base = Pick<Requirement, "name" | "project" | "extras" | "text">;

function parseUrlPart(text: string, base: Base): Requirement | null {
  // The URL ends at white space; a marker after it needs white space before its semicolon.
  const match = /^[ \t]*([^ \t]+)(?:[ \t]+(?:;(.*))?)?$/s.exec(text);
  if (match === null) return null;
  const [, url = "", markerText] = match;
  const marker = markerText === undefined ? null : parseMarker(markerText);
  if (markerText !== undefined && marker === null) return null;
  return { ...base, specifiers: [], url, marker };
}

function parseVersionsPart(text: string): SpecifierSet | null {
  const bare = text.startsWith("(") && text.endsWith(")") ? text.slice(1, -1).trim() : text;
  if (bare === "") return [];
  // One comma may end the list; two in a row or one at its start is no list.
  if (/^,|,\s*,/.test(bare)) return null;
  return parseSpecifierSet(bare);
}

/** Does the requirement apply there? One without a marker always does. */
export function applies(
  requirement: Requirement,
  environment: MarkerEnvironment,
  extras: readonly string[] = [],
): boolean {
  return requirement.marker === null || evaluateMarker(requirement.marker, environment, extras);
}

/** `name[extra]>=1` or `name[extra] @ url`, its marker left out. */
export function withoutMarker(requirement: Requirement): string {
  const extras = requirement.extras.length === 0 ? "" : `[${requirement.extras.join(",")}]`;
  if (requirement.url !== null) return `${requirement.name}${extras} @ ${requirement.url}`;
  return `${requirement.name}${extras}${formatSpecifierSet(requirement.specifiers)}`;
}
