import { parseCoreMetadata } from "./core-metadata.ts";
import { normaliseName } from "./names.ts";
import { applies, parseRequirement, type Requirement } from "./requirements.ts";
import type { MarkerEnvironment } from "./markers.ts";

/** `run`: a plain install brings it. `extra`: only an extra does. `build`: it is there while the release is built. */
export const DEPENDENCY_KINDS = ["run", "extra", "build"] as const;
export type DependencyKind = (typeof DEPENDENCY_KINDS)[number];

export interface Dependency {
  /** Normalised. */
  readonly name: string;
  readonly kind: DependencyKind;
}

/** Of one release; what says more is cut: no release needs as many. */
export const MAX_DEPENDENCIES = 500;

const MINORS = [...Array.from({ length: 15 }, (_, index) => `3.${index + 6}`), "2.7"];

/** What the farm's targets can be, of all versions: markers that hold on none of these never apply (PEP 508). */
const ENVIRONMENTS: readonly MarkerEnvironment[] = MINORS.flatMap((minor) =>
  ["0", "99"].flatMap((micro) =>
    (["CPython", "PyPy"] as const).flatMap((implementation) =>
      (["x86_64", "aarch64"] as const).map((machine) => ({
        python_version: minor,
        python_full_version: `${minor}.${micro}`,
        implementation_version: `${minor}.${micro}`,
        os_name: "posix",
        sys_platform: minor === "2.7" ? "linux2" : "linux",
        platform_system: "Linux",
        platform_machine: machine,
        platform_python_implementation: implementation,
        implementation_name: implementation.toLowerCase(),
        platform_release: "6.12.0",
        platform_version: "",
      })),
    ),
  ),
);

/**
 * Whom a release depends on, by its own word, the release itself left out. What a marker keeps away from every target of the farm's is no
 * dependency here.
 * @param metadata core metadata (`Requires-Dist`). @param buildRequires PEP 518 `requires`; empty where nothing says them.
 */
export function dependenciesOf(
  metadata: string,
  buildRequires: readonly string[],
): readonly Dependency[] {
  const { name, requiresDist, extras } = parseCoreMetadata(metadata);
  const own = parseRequirement(name)?.project ?? "";
  const where = new Where();
  const found = new Map<string, Dependency>();
  const add = (requirement: Requirement, kind: DependencyKind | null) => {
    const key = `${kind} ${requirement.project}`;
    if (kind === null || requirement.project === own || found.size >= MAX_DEPENDENCIES) return;
    found.set(key, { name: requirement.project, kind });
  };
  for (const text of buildRequires) {
    const parsed = parseRequirement(text);
    if (parsed !== null && where.holds(parsed, [])) add(parsed, "build");
  }
  for (const requirement of requiresDist) add(requirement, kindOf(requirement, extras, where));
  const all = [...found.values()];
  const plain = new Set(all.flatMap(({ name: one, kind }) => (kind === "run" ? [one] : [])));
  return all.filter(({ name: one, kind }) => kind !== "extra" || !plain.has(one));
}

function kindOf(
  requirement: Requirement,
  extras: readonly string[],
  where: Where,
): DependencyKind | null {
  if (where.holds(requirement, [])) return "run";
  return extras.length > 0 && where.holds(requirement, extras) ? "extra" : null;
}

/** So many characters of different markers are evaluated, of all targets each: what says more was made to take long. */
const MAX_MARKER_CHARS = 32 * 1024;
const MAX_EXTRAS = 8;

/** Whether markers hold anywhere: each is evaluated once, since a release's are much the same. */
class Where {
  readonly #known = new Map<string, boolean>();
  #chars = 0;

  holds(requirement: Requirement, extras: readonly string[]): boolean {
    if (requirement.marker === null) return true;
    const { text } = requirement;
    const key = `${extras.length > 0} ${text.slice(text.indexOf(";"))}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#chars += key.length;
    if (this.#chars > MAX_MARKER_CHARS) return false;
    const written = text.toLowerCase().replaceAll(/[-_.]+/gu, "-");
    const named = extras.filter((extra) => written.includes(normaliseName(extra)));
    const asked = named.slice(0, MAX_EXTRAS);
    const holds =
      (extras.length === 0 || asked.length > 0) &&
      ENVIRONMENTS.some((environment) => applies(requirement, environment, asked));
    this.#known.set(key, holds);
    return holds;
  }
}
