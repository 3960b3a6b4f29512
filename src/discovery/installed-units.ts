import type { InstalledListing, TreeFile, TreeListing } from "./plan.ts";
import { isTestFile } from "./test-files.ts";

/** What the release installs, and what of it lies in the tree where an import would find it first. */

const NOT_CODE = /(?:\.dist-info|\.egg-info|\.data)$/;
// Installed by mistake next to the package: the tree's own are what is tested with.
const SUPPORT = /^(?:tests?|testing|docs?|examples?|benchmarks?|scripts|tools)$/;

/**
 * Packages (the shallowest directories with an `__init__.py`, so `zope/interface` of a namespace) and top-level modules,
 * relative to site-packages.
 */
export function installedUnits(installed: InstalledListing): readonly string[] {
  const code = installed.files
    .map((file) => file.path)
    .filter((path) => !path.startsWith("..") && !NOT_CODE.test(path.split("/")[0] ?? ""));
  const regular = new Set(
    code
      .filter((path) => path.endsWith("/__init__.py"))
      .map((path) => path.slice(0, -"/__init__.py".length)),
  );
  const units = new Set<string>();
  for (const path of code) {
    const parts = path.split("/");
    if (parts.length === 1) {
      if (path.endsWith(".py")) units.add(path);
      continue;
    }
    const prefixes = parts.slice(0, -1).map((_, index) => parts.slice(0, index + 1).join("/"));
    const unit =
      prefixes.find((prefix) => regular.has(prefix)) ??
      (path.endsWith(".py") ? prefixes.at(-1) : undefined);
    if (unit !== undefined && !(SUPPORT.test(unit) && installed.topLevel.length > 1))
      units.add(unit);
  }
  const all = [...units];
  return all
    .filter((unit) => !all.some((other) => other !== unit && unit.startsWith(`${other}/`)))
    .toSorted();
}

/**
 * Paths, the same in the tree and in site-packages, whose tree form is to give way to the installed form. Where the
 * tree's package holds tests that were not installed, only its other parts do.
 */
export function pathsToReplace(
  tree: TreeListing,
  installed: InstalledListing,
  units: readonly string[],
): readonly string[] {
  return units.flatMap((unit) => {
    const below = tree.files.filter(
      (file) => file.path === unit || file.path.startsWith(`${unit}/`),
    );
    if (below.length === 0) return [];
    const present = new Set(installed.files.map((file) => file.path));
    const left = below.filter((file) => keptForTests(file) && !present.has(file.path));
    if (left.length === 0) return [unit];
    return partsWithout(
      unit,
      left.map((file) => file.path),
      [...present],
    );
  });
}

function keptForTests(file: TreeFile): boolean {
  return isTestFile(file) || file.path.endsWith("/conftest.py");
}

/** The installed paths below `unit`, as shallow as can be, that hold none of `kept`. */
function partsWithout(
  unit: string,
  kept: readonly string[],
  present: readonly string[],
): readonly string[] {
  const parts = new Set<string>();
  for (const path of present.filter((one) => one.startsWith(`${unit}/`))) {
    const segments = path.split("/");
    const depth = segments.findIndex((_, index) => {
      const prefix = segments.slice(0, index + 1).join("/");
      return prefix.length > unit.length && !kept.some((one) => one.startsWith(`${prefix}/`));
    });
    if (depth >= 0) parts.add(segments.slice(0, depth + 1).join("/"));
  }
  return [...parts].toSorted();
}
