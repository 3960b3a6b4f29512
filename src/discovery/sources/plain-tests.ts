import type { TreeFile } from "../plan.ts";
import type { ProjectView } from "../project-view.ts";
import type { PytestConfig } from "../pytest-config.ts";
import type { CommandRung } from "../rung.ts";
import type { TestCommand } from "../test-command.ts";
import { baseName, functionsIn, isWithin, matchesGlob, testRoots } from "../test-files.ts";

/** Rungs C3, C6, C7 and C8: tests that are run by what they are, no command being written down. */

const MAX_ROOTS = 8;

/** Rung C3: a pytest configuration. */
export function pytestConfigRung(project: ProjectView, config: PytestConfig | null): CommandRung {
  if (config === null)
    return { rung: "C3", from: "pytest", candidates: [], why: "has no pytest configuration" };
  const present = config.testpaths.filter(
    (path) => path.includes("*") || project.has(path) || project.hasDirectory(path),
  );
  if (config.testpaths.length > 0 && present.length === 0) {
    return {
      rung: "C3",
      from: config.from,
      candidates: [],
      why: `testpaths of ${config.from} are not in the tree: ${config.testpaths.join(", ")}`,
    };
  }
  if (present.length === 0 && project.tests.length === 0)
    return {
      rung: "C3",
      from: config.from,
      candidates: [],
      why: `${config.from}, but no test files in the tree`,
    };
  const fromPackage = testpathsInSite(present, project);
  if (fromPackage.length > 0) {
    const command = pytestCommand(["-c", config.file, ...fromPackage], false);
    return { rung: "C3", from: config.from, candidates: [{ command }], why: "" };
  }
  const roots = config.testpaths.length > 0 ? [] : rootsFor(project);
  return {
    rung: "C3",
    from: config.from,
    candidates: [{ command: pytestCommand(roots, true) }],
    why: "",
  };
}

/** `testpaths` of a src layout's package mean the tests where they are installed. */
function testpathsInSite(paths: readonly string[], project: ProjectView): readonly string[] {
  if (paths.length === 0 || !paths.every((path) => path === "src" || path.startsWith("src/")))
    return [];
  const below = project.installedTests.filter((file) =>
    paths.some((path) => isWithin(`src/${file.path}`, path)),
  );
  return below.length === 0
    ? []
    : testRoots(below)
        .slice(0, MAX_ROOTS)
        .map((root) => `{site}/${root}`);
}

/** Rung C6: test files and no configuration. */
export function plainPytestRung(project: ProjectView): CommandRung {
  if (project.tests.length === 0)
    return { rung: "C6", from: "test files", candidates: [], why: "has no test files in the tree" };
  const nowhere = project.tests.every(
    (file) => !/^(?:test_.*|.*_test)\.py$/.test(baseName(file.path)),
  );
  // Names that pytest would pass over when given a directory are collected when they are given one by one.
  const paths = nowhere ? project.tests.map((file) => file.path).slice(0, 200) : rootsFor(project);
  return {
    rung: "C6",
    from: "test files",
    candidates: [{ command: pytestCommand(paths, true) }],
    why: "",
  };
}

/** Roots where they are few; from the tree's root where they are many. */
function rootsFor(project: ProjectView): readonly string[] {
  const roots = testRoots(project.tests);
  return roots.length > MAX_ROOTS ? [] : roots;
}

function pytestCommand(args: readonly string[], usesTree: boolean): TestCommand {
  return {
    runner: "pytest",
    argv: ["{python}", "-m", "pytest", ...args],
    cwd: ".",
    env: {},
    needs: [],
    usesTree,
  };
}

/** So few of the test functions that a runner which is wrong for them is right for the whole. */
const FEW = 0.1;

/** Rung C7: `unittest discover` in the directory that holds most tests. */
export function unittestRung(project: ProjectView): CommandRung {
  const tests = project.tests.filter((file) => file.usesUnittest === true);
  if (tests.length === 0)
    return {
      rung: "C7",
      from: "test files",
      candidates: [],
      why: "has no unittest test cases in the tree",
    };
  const marked = tests.filter((file) => file.usesPytest === true);
  if (functionsIn(marked) > functionsIn(tests) * FEW)
    return {
      rung: "C7",
      from: "test files",
      candidates: [],
      why: "its unittest test cases use pytest, whose marks unittest does not know",
    };
  const places = new Map<string, TreeFile[]>();
  for (const file of tests) {
    const place = packageTop(file.path, project);
    places.set(place.start, [...(places.get(place.start) ?? []), file]);
  }
  const ranked = [...places].toSorted(
    ([, left], [, right]) => functionsIn(right) - functionsIn(left),
  );
  const candidates = ranked.slice(0, 2).map(([start, files]) => {
    const { top } = packageTop(files[0]?.path ?? start, project);
    return { command: discoverCommand(start, start === top ? null : top, files, ".", true) };
  });
  return { rung: "C7", from: "test files", candidates, why: "" };
}

