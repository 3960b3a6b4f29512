import type { TreeFile } from "./plan.ts";

/** Which files hold tests, and where. */

const TEST_DIRECTORY = /^_?(?:tests?|testing|unittests?|.*_tests?)$/i;
const TEST_NAME = /^(?:test.*|.*_tests?|tests?)\.py$/i;
// Copies of other projects, and what is built: their tests are not this release's.
const FOREIGN =
  /^(?:node_modules|\.git|\.tox|\.nox|build|dist|_?vendor(?:ed)?|_vendored_packages|third_party|extern(?:als?)?|.*\.egg-info|.*\.dist-info)$/i;
const SIDE =
  /^(?:docs?|documentation|examples?|samples?|demos?|bench(?:marks?|marking)?|scripts|tools|downstream|perf)$/i;

/** Does the file hold tests that a runner would find? */
export function isTestFile(file: TreeFile): boolean {
  if (!file.path.endsWith(".py")) return false;
  const parts = file.path.split("/");
  const name = parts.at(-1) ?? "";
  const directories = parts.slice(0, -1);
  if (directories.some((part) => FOREIGN.test(part)) || name === "conftest.py") return false;
  const holds = file.testFunctions > 0 || file.usesUnittest === true;
  return (
    holds &&
    (TEST_NAME.test(name) ||
      (file.testFunctions > 0 && directories.some((part) => TEST_DIRECTORY.test(part))))
  );
}

/** Tests in examples, docs and benchmarks count only where there are no others. */
export function primaryTests(tests: readonly TreeFile[]): readonly TreeFile[] {
  const main = tests.filter(
    (file) =>
      !file.path
        .split("/")
        .slice(0, -1)
        .some(
          (part, index, all) =>
            SIDE.test(part) && !all.slice(0, index).some((before) => TEST_DIRECTORY.test(before)),
        ),
  );
  return main.length > 0 ? main : tests;
}

/**
 * Modules of the release itself that look like tests (`pkg/tests.py` of predicates, `pkg/testing/` for others' suites)
 * count only where there are no tests outside of it or in a directory of tests.
 */
export function withoutSupportModules(
  tests: readonly TreeFile[],
  units: readonly string[],
): readonly TreeFile[] {
  const supports = (file: TreeFile): boolean => {
    const inner = file.path.replace(/^(?:src|lib|python)\//, "");
    const unit = units.find((one) => inner.startsWith(`${one}/`));
    return (
      unit !== undefined &&
      !inner
        .slice(unit.length + 1)
        .split("/")
        .slice(0, -1)
        .some((part) => /^_?(?:tests?|unittests?)$/i.test(part))
    );
  };
  const main = tests.filter((file) => !supports(file));
  return functionsIn(main) * 2 > functionsIn(tests) ? main : tests;
}

/**
 * The few places to give to a runner: directories named for tests, or the directory of a test file beside the code; a
 * file at the root stands for itself.
 */
export function testRoots(tests: readonly TreeFile[]): readonly string[] {
  const roots = new Set(tests.map((file) => rootOf(file.path)));
  const all = [...roots];
  return all
    .filter((root) => !all.some((other) => other !== root && root.startsWith(`${other}/`)))
    .toSorted();
}

function rootOf(path: string): string {
  const parts = path.split("/").slice(0, -1);
  const named = parts.findIndex((part) => TEST_DIRECTORY.test(part));
  if (named >= 0) return parts.slice(0, named + 1).join("/");
  return parts.length === 0 ? path : parts.join("/");
}

/** Does pytest's or unittest's glob match this file? One with a slash in it is about the path's end, as pytest has it. */
export function matchesGlob(path: string, glob: string): boolean {
  const name = glob.includes("/") ? path : baseName(path);
  // Many stars make a pattern that a hostile name could keep busy.
  if (glob.length > 200 || glob.split("*").length > 6) return false;
  const pattern = glob
    .replaceAll(/[.+^${}()|\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(glob.includes("/") ? `(?:^|/)${pattern}$` : `^${pattern}$`).test(name);
}

/** Is the path the place itself, or below it? */
export function isWithin(path: string, place: string): boolean {
  return place === "" || place === "." || path === place || path.startsWith(`${place}/`);
}

export function functionsIn(tests: readonly TreeFile[]): number {
  return tests.reduce((sum, file) => sum + file.testFunctions, 0);
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
