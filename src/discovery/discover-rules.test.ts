import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cpuMs } from "../../test/cpu-time.ts";
import { markersOf } from "../python/interpreter-markers.ts";
import { splitCommands } from "./command-words.ts";
import { discover } from "./discover.ts";
import { distributionForImport } from "./import-names.ts";
import type { Discovery, DiscoveryContext, Plan, TreeFile } from "./plan.ts";
import { expandBraces, factorsHold } from "./sources/tox-environment.ts";

/** One rule at a time, on small made-up projects. */

interface Made {
  readonly files?: Readonly<Record<string, Partial<TreeFile>>>;
  readonly texts?: Readonly<Record<string, string>>;
  readonly installed?: Readonly<Record<string, Partial<TreeFile>>>;
  readonly metadata?: string;
  readonly topLevel?: readonly string[];
  readonly context?: Partial<DiscoveryContext>;
}

const TEST: Partial<TreeFile> = { testFunctions: 5, usesPytest: true };
const UNIT: Partial<TreeFile> = { testFunctions: 5, usesUnittest: true };

function made(project: Made): Discovery {
  const texts = project.texts ?? {};
  const files = {
    ...Object.fromEntries(Object.keys(texts).map((path) => [path, {}])),
    ...project.files,
  };
  return discover(
    { files: listing(files), texts, truncated: false },
    {
      sitePackages: "/site",
      files: listing(project.installed ?? { "pkg/__init__.py": {} }),
      topLevel: project.topLevel ?? ["pkg"],
      metadata: project.metadata ?? "Name: pkg\nVersion: 1.0\n",
      entryPoints: "",
    },
    {
      project: "pkg",
      version: "1.0",
      markers: markersOf({ implementation: "cpython", version: "3.13", fullVersion: "3.13.5" }),
      interpreter: "cpython-3.13",
      ...project.context,
    },
  );
}

function listing(files: Readonly<Record<string, Partial<TreeFile>>>): readonly TreeFile[] {
  return Object.entries(files).map(([path, file]) => ({
    path,
    sizeBytes: 10,
    testFunctions: 0,
    ...file,
  }));
}

function plansOf(found: Discovery): readonly Plan[] {
  return found.kind === "plans" ? found.plans : [];
}

function first(project: Made): Plan {
  const plan = plansOf(made(project))[0];
  if (plan === undefined) throw new Error("no plan");
  return plan;
}

const command = (project: Made): string => first(project).argv.slice(1).join(" ");
const needs = (project: Made): readonly string[] =>
  first(project)
    .dependencies.filter((step) => !step.optional)
    .flatMap((step) => step.requirements);
const tests = { "tests/test_a.py": TEST };

it.each([
  ["most", { ...UNIT, usesPytest: true }, ["B0+C6"]],
  ["few", { testFunctions: 1, usesUnittest: true, usesPytest: true }, ["B0+C6", "B0+C7"]],
])("unittest is no runner for test cases of which %s use pytest's marks", (_how, file, rungs) => {
  const files: Record<string, Partial<TreeFile>> = { "tests/test_a.py": file };
  if (rungs.length > 1) files["tests/test_b.py"] = { testFunctions: 20, usesUnittest: true };
  expect(plansOf(made({ files })).map(({ rung }) => rung)).toEqual(rungs);
});