/** Where discovery starts for a test file, and the directory that must be on the path for it: a package's parent. */
function packageTop(
  path: string,
  project: ProjectView,
): { readonly start: string; readonly top: string } {
  const parts = path.split("/").slice(0, -1);
  const isPackage = (length: number): boolean =>
    length > 0 && project.has(`${parts.slice(0, length).join("/")}/__init__.py`);
  let top = parts.length;
  while (isPackage(top)) top--;
  // A namespace has no file of its own that says so: the installed package does.
  const namespace = project.units.find(
    (unit) => unit.includes("/") && `${path}/`.includes(`${unit}/`),
  );
  const above = namespace === undefined ? -1 : `/${path}`.indexOf(`/${namespace}/`);
  if (above >= 0)
    top = Math.min(
      top,
      path
        .slice(0, above)
        .split("/")
        .filter((part) => part !== "").length,
    );
  // A package's tests are found from the package that holds them all.
  const named = parts.findIndex(
    (part, index) => index >= top && /^_?tests?$|^testing$|^unittests?$/i.test(part),
  );
  const start = named >= 0 ? named + 1 : Math.min(top + (top < parts.length ? 1 : 0), parts.length);
  return {
    start: parts.slice(0, start).join("/") || ".",
    top: parts.slice(0, top).join("/") || ".",
  };
}

function discoverCommand(
  start: string,
  top: string | null,
  files: readonly TreeFile[],
  cwd: string,
  usesTree: boolean,
): TestCommand {
  const pattern = patternFor(files);
  const argv = [
    "{python}",
    "-m",
    "unittest",
    "discover",
    "-s",
    start,
    ...(top === null ? [] : ["-t", top]),
    ...(pattern === "test*.py" ? [] : ["-p", pattern]),
  ];
  return { runner: "unittest", argv, cwd, env: {}, needs: [], usesTree };
}

/** The file pattern under which most test functions are found. */
function patternFor(files: readonly TreeFile[]): string {
  const found = (pattern: string): number =>
    functionsIn(files.filter((file) => matchesGlob(file.path, pattern)));
  return (
    ["test*.py", "*_test.py", "*_tests.py", "*tests.py", "*test*.py", "*.py"].toSorted(
      (left, right) => found(right) - found(left),
    )[0] ?? "test*.py"
  );
}

/** Rung C8: tests that are shipped inside the installed package. */
export function installedTestsRung(project: ProjectView): CommandRung {
  const tests = project.installedTests;
  if (tests.length === 0)
    return {
      rung: "C8",
      from: "installed package",
      candidates: [],
      why: "no tests are installed with the package",
    };
  const roots = testRoots(tests).slice(0, MAX_ROOTS);
  const modules = roots.map((root) => root.replace(/\.py$/, "").replaceAll("/", "."));
  const pytest: TestCommand = {
    runner: "pytest",
    argv: ["{python}", "-m", "pytest", "--pyargs", ...modules],
    cwd: "{site}",
    env: {},
    needs: [],
    usesTree: false,
  };
  const unit = tests.filter((file) => file.usesUnittest === true);
  const candidates = [{ command: pytest }];
  if (unit.length > 0) {
    // One start for all of them: the package that holds the roots.
    const start = roots.length === 1 ? (roots[0] ?? "") : commonPackage(roots, project);
    const command = {
      ...discoverCommand(
        `{site}/${start.replace(/\/[^/]*\.py$/, "")}`,
        "{site}",
        unit,
        "{site}",
        false,
      ),
    };
    const only = tests.every((file) => file.usesPytest !== true);
    if (only) candidates.unshift({ command });
    else candidates.push({ command });
  }
  return { rung: "C8", from: "installed package", candidates, why: "" };
}

function commonPackage(roots: readonly string[], project: ProjectView): string {
  const unit = project.units.find((one) => roots.every((root) => isWithin(root, one)));
  return unit ?? roots[0] ?? "";
}
