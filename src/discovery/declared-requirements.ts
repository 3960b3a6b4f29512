import { expandGroup } from "../python/dependency-groups.ts";
import { iniLines } from "../python/ini.ts";
import { normaliseName } from "../python/names.ts";
import { readRequirementsFile } from "../python/requirements-file.ts";
import { applies, withoutMarker, type Requirement } from "../python/requirements.ts";
import type { ProjectView } from "./project-view.ts";
import type { DeclaredRequirements } from "./rung.ts";
import { isTable, tableAt, textsOf } from "./toml-values.ts";

/** Rung B: where a project says what its tests need. */

export interface DeclaredSources {
  /** In the order of the ladder; the first is used. */
  readonly sources: readonly DeclaredRequirements[];
  readonly rejected: readonly { readonly rung: string; readonly why: string }[];
}

const TEST_NAMES = [
  "test",
  "tests",
  "testing",
  "unittest",
  "unittests",
  "unit",
  "pytest",
  "test-dependencies",
  "test-deps",
  "testdeps",
  "tests-only",
  "test-requirements",
];
// Groups that hold linters, docs and more beside what tests need.
const MIXED_NAMES = [
  "dev",
  "develop",
  "development",
  "dev-dependencies",
  "all",
  "ci",
  "full",
  "test-all",
  "tests-full",
];

export function declaredRequirements(project: ProjectView): DeclaredSources {
  const rejected: { rung: string; why: string }[] = [];
  const rungs: readonly [
    rung: string,
    what: string,
    read: (project: ProjectView, reject: (why: string) => void) => readonly DeclaredRequirements[],
  ][] = [
    ["B1", "dependency groups", fromGroups],
    ["B2", "extras", fromExtras],
    ["B3", "test requirements of hatch, pdm, poetry, uv or pixi", fromTools],
    ["B4", "requirements files for tests", fromRequirementsFiles],
    ["B5", "tests_require", fromTestsRequire],
  ];
  const found = rungs.flatMap(([rung, what, read]) => {
    const sources = read(project, (why) => rejected.push({ rung, why }));
    if (sources.length === 0) rejected.push({ rung, why: `declares no ${what}` });
    return sources;
  });
  // A source for tests alone, wherever it is, says more than a group that holds everything.
  const pure = found.filter((source) => !source.mixed);
  return { sources: [...pure, ...found.filter((source) => source.mixed)], rejected };
}

/** Names of groups in the order in which they are believed: exact test names, names with "test" in them, mixed ones. */
function rankNames(names: readonly string[]): readonly (readonly [name: string, mixed: boolean])[] {
  const normalised = names.map((name) => [name, normaliseName(name)] as const);
  const exact = TEST_NAMES.flatMap((wanted) =>
    normalised.filter(([, name]) => name === wanted).map(([name]) => [name, false] as const),
  );
  const alike = normalised
    .filter(
      ([, name]) =>
        /(^|-)tests?(ing)?(-|$)/.test(name) &&
        !TEST_NAMES.includes(name) &&
        !MIXED_NAMES.includes(name),
    )
    .filter(([, name]) => !/random|bench|doc|mypy|typ|lint|perf|fuzz|integration|cov/.test(name))
    .map(([name]) => [name, false] as const);
  const mixed = MIXED_NAMES.flatMap((wanted) =>
    normalised.filter(([, name]) => name === wanted).map(([name]) => [name, true] as const),
  );
  return [...exact, ...alike, ...mixed];
}

function fromGroups(
  project: ProjectView,
  reject: (why: string) => void,
): readonly DeclaredRequirements[] {
  const groups = tableAt(project.pyproject, "dependency-groups");
  return rankNames(Object.keys(groups)).flatMap(([name, mixed]) => {
    const expanded = expandGroup(groups, name);
    if (expanded.kind === "ok")
      return [
        {
          from: `dependency-groups:${name}`,
          rung: "B1",
          requirements: expanded.requirements,
          mixed,
        },
      ];
    reject(expanded.why);
    return [];
  });
}

function fromExtras(project: ProjectView): readonly DeclaredRequirements[] {
  return rankNames(project.metadata.extras).map(([name, mixed]) => ({
    from: `extra:${name}`,
    rung: "B2",
    requirements: extraRequirements(project, name),
    mixed,
  }));
}

/** What an extra adds, as requirements without the marker's part about extras; those of other environments are left out. */
export function extraRequirements(project: ProjectView, extra: string): readonly string[] {
  return project.metadata.requiresDist
    .filter((one) => one.marker !== null && appliesWithExtra(project, one, extra))
    .map(withoutMarker);
}

function fromTools(project: ProjectView): readonly DeclaredRequirements[] {
  const tool = (...path: readonly string[]) => tableAt(project.pyproject, "tool", ...path);
  const found: DeclaredRequirements[] = [];
  const add = (from: string, requirements: readonly string[], mixed: boolean): void => {
    if (requirements.length > 0) found.push({ from, rung: "B3", requirements, mixed });
  };
  const hatch = { ...tool("hatch", "envs"), ...tableAt(project.toml("hatch.toml"), "envs") };
  for (const name of ["hatch-test", "test", "tests", "testing", "default", "dev"]) {
    const env = tableAt(hatch, name);
    const features = textsOf(env["features"]).flatMap((feature) =>
      extraRequirements(project, feature),
    );
    add(
      `hatch:${name}`,
      [...textsOf(env["dependencies"]), ...textsOf(env["extra-dependencies"]), ...features],
      name.startsWith("de"),
    );
  }
  const pdm = tool("pdm", "dev-dependencies");
  for (const [name, mixed] of rankNames(Object.keys(pdm)))
    add(`pdm:${name}`, textsOf(pdm[name]), mixed);
  const poetry = tool("poetry", "group");
  for (const [name, mixed] of rankNames(Object.keys(poetry)))
    add(`poetry:${name}`, poetryRequirements(tableAt(poetry, name, "dependencies")), mixed);
  add("poetry:dev-dependencies", poetryRequirements(tool("poetry", "dev-dependencies")), true);
  add("uv:dev-dependencies", textsOf(tool("uv")["dev-dependencies"]), true);
  const pixi = tool("pixi", "feature");
  for (const [name, mixed] of rankNames(Object.keys(pixi))) {
    add(
      `pixi:${name}`,
      [
        ...Object.keys(tableAt(pixi, name, "pypi-dependencies")),
        ...Object.keys(tableAt(pixi, name, "dependencies")).filter((one) => one !== "python"),
      ],
      mixed,
    );
  }
  return found;
}

