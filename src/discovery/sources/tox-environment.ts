import { posix } from "node:path";
import type { ProjectView } from "../project-view.ts";

/** What the tox configurations, old and new, have in common: factors, names of environments, substitutions. */

export interface ToxEnvironment {
  readonly name: string;
  /** `tox.ini [testenv]` */
  readonly from: string;
  readonly commands: readonly (readonly string[])[] | readonly string[];
  readonly deps: readonly string[];
  readonly groups: readonly string[];
  readonly extras: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Relative to the tree. */
  readonly cwd: string;
  /** Its own section says what it needs, even when that is nothing. */
  readonly notes: readonly string[];
}

const NOT_TESTS =
  /(?:^|-)(?:lint(?:ers?)?|linting|style|format(?:ting)?|fmt|docs?|docs-.*|doctests?|mypy|typ(?:e|es|ing|echeck|ecker)|pyright|ty|ruff|black|flake8|pylint|isort|cover(?:age)?|cov|codecov|report|combine|clean|release|publish|build|check|checks|dist|package|pre-?commit|benchmarks?|bench|perf|changelog|news|update.*|bandit|security|linkcheck|manifest|pypi|dev|develop|parallel|stress|random|fuzz|minimal|mindeps?|oldest|lowest|min|master|main|latest|nightly|integration|interop|gha|codspeed|readme|spell(?:ing|check)?|vulture|pep8|safety|audit|debug|pure|without.*|disable.*|no.*)(?:-|$)/i;

/** Factors that stand for an interpreter: `py313`, `py3.13`, `3.13`, `py3`, `py`, `pypy311`. The nearest first. */
export function interpreterFactors(interpreter: string): readonly string[] {
  const [implementation = "cpython", version = "3"] = interpreter.split("-");
  const [major = "3", minor = ""] = version.split(".");
  return implementation === "pypy"
    ? [`pypy${major}${minor}`, `pypy${major}.${minor}`, `pypy-${version}`, `pypy${major}`, "pypy"]
    : [
        `py${major}${minor}`,
        `py${major}.${minor}`,
        `${major}.${minor}`,
        `cp${major}${minor}`,
        `python${version}`,
        `py${major}`,
        "py",
        "python",
      ];
}

const ANY_PYTHON_FACTOR =
  /^(?:py|pypy|cp|python)?\d+(?:\.\d+)?t?$|^py$|^pypy$|^python$|^pypy-?[\d.]*$/;

/** The name of the environment in which upstream would test with this interpreter. */
export function chooseEnvironment(
  listed: readonly string[],
  sections: readonly string[],
  interpreter: string,
): string {
  const own = interpreterFactors(interpreter);
  const exact = own[0] ?? "py";
  const named = [...listed, ...sections];
  const score = (name: string): number => {
    const factors = name.split("-");
    const rank = own.findIndex((factor) => factors.includes(factor));
    if (rank < 0 || NOT_TESTS.test(name)) return Number.POSITIVE_INFINITY;
    const others = factors.filter((factor) => !ANY_PYTHON_FACTOR.test(factor));
    const tests = others.some((factor) => /^(?:unit)?tests?$|^unit$|^pytest$/.test(factor));
    return rank + others.length * 20 - (tests ? 15 : 0);
  };
  const best = named.toSorted((left, right) => score(left) - score(right))[0];
  if (best !== undefined && Number.isFinite(score(best))) return best;
  // An interpreter that the project does not list yet: as for the others, in its own name.
  const sibling = named.find(
    (name) => ANY_PYTHON_FACTOR.test(name.split("-")[0] ?? "") && !NOT_TESTS.test(name),
  );
  if (sibling !== undefined) return [exact, ...sibling.split("-").slice(1)].join("-");
  return named.find((name) => /^(?:tests?|unit|pytest|unittests?|testing)$/.test(name)) ?? exact;
}

