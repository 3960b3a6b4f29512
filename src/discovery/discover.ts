import { declaredRequirements } from "./declared-requirements.ts";
import { dependencySteps } from "./dependency-steps.ts";
import { expectedFunctions } from "./expected-functions.ts";
import { pathsToReplace } from "./installed-units.ts";
import type {
  Discovery,
  DiscoveryContext,
  InstalledListing,
  Plan,
  RejectedRung,
  TreeListing,
} from "./plan.ts";
import { readOverride } from "./override.ts";
import { viewProject, type ProjectView } from "./project-view.ts";
import { readPytestConfig, type PytestConfig } from "./pytest-config.ts";
import type { Candidate, CommandRung, DeclaredRequirements } from "./rung.ts";
import { cibuildwheelRung } from "./sources/cibuildwheel.ts";
import { noxRung } from "./sources/noxfile.ts";
import {
  installedTestsRung,
  plainPytestRung,
  pytestConfigRung,
  unittestRung,
} from "./sources/plain-tests.ts";
import { tasksRung } from "./sources/tasks.ts";
import { toxRung, type ToxReading } from "./sources/tox.ts";
import type { TestCommand } from "./test-command.ts";
import { functionsIn } from "./test-files.ts";

const MAX_PLANS = 8;
/** A command for installed wheels that looks at less than this share of the tests is a smoke test: fuller ones go first. */
const WHOLE_SUITE = 0.4;

/**
 * Finds out how a release is tested: plans in the order in which they are to be tried, or that there is nothing to run
 * but a smoke test. Pure: reads nothing but what it is given. The ladder is described in docs/discovery.md.
 */
export function discover(
  tree: TreeListing,
  installed: InstalledListing,
  context: DiscoveryContext,
): Discovery {
  const project = viewProject(tree, installed, context);
  const config = readPytestConfig(project);
  const tox = toxRung(project);
  const declared = declaredRequirements(project);
  const override = readOverride(project);
  const rungs = [
    ...(override.rung === null ? [] : [override.rung]),
    ...commandLadder(project, config, tox),
  ];
  const rejected: RejectedRung[] = [
    ...override.rejected,
    ...project.unreadable.map((why) => ({ rung: "files", why })),
    ...declared.rejected,
    ...rungs.filter((rung) => rung.candidates.length === 0).map(({ rung, why }) => ({ rung, why })),
  ];
  const replaceByInstalled = pathsToReplace(project);
  const plans: Plan[] = [];
  for (const rung of rungs) {
    for (const candidate of bestFirst(rung, project, config)) {
      const expectedAtLeast = expectedFunctions(candidate.command, project, config);
      if (
        expectedAtLeast === 0 &&
        rung.rung !== "override" &&
        !candidate.command.argv.some((word) => word.startsWith("--doctest"))
      ) {
        rejected.push({
          rung: rung.rung,
          why: `${rung.from}: no test functions were seen where ${candidate.command.argv.slice(1).join(" ")} looks`,
        });
        continue;
      }
      const source =
        override.requirements === null
          ? chooseDeclared(declared.sources, candidate)
          : {
              from: "override",
              rung: "B-override",
              requirements: override.requirements,
              mixed: false,
            };
      const command = adapt(candidate.command, tox, config, project);
      const environmentKnown =
        rung.rung === "C1" || rung.rung === "C2" || rung.rung === "C4" || rung.rung === "C5";
      const steps = dependencySteps({
        project,
        command,
        config,
        declared: source,
        minPytest: config?.minversion ?? null,
        installImports: source === null && !environmentKnown,
      });
      plans.push({
        rung: `${source?.rung ?? "B0"}+${rung.rung}`,
        runner: command.runner,
        argv: command.argv,
        cwd: command.cwd,
        env: { ...command.env, ...override.env },
        dependencies: steps,
        replaceByInstalled,
        pythonPath: [],
        expectedAtLeast,
        rejected: [],
      });
    }
  }
  if (plans.length === 0)
    return { kind: "smoke-only", cause: absenceCause(project, config, declared.sources), rejected };
  const ordered = order(unique(plans)).slice(0, MAX_PLANS);
  return { kind: "plans", plans: ordered.map((plan) => ({ ...plan, rejected })) };
}

/** Rung C in its order; what is tried first among files without configuration depends on what they are written for. */
function commandLadder(
  project: ProjectView,
  config: PytestConfig | null,
  tox: ToxReading,
): readonly CommandRung[] {
  const plain = namesPytest(project)
    ? [plainPytestRung(project), unittestRung(project)]
    : [unittestRung(project), plainPytestRung(project)];
  const shipped = installedTestsRung(project);
  // A flat tree holds a copy of the installed package, and the data that its tests may look for beside it. Tests below
  // src are run where they are installed.
  const tail =
    project.tests.length === 0 || testsAreBelowSource(project)
      ? [shipped, ...plain]
      : [...plain, shipped];
  return [
    cibuildwheelRung(project),
    tox,
    pytestConfigRung(project, config),
    noxRung(project),
    tasksRung(project),
    ...tail,
  ];
}

