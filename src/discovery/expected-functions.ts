import { posix } from "node:path";
import type { TreeFile } from "./plan.ts";
import type { ProjectView } from "./project-view.ts";
import { placesAmong } from "./pytest-arguments.ts";
import type { PytestConfig } from "./pytest-config.ts";
import type { TestCommand } from "./test-command.ts";
import { functionsIn, isWithin, matchesGlob } from "./test-files.ts";

/** How many test functions were seen where a command looks. */
export function expectedFunctions(
  command: TestCommand,
  project: ProjectView,
  config: PytestConfig | null,
): number {
  switch (command.runner) {
    case "pytest":
      return inPytest(command, project, config);
    case "unittest":
      return inUnittest(command, project);
    case "custom":
      return inCustom(command, project);
  }
}

function inPytest(command: TestCommand, project: ProjectView, config: PytestConfig | null): number {
  const globs = config?.pythonFiles ?? ["test_*.py", "*_test.py"];
  const collected = (file: TreeFile): boolean => globs.some((glob) => matchesGlob(file.path, glob));
  const args = placesAmong(command.argv.slice(command.argv.indexOf("pytest") + 1));
  const modules = command.argv.includes("--pyargs")
    ? args.filter((word) => /^[\w.]+$/.test(word)).map((word) => word.replaceAll(".", "/"))
    : [];
  const site = [
    ...args
      .filter((word) => word.startsWith("{site}/"))
      .map((word) => word.slice("{site}/".length)),
    ...modules,
  ];
  const installed = project.installedTests.filter((file) =>
    site.some((place) => isWithin(file.path, place) || file.path === `${place}.py`),
  );
  const given = command.cwd.startsWith("{site}")
    ? []
    : args
        .map((word) => posix.normalize(posix.join(command.cwd, word.split("::")[0] ?? "")))
        .filter((path) => path !== "." && (project.has(path) || project.hasDirectory(path)));
  if (given.length === 0 && site.length > 0) return functionsIn(installed.filter(collected));
  const configured =
    given.length > 0
      ? given
      : (config?.testpaths ?? []).map((path) => path.replace(/\/?[^/]*\*.*$/, ""));
  const places = configured.length > 0 ? configured : [command.cwd];
  const inTree = (
    given.length > 0 || configured.length > 0 ? allTests(project) : project.tests
  ).filter((file) => places.some((place) => isWithin(file.path, place)));
  // A file that is named is collected whatever its name.
  return (
    functionsIn(inTree.filter((file) => collected(file) || places.includes(file.path))) +
    functionsIn(installed.filter(collected))
  );
}

function allTests(project: ProjectView): readonly TreeFile[] {
  return project.tree.files.filter((file) => file.testFunctions > 0 && file.path.endsWith(".py"));
}

function inUnittest(command: TestCommand, project: ProjectView): number {
  const { argv, cwd } = command;
  const option = (...names: readonly string[]): string | undefined => {
    const index = argv.findIndex((word) => names.includes(word));
    return index < 0 ? undefined : argv[index + 1];
  };
  if (!argv.includes("discover")) {
    const named = argv.slice(argv.indexOf("unittest") + 1).filter((word) => !word.startsWith("-"));
    const paths = named.map((word) => word.replace(/\.py$/, "").replaceAll(".", "/"));
    const files = [...project.tests, ...project.installedTests];
    if (named.length === 0) return functionsIn(project.tests);
    return functionsIn(
      files.filter((file) =>
        paths.some(
          (path) =>
            isWithin(
              file.path,
              posix.normalize(posix.join(cwd.startsWith("{") ? "." : cwd, path)),
            ) ||
            file.path === `${path}.py` ||
            path.startsWith(`${file.path.replace(/\.py$/, "")}/`),
        ),
      ),
    );
  }
  const positional = argv
    .slice(argv.indexOf("discover") + 1)
    .find((word, index, all) => !word.startsWith("-") && !/^-[stp]$/.test(all[index - 1] ?? ""));
  const start = option("-s", "--start-directory") ?? positional ?? ".";
  const pattern = (option("-p", "--pattern") ?? "test*.py").replaceAll(/["']/g, "");
  const matching = (files: readonly TreeFile[]): readonly TreeFile[] =>
    files.filter((file) => matchesGlob(file.path, pattern));
  if (start.startsWith("{site}")) {
    const place = start.slice("{site}".length).replace(/^\//, "");
    return functionsIn(
      matching(project.installedTests).filter((file) => isWithin(file.path, place)),
    );
  }
  const place = posix.normalize(posix.join(cwd, start));
  return functionsIn(matching(project.tests).filter((file) => isWithin(file.path, place)));
}

function inCustom(command: TestCommand, project: ProjectView): number {
  const module = command.argv[command.argv.indexOf("-m") + 1];
  if (command.argv.includes("-m") && module !== undefined) {
    const place = module.replaceAll(".", "/");
    const own = project.installedTests.filter(
      (file) => isWithin(file.path, place) || file.path === `${place}.py`,
    );
    if (own.length > 0) return functionsIn(own);
  }
  return Math.max(
    functionsIn(project.tests),
    command.usesTree ? 0 : functionsIn(project.installedTests),
  );
}