/** `py3{11,12}-{a,b}`, `py3{9-14}`: every name. */
export function expandBraces(pattern: string, limit = 500): readonly string[] {
  const match = /^([^{]*)\{([^{}]*)\}(.*)$/s.exec(pattern);
  if (match === null) return [pattern];
  const [, before = "", inner = "", after = ""] = match;
  const choices = inner.split(",").flatMap((choice) => {
    const range = /^\s*(\d{1,3})-(\d{1,3})\s*$/.exec(choice);
    if (range === null) return [choice.trim()];
    const [from, to] = [Number(range[1]), Number(range[2])];
    return Array.from({ length: Math.min(50, Math.max(0, to - from + 1)) }, (_, index) =>
      String(from + index),
    );
  });
  return choices
    .flatMap((choice) => expandBraces(`${before}${choice}${after}`, limit))
    .slice(0, limit);
}

/** Does a condition such as `py311,!pypy-full` hold for an environment's factors? */
export function factorsHold(condition: string, name: string): boolean {
  const factors = new Set([...name.split("-"), name]);
  return expandBraces(condition)
    .flatMap((one) => splitOutsideBraces(one))
    .some((alternative) =>
      alternative
        .trim()
        .split("-")
        .every((factor) =>
          factor.startsWith("!") ? !factors.has(factor.slice(1)) : factors.has(factor),
        ),
    );
}

/** Splits names at commas and white space, but not inside braces. */
export function splitOutsideBraces(text: string): readonly string[] {
  const parts: string[] = [""];
  let depth = 0;
  for (const character of text) {
    if (character === "{") depth++;
    if (character === "}") depth--;
    if (depth === 0 && /[,\s]/.test(character)) parts.push("");
    else parts.push((parts.pop() ?? "") + character);
  }
  return parts.filter((part) => part !== "");
}

/** Directories of tox's own stand for one that is there and may be written. */
const OWN_DIRECTORY =
  /\{(?:envtmpdir|env_tmp_dir|toxworkdir|tox_work_dir|work_dir|workdir|temp_dir|envlogdir|env_log_dir|envdir|env_dir|distdir|homedir)\}/g;

/** Fills in tox's placeholders; what it cannot know stays in its braces. */
export function fillIn(
  text: string,
  cwd: string,
  name: string,
  environment: Readonly<Record<string, string>> = {},
): string {
  const root = posix.relative(`/${cwd === "." ? "" : cwd}`, "/") || ".";
  let filled = text;
  for (let round = 0; round < 8; round++) {
    const next = filled
      .replaceAll(/\{(?:posargs|args)\}/g, "")
      .replaceAll(/\{(?:posargs|args):([^{}]*)\}/g, "$1")
      .replaceAll(/\{(?:toxinidir|tox_root|config_dir|package_root|changedir)\}/g, root)
      .replaceAll(OWN_DIRECTORY, "/tmp")
      .replaceAll(/\{(?:envpython|env_python|basepython|base_python)\}/g, "{python}")
      .replaceAll(/\{(?:envbindir|env_bin_dir)\}\/(?=\w)/g, "")
      .replaceAll(/\{(?:envsitepackagesdir|env_site_packages_dir)\}/g, "{site}")
      .replaceAll(/\{(?:envname|env_name)\}/g, name)
      .replaceAll(
        /\{env:([A-Za-z_]\w*)(?::([^{}]*))?\}/g,
        (_, key: string, otherwise?: string) => environment[key] ?? otherwise ?? "",
      )
      .replaceAll("{/}", "/")
      .replaceAll("{:}", ":");
    if (next === filled) break;
    filled = next;
  }
  // The interpreter's and site-packages' are ours.
  return filled;
}

// Settings of tools that are not there, or that would point at the uninstalled tree.
const NOT_PASSED_ON =
  /^(?:COVERAGE_|COV_|PIP_|UV_|VIRTUALENV|TOX|HOME$|PATH$|TMPDIR$|CREAMERY_|LD_|SETUPTOOLS_SCM|PYTHONHOME$|PYTHONSTARTUP$|PYTHONUSERBASE$|VIRTUAL_ENV$)/;

/** The variables that matter to the tests themselves; `{tree}` stands for the tree's root. */
export function testEnvironment(
  given: Readonly<Record<string, string>>,
  project: ProjectView,
): Readonly<Record<string, string>> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    if (!/^[A-Za-z_]\w*$/.test(name) || NOT_PASSED_ON.test(name) || value.length > 4096) continue;
    if (/\{(?!tree\}|site\}|python\})[^{}]*\}/.test(value)) continue;
    const clean =
      name === "PYTHONPATH"
        ? pythonPath(value, project)
        : name === "PYTEST_ADDOPTS"
          ? pytestOptions(value)
          : value;
    if (clean !== null) kept[name] = clean;
  }
  return kept;
}

/** Without the directories that hold the release's own packages, uninstalled. */
function pythonPath(value: string, project: ProjectView): string | null {
  const parts = value.split(":").filter((part) => {
    const relative = part.replace(/^\{tree\}\/?/, "").replace(/^\.\/?/, "");
    return (
      relative !== "" &&
      !project.units.some(
        (unit) => project.has(`${relative}/${unit}`) || project.hasDirectory(`${relative}/${unit}`),
      )
    );
  });
  return parts.length === 0 ? null : parts.join(":");
}

function pytestOptions(value: string): string | null {
  const words = value
    .replaceAll(/(^|\s)(-n|--numprocesses)[\s=]*\w+/g, "$1-n 2")
    .split(/\s+/)
    .filter(
      (word) => word !== "" && word !== "-x" && !/^--(?:exitfirst|maxfail|cov|junit)/.test(word),
    );
  return words.length === 0 ? null : words.join(" ");
}
