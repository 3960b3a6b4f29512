import { normaliseName } from "./names.ts";

/** Dependency groups (PEP 735): `include-group` expanded. */
export type GroupExpansion =
  | { readonly kind: "ok"; readonly requirements: readonly string[] }
  | { readonly kind: "bad"; readonly why: string };

const MAX_REQUIREMENTS = 2000;

/**
 * @param groups the `[dependency-groups]` table as TOML gave it, unchecked.
 * @param name of the group, in any spelling.
 */
export function expandGroup(
  groups: Readonly<Record<string, unknown>>,
  name: string,
): GroupExpansion {
  const byName = new Map(Object.entries(groups).map(([key, value]) => [normaliseName(key), value]));
  const requirements: string[] = [];
  const why = expand(normaliseName(name), byName, [], requirements);
  return why === null ? { kind: "ok", requirements } : { kind: "bad", why };
}

function expand(
  name: string,
  groups: ReadonlyMap<string, unknown>,
  within: readonly string[],
  into: string[],
): string | null {
  if (within.includes(name)) return `dependency group ${name} includes itself`;
  const entries = groups.get(name);
  if (!Array.isArray(entries)) return `there is no dependency group ${name}`;
  for (const entry of entries) {
    if (into.length > MAX_REQUIREMENTS) return `dependency group ${name} is too large`;
    if (typeof entry === "string") {
      into.push(entry);
      continue;
    }
    const included: unknown =
      typeof entry === "object" && entry !== null ? Reflect.get(entry, "include-group") : undefined;
    if (typeof included !== "string")
      return `dependency group ${name} holds something that is neither a requirement nor an include`;
    const why = expand(normaliseName(included), groups, [...within, name], into);
    if (why !== null) return why;
  }
  return null;
}
