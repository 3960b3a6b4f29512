import { normaliseName } from "../python/names.ts";
import {
  applies,
  parseRequirement,
  withoutMarker,
  type Requirement,
} from "../python/requirements.ts";
import { extraRequirements } from "./declared-requirements.ts";
import { distributionForImport, isCommonInTests } from "./import-names.ts";
import type { DependencyStep } from "./plan.ts";
import type { ProjectView } from "./project-view.ts";
import { pluginsNeeded, type PytestConfig } from "./pytest-config.ts";
import type { DeclaredRequirements } from "./rung.ts";
import { STANDARD_MODULES } from "./standard-modules.ts";
import type { TestCommand } from "./test-command.ts";

/** What is installed for a plan, and in which order. */

// Never needed to run tests, unless a test imports them: linters, formatters, documentation, releases, environments.
const NOT_FOR_TESTS =
  /^(?:ruff|black|isort|flake8.*|pyflakes|pylint.*|mypy|pyright|basedpyright|ty|pyrefly|pytype|pyre-check|bandit|pre-commit.*|prek|tox.*|nox|codespell|doc8|interrogate|vulture|autoflake|yapf|pyupgrade|pycodestyle|pydocstyle|safety|pip-audit|sphinx.*|furo|myst.*|mkdocs.*|mkdocstrings.*|pydata-sphinx-theme|readme-renderer|towncrier|twine|build|check-manifest|check-sdist|bump2version|bumpversion|bump-my-version|commitizen|zest-releaser|cibuildwheel|codecov|coveralls|reno|pdoc.*|numpydoc|jupyter.*|ipykernel|types-.*|.*-stubs|gha-update|asv|pytest-(?:black|flake8|isort|mypy|pylint|ruff|checkdocs|enabler|codspeed)|uv|hatch|pdm|poetry|pip-tools|wheel)$/;
const TEST_SUPPORT =
  /^(?:pytest.*|hypothesis.*|nose2|mock|coverage|tzdata|anyio|trio|covdefaults|time-machine|freezegun|testtools|zope-testing|zope-testrunner|virtue|twisted|setuptools)$/;
const MAX_IMPORT_STEPS = 8;

export interface StepRequest {
  readonly project: ProjectView;
  readonly command: TestCommand;
  readonly config: PytestConfig | null;
  readonly declared: DeclaredRequirements | null;
  readonly minPytest: string | null;
  /** No source says what the tests need: what they import is installed by its distribution's name. */
  readonly installImports: boolean;
}

/**
 * First what the runner, its plugins and the tests' imports need (a failure of it counts), then what else a source for
 * tests alone declares, then what is imported and nowhere declared: both optional.
 */
export function dependencySteps(request: StepRequest): readonly DependencyStep[] {
  const { project, command, config, declared } = request;
  const requirements = prepare(declared?.requirements ?? [], project);
  const imported = importedDistributions(project);
  const plugins =
    command.runner === "pytest"
      ? pluginsNeeded(config, [...command.argv, ...envOptions(command.env)])
      : [];
  const wanted = new Set([
    ...imported.map(nameOf),
    ...plugins.map(nameOf),
    ...command.needs.map(nameOf),
  ]);
  const usable = requirements.filter(
    (one) => wanted.has(one.project) || !NOT_FOR_TESTS.test(one.project),
  );
  const needed = usable.filter(
    (one) =>
      wanted.has(one.project) ||
      (TEST_SUPPORT.test(one.project) &&
        (declared?.mixed === true ? /^pytest|^hypothesis/.test(one.project) : true)),
  );
  const rest = declared?.mixed === true ? [] : usable.filter((one) => !needed.includes(one));
  const has = (name: string): boolean =>
    requirements.some((one) => one.project === nameOf(name)) ||
    nameOf(name) === nameOf(project.context.project);
  const runner = [
    ...(command.runner === "pytest" && !has("pytest")
      ? [`pytest${request.minPytest === null ? "" : `>=${request.minPytest}`}`]
      : []),
    ...command.needs,
    ...plugins,
  ].filter((name) => !has(name));
  const known = (name: string): boolean =>
    has(name) ||
    runner.some((one) => nameOf(one) === nameOf(name)) ||
    nameOf(name) === "pytest" ||
    requiredByRelease(project, name);
  const undeclared = request.installImports
    ? imported.filter((name) => isCommonInTests(name) && !known(name))
    : [];
  return [
    { from: "runner", requirements: [...new Set(runner)], optional: false },
    { from: declared?.from ?? "", requirements: needed.map(withoutMarker), optional: false },
    { from: declared?.from ?? "", requirements: rest.map(withoutMarker), optional: true },
    // One step for each: a name that no index knows must not keep the others out.
    ...undeclared
      .slice(0, MAX_IMPORT_STEPS)
      .map((name) => ({ from: "imports", requirements: [name], optional: true })),
  ].filter((step) => step.requirements.length > 0);
}

function envOptions(env: Readonly<Record<string, string>>): readonly string[] {
  return (env["PYTEST_ADDOPTS"] ?? "").split(/\s+/).filter((word) => word !== "");
}

/** Requirements that apply here; the release's own extras are taken apart, the release itself and addresses left out. */
function prepare(
  texts: readonly string[],
  project: ProjectView,
  depth = 0,
): readonly Requirement[] {
  const own = normaliseName(project.context.project);
  const seen = new Set<string>();
  return texts
    .flatMap((text) => {
      const one = parseRequirement(text);
      if (one === null || !applies(one, project.context.markers)) return [];
      if (one.project === own)
        return depth > 3
          ? []
          : one.extras.flatMap((extra) =>
              prepare(extraRequirements(project, extra), project, depth + 1),
            );
      // The index is all there is: what is named by an address is taken from there, newest.
      return one.url === null ? [one] : [{ ...one, url: null }];
    })
    .filter((one) => {
      const key = withoutMarker(one);
      return seen.has(key) ? false : (seen.add(key), true);
    });
}

/** Distributions that the tests import, by name, the project's own modules and the standard library's left out. */
function importedDistributions(project: ProjectView): readonly string[] {
  const local = localNames(project);
  const tests = project.tests.length > 0 ? project.tests : project.installedTests;
  const support = project.tree.files.filter((file) => file.path.endsWith("conftest.py"));
  const counts = new Map<string, number>();
  for (const file of [...tests, ...support]) {
    for (const module of file.imports ?? []) {
      const top = module.split(".")[0] ?? "";
      if (local.has(top) || project.installed.topLevel.includes(top) || STANDARD_MODULES.has(top))
        continue;
      const distribution = distributionForImport(module);
      if (distribution !== null) counts.set(distribution, (counts.get(distribution) ?? 0) + 1);
    }
  }
  return [...counts]
    .toSorted(([one, left], [other, right]) => right - left || (one < other ? -1 : 1))
    .map(([name]) => name);
}

/** Module names that the tree itself holds anywhere: helpers beside tests, examples, data. */
function localNames(project: ProjectView): ReadonlySet<string> {
  const names = new Set<string>();
  for (const file of project.tree.files) {
    if (!/\.(?:py|pyx|so|c)$/.test(file.path)) continue;
    for (const part of file.path.split("/")) names.add(part.replace(/\..*$/, ""));
  }
  return names;
}

function requiredByRelease(project: ProjectView, name: string): boolean {
  return project.metadata.requiresDist.some(
    (one) => one.project === nameOf(name) && applies(one, project.context.markers),
  );
}

function nameOf(text: string): string {
  return normaliseName(/^[A-Za-z0-9][\w.-]*/.exec(text)?.[0] ?? text);
}
