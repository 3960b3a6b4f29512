import { posix } from "node:path";
import { splitCommands } from "./command-words.ts";
import type { ProjectView } from "./project-view.ts";
import { pytestArguments } from "./pytest-arguments.ts";
import { siteForm } from "./site-form.ts";

/** A command of a project, understood: what runs its tests, and how the farm runs it. */
export interface TestCommand {
  readonly runner: "pytest" | "unittest" | "custom";
  readonly argv: readonly string[];
  /** Relative to the tree. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Distributions the command itself needs. */
  readonly needs: readonly string[];
  /** It names files or directories of the tree. */
  readonly usesTree: boolean;
}

export type Understood =
  | { readonly kind: "command"; readonly command: TestCommand }
  | { readonly kind: "other"; readonly why: string };

const PYTHON = /^(?:\{python\}|(?:.*\/)?(?:python|pypy)[0-9.]*t?|py)$/;
// `-c` is none: it says what to run.
const PYTHON_FLAG_WITH_VALUE = /^-[WX]$/;
const WRAPPERS =
  /^(?:env|time|nice|nohup|xvfb-run|dbus-run-session|catchsegv|exec|command|--|-a|--auto-servernum|sudo)$/;
const RUN_TOOLS = /^(?:uv|poetry|pdm|hatch|pipenv|rye|pixi|conda|micromamba)$/;
// Runners with a module of their own, and the distribution that brings it.
const RUNNER_MODULES: Readonly<Record<string, readonly [module: string, distribution: string]>> = {
  nose2: ["nose2", "nose2"],
  trial: ["twisted.trial", "twisted"],
  "twisted.trial": ["twisted.trial", "twisted"],
  virtue: ["virtue", "virtue"],
  "zope-testrunner": ["zope.testrunner", "zope.testrunner"],
  "zope.testrunner": ["zope.testrunner", "zope.testrunner"],
  green: ["green", "green"],
  stestr: ["stestr", "stestr"],
  django: ["django", "django"],
};
const TEST_WORD = /test|check|suite/i;

/** Understands every command of a line; those that run no tests say why. */
export function understandLine(
  line: string,
  project: ProjectView,
  cwd = ".",
): readonly Understood[] {
  const commands = splitCommands(line);
  if (commands === null) return [{ kind: "other", why: `cannot be read: ${line.slice(0, 80)}` }];
  let here = cwd;
  return commands.flatMap((words) => {
    if (words[0] === "cd" && words[1] !== undefined) {
      here = posix.normalize(posix.join(here, words[1]));
      return [];
    }
    return [understandWords(words, project, here)];
  });
}