describe("commands", () => {
  it.each([
    ["pytest -x --maxfail=1 --cov pkg --cov-report=xml tests", "-m pytest tests"],
    ["py.test -xvs tests", "-m pytest -vs tests"],
    ["pytest -p no:junitxml --junitxml=out.xml -m 'not slow'", "-m pytest -m not slow"],
    ["pytest -n auto -W error", "-m pytest -n 2 -W error"],
    ["coverage run --source pkg -m pytest tests", "-m pytest tests"],
    ["python -W error -m pytest --exitfirst", "-W error -m pytest"],
    ["uv run --group test pytest", "-m pytest"],
    ["env A=1 pytest tests", "-m pytest tests"],
    [
      "coverage erase && coverage run -m unittest discover -s tests",
      "-m unittest discover -s tests",
    ],
    ["sh -c 'pytest tests'", "-m pytest tests"],
    [
      "{envpython} -bb -m pytest {toxinidir}/tests {posargs:--strict-markers}",
      "-bb -m pytest ./tests --strict-markers",
    ],
    ["pytest src tests --basetemp={envtmpdir}", "-m pytest tests"],
  ])("reads %s as %s", (line, expected) => {
    expect(
      command({ files: tests, texts: { "tox.ini": `[testenv]\ncommands =\n  ${line}\n` } }),
    ).toBe(expected);
  });

  it.each([
    "python setup.py test",
    "nosetests",
    "flake8 pkg",
    "pytest $(ls tests)",
    "python -c 'import pkg'",
    "pytest missing_directory",
  ])("passes over %s and says why", (line) => {
    const plan = first({ files: tests, texts: { "tox.ini": `[testenv]\ncommands = ${line}\n` } });
    expect(plan.rung).toBe("B0+C6");
    expect(plan.rejected.find((one) => one.rung === "C2")?.why).toContain("tox.ini [testenv]");
  });

  it("runs a script of the tree from its own directory, recorded", () => {
    const plan = first({
      files: { "test/run_all.py": {}, "test/test_a.py": UNIT },
      texts: { "tox.ini": "[testenv]\nchangedir = test\ncommands = python run_all.py\n" },
    });
    expect(plan).toMatchObject({ runner: "custom", cwd: "test", argv: ["{python}", "run_all.py"] });
  });

  it("splits words as a shell does and never runs one", () => {
    expect(splitCommands('a \'b c\' "d\\"e" f\\ g && h;i')).toEqual([
      ["a", "b c", 'd"e', "f g"],
      ["h"],
      ["i"],
    ]);
    expect(splitCommands("a 'b")).toBeNull();
  });
});

describe("tox", () => {
  it("expands braces, ranges and conditions", () => {
    expect(expandBraces("py3{9-11}-{a,b}")).toEqual([
      "py39-a",
      "py39-b",
      "py310-a",
      "py310-b",
      "py311-a",
      "py311-b",
    ]);
    expect(factorsHold("py{312,313}-full,pypy", "py313-full")).toBe(true);
    expect(factorsHold("!full", "py313-full")).toBe(false);
  });

  it("takes the environment of this interpreter, its variables and conditional requirements", () => {
    const ini =
      "[base]\ndeps =\n  pytest\n  mock\n[tox]\nenvlist = lint,py{312,313}-{plain,full}\n[testenv]\ndeps =\n  {[base]deps}\n  full: numpy\n  py27: old\nsetenv =\n  A = {toxinidir}/x\n  PYTHONPATH = {toxinidir}/src\n  COVERAGE_FILE = x\ncommands = plain: pytest tests\n";
    const plan = first({
      files: { ...tests, "src/pkg/__init__.py": {} },
      texts: { "tox.ini": ini },
    });
    expect(plan.env).toEqual({ A: "{tree}/x" });
    expect(plan.dependencies.flatMap((step) => step.requirements)).toEqual(["pytest", "mock"]);
  });

  it("gives an interpreter that is not listed yet the same as its siblings", () => {
    const ini = "[tox]\nenvlist = py311-tests,docs\n[testenv]\ncommands = tests: pytest tests -v\n";
    expect(command({ files: tests, texts: { "tox.ini": ini } })).toBe("-m pytest tests -v");
  });
});