/** Of several commands of one source (unit tests, then a smoke of the examples) the one that sees most tests goes first. */
function bestFirst(
  rung: CommandRung,
  project: ProjectView,
  config: PytestConfig | null,
): readonly Candidate[] {
  if (rung.rung === "C6" || rung.rung === "C7" || rung.rung === "C8") return rung.candidates;
  return rung.candidates
    .toSorted(
      (left, right) =>
        expectedFunctions(right.command, project, config) -
        expectedFunctions(left.command, project, config),
    )
    .slice(0, 1);
}

/** A source for tests alone, together with what the command's own source adds; else that; else a mixed one. */
function chooseDeclared(
  sources: readonly DeclaredRequirements[],
  candidate: Candidate,
): DeclaredRequirements | null {
  const own =
    candidate.declared !== undefined && candidate.declared.requirements.length > 0
      ? candidate.declared
      : null;
  const first = sources[0] ?? null;
  if (first !== null && !first.mixed) {
    return own === null
      ? first
      : {
          ...first,
          requirements: [
            ...first.requirements,
            ...own.requirements.filter(
              (text) => !first.requirements.some((one) => sameProject(one, text)),
            ),
          ],
        };
  }
  return own ?? first;
}

function sameProject(left: string, right: string): boolean {
  const name = (text: string): string =>
    (/^\s*[\w.-]+/.exec(text)?.[0] ?? text)
      .trim()
      .toLowerCase()
      .replaceAll(/[-_.]+/g, "-");
  return name(left) === name(right);
}

/** Adds tox's variables, and what keeps pytest's configuration from getting in the way. */
function adapt(
  command: TestCommand,
  tox: ToxReading,
  config: PytestConfig | null,
  project: ProjectView,
): TestCommand {
  const env = { ...tox.env, ...command.env };
  if (command.runner !== "pytest" || config === null) return { ...command, env };
  const argv = [...command.argv];
  const holdsPackage = (path: string): boolean =>
    project.units.some(
      (unit) => project.has(join(path, unit)) || project.hasDirectory(join(path, unit)),
    );
  // The uninstalled package must not come before the installed one.
  const shadowing = config.pythonpath.some((path) => path !== "." && holdsPackage(path));
  if (shadowing)
    argv.push(
      "-o",
      `pythonpath=${config.pythonpath.filter((path) => path === "." || !holdsPackage(path)).join(" ")}`,
    );
  if (config.addopts.some((option) => option.startsWith("--cov"))) argv.push("--no-cov");
  if (
    config.addopts.some((option) => /^(?:-n|--numprocesses)/.test(option)) &&
    !argv.includes("-n")
  )
    argv.push("-n", "2");
  return { ...command, argv, env };
}

function join(directory: string, path: string): string {
  const clean = directory.replace(/^\.\//, "").replace(/\/$/, "");
  return clean === "" || clean === "." ? path : `${clean}/${path}`;
}

function namesPytest(project: ProjectView): boolean {
  const tests = project.tests.length > 0 ? project.tests : project.installedTests;
  if (tests.some((file) => file.usesPytest === true)) return true;
  if (project.tree.files.some((file) => file.path.endsWith("conftest.py"))) return true;
  const functions = tests.filter((file) => file.usesUnittest !== true);
  return (
    functionsIn(functions) > functionsIn(tests) / 2 ||
    Object.entries(project.tree.texts).some(
      ([path, text]) =>
        /(?:toml|cfg|ini|txt|in|setup\.py)$/.test(path) && /\bpytest\b|\bpy\.test\b/.test(text),
    )
  );
}

function testsAreBelowSource(project: ProjectView): boolean {
  const present = new Set(project.installedTests.map((file) => file.path));
  return project.tests.every(
    (file) =>
      /^(?:src|lib|python)\//.test(file.path) && present.has(file.path.replace(/^[^/]+\//, "")),
  );
}

function unique(plans: readonly Plan[]): readonly Plan[] {
  const seen = new Set<string>();
  return plans.filter((plan) => {
    const key = JSON.stringify([plan.argv, plan.cwd]);
    return seen.has(key) ? false : (seen.add(key), true);
  });
}

function order(plans: readonly Plan[]): readonly Plan[] {
  const most = Math.max(...plans.map((plan) => plan.expectedAtLeast));
  const partial = (plan: Plan): boolean =>
    plan.rung.endsWith("C1") && plan.expectedAtLeast < most * WHOLE_SUITE;
  return [...plans.filter((plan) => !partial(plan)), ...plans.filter(partial)];
}

/** Without a test in sight: does the project say that it has some, somewhere else? */
function absenceCause(
  project: ProjectView,
  config: PytestConfig | null,
  sources: readonly DeclaredRequirements[],
): "no-tests" | "tests-not-in-sdist" {
  // Of a wheel alone nobody can say what its source has.
  if (project.tree.files.length === 0) return "no-tests";
  const speaks = [
    config !== null,
    project.has("tox.ini") || project.has("tox.toml") || project.has("noxfile.py"),
    sources.some((source) => !source.mixed),
    /test_suite\s*=/.test(project.text("setup.py") ?? ""),
    /\btests?\b/.test(project.text("MANIFEST.in") ?? ""),
    Object.hasOwn(project.pyproject, "tool") &&
      /\[tool\.(?:pytest|tox|coverage|nox)/.test(project.text("pyproject.toml") ?? ""),
  ];
  return speaks.some(Boolean) ? "tests-not-in-sdist" : "no-tests";
}