/** @param words of one command, placeholders of its tool already filled in. */
export function understandWords(
  given: readonly string[],
  project: ProjectView,
  cwd = ".",
): Understood {
  if (cwd.startsWith("..") || cwd.startsWith("/") || !project.hasDirectory(cwd))
    return other(given, `its directory ${cwd} is not in the tree`);
  const { words, env } = unwrap(given);
  const [first, ...rest] = words;
  if (first === undefined) return other(given, "holds no command");
  const shell = /^(?:ba|da|z)?sh$/.test(first) && rest[0] === "-c" ? rest[1] : undefined;
  if (shell !== undefined)
    return (
      understandLine(shell, project, cwd).find((one) => one.kind === "command") ??
      other(given, "runs no tests")
    );
  if (
    words.some(
      (word) =>
        /[{}]/.test(word.replaceAll("{python}", "").replaceAll("{site}", "")) &&
        /^\{|\}$/.test(word),
    )
  )
    return other(given, "has a placeholder that cannot be filled in");
  const unfilled = words.find((word) => /\$\(|`|\$[A-Za-z_{]/.test(word));
  if (unfilled !== undefined) return other(given, `needs a shell for ${unfilled}`);
  const base = { cwd, env };
  if (PYTHON.test(first)) return understandPython(rest, project, base, given);
  const name = posix.basename(first);
  if (name === "pytest" || name === "py.test")
    return understandModule("pytest", rest, [], project, base, given);
  if (name === "nosetests") return other(given, "runs nose, which no longer works");
  if (Object.hasOwn(RUNNER_MODULES, name))
    return understandModule(name, rest, [], project, base, given);
  const script = posix.normalize(posix.join(cwd, first));
  if (first.endsWith(".py") && project.has(script))
    return understandPython([first, ...rest], project, base, given);
  return other(given, "runs no tests");
}

type Base = Pick<TestCommand, "cwd" | "env">;

/** Takes off what stands before the command itself: assignments, `coverage run`, `uv run` and the like. */
function unwrap(given: readonly string[]): {
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
} {
  let words = given.filter((word) => word !== "");
  const env: Record<string, string> = {};
  for (let round = 0; round < 20 && words.length > 0; round++) {
    const [first = "", second = "", third = ""] = words;
    const assignment = /^([A-Za-z_]\w*)=(.*)$/s.exec(first);
    const dashes = /^[-!@+]+(?=\S)/.exec(first);
    if (assignment !== null) {
      env[assignment[1] ?? ""] = assignment[2] ?? "";
      words = words.slice(1);
    } else if (WRAPPERS.test(first)) {
      words = words.slice(1);
    } else if (RUN_TOOLS.test(first) && second === "run") {
      words = afterOptions(
        words.slice(2),
        /^(?:--with|--python|-p|--extra|--group|--only-group|--with-requirements|-e|--env|--no-group)$/,
      );
    } else if (posix.basename(first) === "coverage" && second === "run") {
      words = coverageTarget(words.slice(2));
    } else if (
      PYTHON.test(first) &&
      second === "-m" &&
      third === "coverage" &&
      words[3] === "run"
    ) {
      words = coverageTarget(words.slice(4));
    } else if (dashes !== null) {
      // Makefiles and tox mark commands whose failure or echo they pass over.
      words = [first.slice(dashes[0].length), ...words.slice(1)];
    } else break;
  }
  return { words, env };
}

function afterOptions(words: readonly string[], withValue: RegExp): string[] {
  let index = 0;
  while ((words[index] ?? "").startsWith("-")) index += withValue.test(words[index] ?? "") ? 2 : 1;
  return words.slice(index);
}

function coverageTarget(words: readonly string[]): string[] {
  let index = 0;
  while (
    (words[index] ?? "").startsWith("-") &&
    words[index] !== "-m" &&
    words[index] !== "--module"
  ) {
    index += /^--(?:rcfile|source|include|omit|data-file|concurrency|context|debug)$/.test(
      words[index] ?? "",
    )
      ? 2
      : 1;
  }
  return [
    "{python}",
    ...words.slice(index).map((word, at) => (at === 0 && word === "--module" ? "-m" : word)),
  ];
}

function understandPython(
  words: readonly string[],
  project: ProjectView,
  base: Base,
  given: readonly string[],
): Understood {
  const flags: string[] = [];
  let index = 0;
  while (/^-[a-zA-Z]/.test(words[index] ?? "") && !["-m", "-c"].includes(words[index] ?? "")) {
    flags.push(words[index] ?? "");
    if (PYTHON_FLAG_WITH_VALUE.test(words[index++] ?? "")) flags.push(words[index++] ?? "");
  }
  // Isolated mode would leave out the recording runner's path.
  const kept = flags.filter((flag) => !/^-[IEsP]+$/.test(flag));
  const [first, second, ...rest] = words.slice(index);
  if (first === "-m" && second !== undefined)
    return understandModule(second, rest, kept, project, base, given);
  if (first === undefined || first === "-c") return other(given, "runs no test files");
  const script = posix.normalize(posix.join(base.cwd, first));
  const name = posix.basename(script);
  if (name === "setup.py") return other(given, "setup.py commands no longer run tests");
  if (name === "manage.py" && second === "test" && project.has(script))
    return custom([...kept, first, second, ...rest], base, ["django"], true);
  if (!project.has(script)) return other(given, `${first} is not in the tree`);
  if (!TEST_WORD.test(script)) return other(given, "runs no tests");
  return custom(
    [...kept, first, ...(second === undefined ? [] : [second]), ...rest],
    base,
    [],
    true,
  );
}

function understandModule(
  module: string,
  rest: readonly string[],
  flags: readonly string[],
  project: ProjectView,
  base: Base,
  given: readonly string[],
): Understood {
  if (module === "pytest" || module === "py.test") {
    const read = pytestArguments(rest, project, base.cwd);
    if (read.kind === "bad") return other(given, read.why);
    return {
      kind: "command",
      command: {
        runner: "pytest",
        argv: ["{python}", ...flags, "-m", "pytest", ...read.argv],
        ...base,
        needs: [],
        usesTree: read.usesTree,
      },
    };
  }
  if (module === "unittest" || module === "unittest2")
    return understandUnittest(rest, flags, project, base);
  const known = Object.hasOwn(RUNNER_MODULES, module) ? RUNNER_MODULES[module] : undefined;
  if (known !== undefined) {
    if (known[0] === "django" && rest[0] !== "test") return other(given, "runs no tests");
    // These find nothing by themselves.
    if (
      /^(?:virtue|twisted\.trial|green)$/.test(known[0]) &&
      rest.every((word) => word.startsWith("-"))
    )
      return other(given, "names nothing to run");
    return custom(
      [...flags, "-m", known[0], ...rest.map((word) => siteForm(word, project) ?? word)],
      base,
      [known[1]],
      rest.some((word) => project.has(word) || project.hasDirectory(word)),
    );
  }
  const top = module.split(".")[0] ?? "";
  const file = posix.normalize(posix.join(base.cwd, module.replaceAll(".", "/")));
  const inTree = project.has(`${file}.py`) || project.has(`${file}/__main__.py`);
  const own = project.installed.topLevel.includes(top);
  if ((own || inTree) && TEST_WORD.test(module))
    return custom([...flags, "-m", module, ...rest], base, [], inTree && !own);
  return other(given, "runs no tests");
}

function understandUnittest(
  rest: readonly string[],
  flags: readonly string[],
  project: ProjectView,
  base: Base,
): Understood {
  const kept = rest.filter((word) => !/^(?:-f|--failfast|-b|--buffer)$/.test(word));
  // Without a name it discovers.
  const words = kept.every((word) => /^-[vqc]|^--(?:verbose|quiet|catch|locals)/.test(word))
    ? ["discover", ...kept]
    : kept;
  const site = words.map((word) => siteForm(word, project));
  const start = site.find((word) => word !== null) ?? null;
  const argv = words.map((word, index) => site[index] ?? word);
  // Tests inside the package are looked for where it is installed, which must then be the top level too.
  const top =
    start !== null && argv[0] === "discover" && !argv.includes("-t") ? ["-t", "{site}"] : [];
  return {
    kind: "command",
    command: {
      runner: "unittest",
      argv: ["{python}", ...flags, "-m", "unittest", ...argv, ...top],
      ...base,
      needs: [],
      usesTree: start === null,
    },
  };
}

function custom(
  argv: readonly string[],
  base: Base,
  needs: readonly string[],
  usesTree: boolean,
): Understood {
  return {
    kind: "command",
    command: { runner: "custom", argv: ["{python}", ...argv], ...base, needs, usesTree },
  };
}

function other(words: readonly string[], why: string): Understood {
  return { kind: "other", why: `${words.join(" ").slice(0, 100)}: ${why}` };
}