describe("configuration", () => {
  it("installs the plugins that options and settings of pytest ask for", () => {
    const toml =
      '[tool.pytest.ini_options]\nasyncio_mode = "auto"\naddopts = "--cov=pkg -n auto --strict-markers"\nrequired_plugins = ["pytest-mock>=3"]\nminversion = "7.0"\n';
    const project = { files: tests, texts: { "pyproject.toml": toml } };
    expect(needs(project)).toEqual([
      "pytest>=7.0",
      "pytest-asyncio",
      "pytest-cov",
      "pytest-mock>=3",
      "pytest-xdist",
    ]);
    expect(command(project)).toBe("-m pytest tests --no-cov -n 2");
  });

  it("keeps the uninstalled package off the path", () => {
    const toml =
      '[tool.pytest.ini_options]\npythonpath = ["src", "helpers"]\ntestpaths = ["tests"]\n';
    expect(
      command({
        files: { ...tests, "src/pkg/__init__.py": {} },
        texts: { "pyproject.toml": toml },
      }),
    ).toBe("-m pytest -o pythonpath=helpers");
  });

  it.each([
    "pytest.ini",
    ".pytest.ini",
    "pytest.toml",
    ".pytest.toml",
    "tox.ini",
    "setup.cfg",
    "pyproject.toml",
  ])("finds it in %s", (path) => {
    const texts: Readonly<Record<string, string>> = {
      "pyproject.toml": '[tool.pytest]\ntestpaths = ["tests"]\n',
      "setup.cfg": "[tool:pytest]\ntestpaths = tests\n",
      "tox.ini": "[pytest]\ntestpaths = tests\n",
    };
    const text =
      texts[path] ??
      (path.endsWith("toml")
        ? '[pytest]\ntestpaths = ["tests"]\n'
        : "[pytest]\ntestpaths = tests\n");
    const plan = first({ files: tests, texts: { [path]: text } });
    expect([plan.rung, plan.argv.slice(1).join(" ")]).toEqual(["B0+C3", "-m pytest"]);
  });

  it("says what is wrong with a file that can't be read, and goes on", () => {
    const plan = first({
      files: tests,
      texts: { "pyproject.toml": "[tool.pytest\n", "tox.ini": "nonsense\n" },
    });
    expect(plan.rejected.filter((one) => one.rung === "files")).toHaveLength(2);
  });

  it("reads cibuildwheel's command, run away from the tree, and puts a smoke test after the suite", () => {
    const toml = (line: string): string =>
      `[tool.cibuildwheel]\ntest-command = "${line}"\ntest-requires = "pytest hypothesis"\n`;
    expect(
      first({ files: tests, texts: { "pyproject.toml": toml("pytest {project}/tests") } }),
    ).toMatchObject({ rung: "B6+C1", cwd: "." });
    const many = {
      "tests/test_a.py": { ...TEST, testFunctions: 100 },
      "tests/test_smoke.py": TEST,
    };
    const plans = plansOf(
      made({
        files: many,
        texts: { "pyproject.toml": toml("pytest {project}/tests/test_smoke.py") },
      }),
    );
    expect(plans.at(-1)?.rung).toBe("B6+C1");
    expect(plans[0]?.expectedAtLeast).toBe(105);
  });

  it("reads a noxfile's literals", () => {
    const nox =
      '@nox.session(python=["3.12"])\ndef tests(session):\n    session.install("-r", "requirements-test.txt", "mock")\n    session.run("pytest", "-x", "tests", *session.posargs, env={"A": "b"})\n\n@nox.session\ndef lint(session):\n    session.run("flake8")\n';
    const project = {
      files: tests,
      texts: { "noxfile.py": nox, "requirements-test.txt": "hypothesis\n" },
    };
    expect(first(project).rung).toBe("B4+C4");
    expect(command(project)).toBe("-m pytest tests");
    expect(first(project).dependencies.flatMap((step) => step.requirements)).toEqual([
      "pytest",
      "hypothesis",
      "mock",
    ]);
  });

  it.each([
    ["Makefile", "PY=python\n\ntest: build\n\t@$(PYTHON) -m pytest -v tests\n\nlint:\n\tflake8\n"],
    ["justfile", "test *args:\n    uv run pytest -v tests {{args}}\n"],
    ["pyproject.toml", '[tool.pdm.scripts]\ntest = {cmd = "pytest -v tests"}\n'],
    ["pyproject.toml", '[tool.poe.tasks]\ntest = "pytest -v tests"\n'],
    ["pyproject.toml", '[tool.hatch.envs.test.scripts]\nrun = "pytest -v {args:tests}"\n'],
    ["pyproject.toml", '[tool.pixi.feature.test.tasks]\ntest = "pytest -v tests"\n'],
  ])("reads tasks of %s", (path, text) => {
    const plan = first({ files: tests, texts: { [path]: text } });
    expect([plan.rung, plan.argv.slice(1).join(" ")]).toEqual(["B0+C5", "-m pytest -v tests"]);
  });
});