/** Poetry's table of requirements as PEP 508; versions that PEP 440 has no words for are left open. */
function poetryRequirements(table: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.entries(table).flatMap(([name, value]) => {
    if (name === "python") return [];
    const written =
      typeof value === "string"
        ? value
        : isTable(value) && typeof value["version"] === "string"
          ? value["version"]
          : "";
    const extras = isTable(value) ? textsOf(value["extras"]) : [];
    const caret = /^[\^~]\s*(\d[\w.]*)$/.exec(written);
    const version =
      caret === null
        ? /^[<>=!]/.test(written)
          ? written
          : /^\d[\w.]*$/.test(written)
            ? `==${written}`
            : ""
        : `>=${caret[1] ?? ""}`;
    return [`${name}${extras.length > 0 ? `[${extras.join(",")}]` : ""}${version}`];
  });
}

/** `requirements/tests.in`, `requirements-dev.txt`, `test_requirements.txt`, `tests/requirements.txt`. */
function isRequirementsFile(path: string): boolean {
  const forTests = /(?:^|[/_.-])(?:tests?|testing|dev|develop|development|ci)(?:[/_.-])/i.test(
    path,
  );
  return (
    forTests &&
    /\.(?:txt|in|pip)$/.test(path) &&
    /req|(?:^|\/)(?:dev-|test-)?deps|(?:^|\/)tests?\.txt$/i.test(path)
  );
}

function fromRequirementsFiles(
  project: ProjectView,
  reject: (why: string) => void,
): readonly DeclaredRequirements[] {
  const paths = Object.keys(project.tree.texts).filter(isRequirementsFile);
  const ranked = paths.toSorted(
    (left, right) =>
      rankFile(left) - rankFile(right) || left.length - right.length || (left < right ? -1 : 1),
  );
  const seen = new Set<string>();
  return ranked.flatMap((path) => {
    const stem = path.replace(/\.\w+$/, "");
    // The `.in` file says what is needed, the `.txt` made of it pins what was newest that day: old on new interpreters.
    if (seen.has(stem)) return [];
    seen.add(stem);
    const read = readRequirementsFile(path, (one) => unpinned(project, one));
    for (const note of read.notes.slice(0, 5)) reject(note);
    const extras = read.selfExtras.flatMap((extra) => extraRequirements(project, extra));
    const requirements = [...read.requirements.map((one) => one.text), ...extras];
    return requirements.length === 0
      ? []
      : [{ from: path, rung: "B4", requirements, mixed: !/test/i.test(path) }];
  });
}

/** The text of the `.in` file beside a pinned `.txt`, where there is one. */
export function unpinned(project: ProjectView, path: string): string | undefined {
  return project.text(path.replace(/\.txt$/, ".in")) ?? project.text(path);
}

function rankFile(path: string): number {
  return (
    (/test/i.test(path) ? 0 : 10) +
    (path.endsWith(".in") ? 0 : 1) +
    (/lint|doc|typ|mypy|bench|integration|min/i.test(path) ? 5 : 0)
  );
}

function fromTestsRequire(project: ProjectView): readonly DeclaredRequirements[] {
  const cfg = iniLines(project.ini("setup.cfg").get("options")?.get("tests_require"));
  const setup = project.text("setup.py") ?? "";
  const literal =
    /tests_require\s*[=:]\s*(\[[^\]]{0,4000}\]|\([^)]{0,4000}\)|'[^']{0,500}'|"[^"]{0,500}")/.exec(
      setup,
    )?.[1];
  const name = /tests_require\s*=\s*([A-Za-z_]\w*)/.exec(setup)?.[1];
  const variable =
    name === undefined
      ? undefined
      : new RegExp(`(?:^|\\n)\\s*${name}\\s*=\\s*(\\[[^\\]]{0,4000}\\]|\\([^)]{0,4000}\\))`).exec(
          setup,
        )?.[1];
  const found = [...cfg, ...pythonStrings(literal ?? variable ?? "")];
  return found.length === 0
    ? []
    : [{ from: "tests_require", rung: "B5", requirements: found, mixed: false }];
}

/** The string literals of a piece of Python, comments taken out. */
export function pythonStrings(source: string): readonly string[] {
  const text = source.replaceAll(/(^|[\s,[(])#[^\n]*/g, "$1");
  return [...text.matchAll(/(?<![A-Za-z])[rRbBuU]?(?:"([^"\\\n]*)"|'([^'\\\n]*)')/g)].map(
    (match) => match[1] ?? match[2] ?? "",
  );
}

function appliesWithExtra(project: ProjectView, one: Requirement, extra: string): boolean {
  return appliesFor(project, one, [extra]) && !appliesFor(project, one, []);
}

function appliesFor(project: ProjectView, one: Requirement, extras: readonly string[]): boolean {
  return applies(one, project.context.markers, extras);
}
