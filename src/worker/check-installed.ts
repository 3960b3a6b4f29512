import type { MarkerEnvironment } from "../python/markers.ts";
import { normaliseName } from "../python/names.ts";
import { applies, parseRequirement } from "../python/requirements.ts";
import { satisfiesText } from "../python/specifiers.ts";

export interface InstalledDistribution {
  readonly name: string;
  readonly version: string;
  /** Its `Requires-Dist` headers. */
  readonly requires: readonly string[];
}

/**
 * What `pip check` would say: requirements of installed distributions that nothing installed satisfies, a line each.
 * Extras that nobody asked for ask for nothing.
 */
export function checkInstalled(
  distributions: readonly InstalledDistribution[],
  environment: MarkerEnvironment,
): string[] {
  const versions = new Map(
    distributions.map(({ name, version }) => [normaliseName(name), version] as const),
  );
  return distributions.flatMap(({ name, version, requires }) =>
    requires.flatMap((text) => {
      const wanted = parseRequirement(text);
      if (wanted === null || !applies(wanted, environment)) return [];
      const there = versions.get(wanted.project);
      if (there === undefined)
        return [`${name} ${version} requires ${wanted.name}, which is not installed`];
      return wanted.url !== null || satisfiesText(there, wanted.specifiers)
        ? []
        : [`${name} ${version} requires ${text.trim()}, but ${there} is installed`];
    }),
  );
}