describe("requirements", () => {
  it("takes of a mixed group what tests import and plugins, never linters", () => {
    const toml = '[dependency-groups]\ndev = ["ruff", "sphinx", "pytest>=8", "PyYAML", "django"]\n';
    expect(
      needs({
        files: { "tests/test_a.py": { ...TEST, imports: ["yaml", "pytest", "os"] } },
        texts: { "pyproject.toml": toml },
      }),
    ).toEqual(["pytest>=8", "PyYAML"]);
  });

  it("never installs the release itself, and takes its own extras apart", () => {
    const toml =
      '[dependency-groups]\ntest = ["pkg[fast]==0.9", "pytest", "x @ https://host.example/x.zip", "old; python_version < \'3\'"]\n';
    const plan = first({
      files: tests,
      texts: { "pyproject.toml": toml },
      metadata:
        "Name: pkg\nVersion: 1.0\nProvides-Extra: fast\nRequires-Dist: speed>1; extra == 'fast'\n",
    });
    expect(plan.dependencies.flatMap((step) => step.requirements)).toEqual([
      "pytest",
      "speed>1",
      "x",
    ]);
  });

  it("prefers what is not pinned", () => {
    const texts = {
      "requirements/tests.txt": "pytest==6.0\n",
      "requirements/tests.in": "pytest\n",
    };
    expect(needs({ files: tests, texts })).toEqual(["pytest"]);
  });

  it("knows distributions by their modules", () => {
    expect([
      distributionForImport("yaml"),
      distributionForImport("zope.event.classhandler"),
      distributionForImport("a_b"),
      distributionForImport("os"),
      distributionForImport("_x"),
    ]).toEqual(["pyyaml", "zope.event", "a-b", null, null]);
  });
});

describe("what the tree holds", () => {
  it("replaces the tree's package, but for tests in it that were not installed", () => {
    const files = {
      "pkg/__init__.py": {},
      "pkg/core.py": {},
      "pkg/sub/__init__.py": {},
      "pkg/tests/test_a.py": TEST,
    };
    const installed = {
      "pkg/__init__.py": {},
      "pkg/core.py": {},
      "pkg/sub/__init__.py": {},
      "pkg/_c.so": {},
    };
    expect(first({ files, installed }).replaceByInstalled).toEqual([
      "pkg/__init__.py",
      "pkg/_c.so",
      "pkg/core.py",
      "pkg/sub",
    ]);
    expect(
      first({ files: { ...tests, "pkg/__init__.py": {}, "src/pkg/x.py": {} }, installed })
        .replaceByInstalled,
    ).toEqual(["pkg"]);
  });

  it("replaces a package below src only where its tests lie in it", () => {
    const files = {
      "src/pkg/__init__.py": {},
      "src/pkg/core.py": {},
      "src/pkg/tests/test_a.py": TEST,
    };
    const installed = { "pkg/__init__.py": {}, "pkg/core.py": {} };
    expect(first({ files, installed }).replaceByInstalled).toEqual([
      "src/pkg/__init__.py",
      "src/pkg/core.py",
    ]);
    expect(
      first({
        files: { ...tests, "src/pkg/__init__.py": {}, "src/pkg/tests.py": { testFunctions: 2 } },
        installed,
      }).replaceByInstalled,
    ).toEqual([]);
  });

  it("runs tests that are only in the installed package", () => {
    const plans = plansOf(
      made({
        installed: {
          "pkg/__init__.py": {},
          "pkg/tests/__init__.py": {},
          "pkg/tests/test_a.py": TEST,
        },
      }),
    );
    expect(plans.map((plan) => plan.argv.slice(1).join(" "))).toEqual([
      "-m pytest --pyargs pkg.tests",
    ]);
  });

  it("uses unittest where nothing names pytest, with the pattern that finds the files", () => {
    expect(command({ files: { "tests/a_test.py": UNIT } })).toBe(
      "-m unittest discover -s tests -p *_test.py",
    );
    expect(
      command({
        files: { "tests/test_a.py": UNIT },
        texts: { "setup.py": "tests_require=['pytest']" },
      }),
    ).toBe("-m pytest tests");
  });

  it("has nothing but a smoke test for a release without tests", () => {
    expect(made({})).toMatchObject({ kind: "smoke-only", cause: "no-tests" });
    expect(made({ texts: { "tox.ini": "[testenv]\ncommands = pytest tests\n" } })).toMatchObject({
      kind: "smoke-only",
      cause: "tests-not-in-sdist",
    });
  });

  it("passes over vendored projects' tests, and over examples' where there are others", () => {
    const plan = first({
      files: { ...tests, "pkg/_vendor/x/test_x.py": TEST, "examples/test_e.py": TEST },
    });
    expect([plan.argv.slice(1).join(" "), plan.expectedAtLeast]).toEqual(["-m pytest tests", 5]);
  });
});

