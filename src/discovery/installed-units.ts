import type { InstalledListing, TreeFile } from "./plan.ts";
import type { ProjectView } from "./project-view.ts";
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
 * Paths of the tree whose form there is to give way to the installed form. Where the tree's package holds tests that were
 * not installed, only its other parts do. Below `src` a package is not found by an import and stays as it is (suites read
 * their sources there), unless its tests lie in it: pytest would put `src` on the path for them.
 */
export function pathsToReplace(
  project: Pick<ProjectView, "tree" | "installed" | "units" | "tests">,
): readonly string[] {
  const { tree, installed, units } = project;
  const present = installed.files.map((file) => file.path);
  return ["", "src/", "lib/", "python/"].flatMap((prefix) =>
    units.flatMap((unit) => {
      const below = tree.files.filter(
        (file) => file.path === prefix + unit || file.path.startsWith(`${prefix}${unit}/`),
      );
      const tests = below.filter(keptForTests).map((file) => file.path.slice(prefix.length));
      if (
        below.length === 0 ||
        (prefix !== "" && !below.some((file) => project.tests.includes(file)))
      )
        return [];
      const kept = tests.filter((path) => !present.includes(path));
      const parts = kept.length === 0 ? [unit] : partsWithout(unit, kept, present);
      return parts.map((part) => prefix + part);
    }),
  );
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
