import type { MarkerEnvironment } from "./markers.ts";
import { parseRequirement, type Requirement } from "./requirements.ts";
import { parseSpecifierSet, satisfiesText } from "./specifiers.ts";

/** Core metadata (PEP 566, 643, 685): the fields that the farm reads, each bounded. */
export interface CoreMetadata {
  readonly name: string;
  readonly version: string;
  readonly requiresPython: string | null;
  readonly requiresDist: readonly Requirement[];
  /** `Requires-Dist` lines that are no requirements. */
  readonly badRequiresDist: readonly string[];
  readonly extras: readonly string[];
  /** Label (lower case) and address. */
  readonly projectUrls: readonly (readonly [label: string, url: string])[];
  readonly homePage: string | null;
  readonly classifiers: readonly string[];
  readonly dynamic: readonly string[];
}

const MAX_METADATA_CHARS = 1024 * 1024;
const MAX_VALUES = 5000;

/** Reads the headers up to the first empty line; what is past the bounds is left out. */
export function parseCoreMetadata(text: string): CoreMetadata {
  const headers = readHeaders(text.slice(0, MAX_METADATA_CHARS));
  const all = (name: string): readonly string[] =>
    headers.filter(([key]) => key === name).map(([, value]) => value);
  const one = (name: string): string | null => all(name)[0] ?? null;
  const requires = all("requires-dist").map((line) => ({ line, parsed: parseRequirement(line) }));
  return {
    name: one("name") ?? "",
    version: one("version") ?? "",
    requiresPython: one("requires-python"),
    requiresDist: requires.flatMap(({ parsed }) => (parsed === null ? [] : [parsed])),
    badRequiresDist: requires.flatMap(({ line, parsed }) => (parsed === null ? [line] : [])),
    extras: all("provides-extra"),
    projectUrls: all("project-url").flatMap((line) => {
      const comma = line.indexOf(",");
      return comma < 0
        ? []
        : [[line.slice(0, comma).trim().toLowerCase(), line.slice(comma + 1).trim()] as const];
    }),
    homePage: one("home-page"),
    classifiers: all("classifier"),
    dynamic: all("dynamic").map((field) => field.toLowerCase()),
  };
}

function readHeaders(text: string): readonly (readonly [string, string])[] {
  const headers: [string, string][] = [];
  for (const line of text.split(/\r\n|\r|\n/)) {
    if (line === "" || headers.length >= MAX_VALUES) break;
    const last = headers.at(-1);
    if (/^[ \t]/.test(line)) {
      if (last !== undefined) last[1] += ` ${line.trim()}`;
      continue;
    }
    const colon = line.indexOf(":");
    if (colon > 0)
      headers.push([line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()]);
  }
  return headers;
}

/**
 * Does `Requires-Python` allow this interpreter? One that is no specifier is passed over, as pip does.
 * @param environment its `python_full_version` is compared, without a pre-release's suffix (3.15.0b2 counts as 3.15.0).
 */
export function allowsPython(
  requiresPython: string | null,
  environment: MarkerEnvironment,
): boolean {
  if (requiresPython === null) return true;
  const set = parseSpecifierSet(requiresPython);
  const [version = ""] = /^\d+(?:\.\d+)*/.exec(environment["python_full_version"] ?? "") ?? [];
  return set === null || satisfiesText(version, set);
}