describe("overrides", () => {
  it("lets the operator's win over the project's own, and that over the ladder", () => {
    const texts = {
      "pyproject.toml":
        '[tool.creamery]\ncommand = ["pytest", "-q", "tests"]\nrequirements = ["pytest<9"]\n',
    };
    expect([command({ files: tests, texts }), ...needs({ files: tests, texts })]).toEqual([
      "-m pytest -q tests",
      "pytest<9",
    ]);
    expect(
      command({
        files: tests,
        texts,
        context: { override: { command: ["python", "-m", "pytest", "-v"] } },
      }),
    ).toBe("-m pytest -v");
  });

  it("adds requirements and variables to the ladder's plans where it names no command", () => {
    const texts = {
      "pyproject.toml": '[tool.creamery]\nrequirements = ["pytest<9"]\nenv = {A = "b"}\n',
    };
    expect(first({ files: tests, texts })).toMatchObject({
      rung: "B-override+C6",
      env: { A: "b" },
    });
    expect(needs({ files: tests, texts })).toEqual(["pytest<9"]);
  });

  it("refuses a project's own that leaves the tree or names the farm's variables", () => {
    for (const bad of ['cwd = "../.."', 'env = {CREAMERY_RECORD = "0"}', "command = 1"]) {
      const plan = first({
        files: tests,
        texts: { "pyproject.toml": `[tool.creamery]\n${bad}\n` },
      });
      expect(plan.rejected.some((one) => one.rung === "override")).toBe(true);
      expect(plan.cwd).toBe(".");
    }
  });
});

describe("hostile trees", () => {
  it("always answers, quickly, whatever the files say", () => {
    const word = fc.constantFrom(
      "[testenv]",
      "[tox]",
      "commands =",
      "  pytest",
      "{posargs",
      "}",
      "{[testenv]commands}",
      "  {[testenv]commands}",
      "deps=",
      "a:",
      '"',
      "'",
      "\\",
      "-r x",
      "[tool.pytest]",
      "testpaths = 1",
      "*".repeat(50),
      "{a,b}".repeat(8),
      "\u0000",
      "[[tool.tox]]",
      "@nox.session",
      "def tests(session):",
      "session.run('pytest',",
    );
    const text = fc.array(word, { maxLength: 30 }).map((words) => words.join("\n"));
    fc.assert(
      fc.property(
        fc.constantFrom(
          "tox.ini",
          "pyproject.toml",
          "setup.cfg",
          "noxfile.py",
          "Makefile",
          "requirements-test.txt",
          "setup.py",
          "pytest.ini",
        ),
        text,
        (path, content) => {
          const took = cpuMs(() =>
            expect(["plans", "smoke-only"]).toContain(
              made({ files: tests, texts: { [path]: content } }).kind,
            ),
          );
          expect(took).toBeLessThan(2000);
        },
      ),
      { numRuns: 300, seed: 7 },
    );
  });

  it("is not misled by names of Object's own", () => {
    expect(
      first({
        files: { ...tests, "__proto__/constructor.py": {} },
        texts: {
          "tox.ini":
            "[__proto__]\nconstructor = x\n[testenv]\ncommands = {[constructor]x} constructor tests\n",
        },
      }).rung,
    ).toBe("B0+C6");
  });
});
