import { iniLines } from "../python/ini.ts";
import { splitCommands } from "./command-words.ts";
import type { ProjectView } from "./project-view.ts";
import { isTable, tableAt, textsOf, type Table } from "./toml-values.ts";

/** pytest's configuration: the first file that holds one, in pytest's own order. */
export interface PytestConfig {
  /** `pyproject.toml [tool.pytest.ini_options]` */
  readonly from: string;
  readonly file: string;
  readonly testpaths: readonly string[];
  readonly pythonFiles: readonly string[];
  readonly addopts: readonly string[];
  readonly pythonpath: readonly string[];
  readonly requiredPlugins: readonly string[];
  readonly minversion: string | null;
  /** Names of all options set. */
  readonly options: readonly string[];
}

const DEFAULT_PYTHON_FILES = ["test_*.py", "*_test.py"];

export function readPytestConfig(project: ProjectView): PytestConfig | null {
  for (const file of ["pytest.toml", ".pytest.toml"]) {
    if (project.has(file))
      return fromTable(tableAt(project.toml(file), "pytest"), `${file} [pytest]`, file);
  }
  for (const file of ["pytest.ini", ".pytest.ini"]) {
    // pytest.ini counts even when it is empty.
    if (project.has(file))
      return fromIni(project.ini(file).get("pytest") ?? new Map(), `${file} [pytest]`, file);
  }
  const tool = tableAt(project.pyproject, "tool", "pytest");
  if (isTable(tool["ini_options"]))
    return fromTable(
      tool["ini_options"],
      "pyproject.toml [tool.pytest.ini_options]",
      "pyproject.toml",
    );
  if (Object.keys(tool).length > 0)
    return fromTable(tool, "pyproject.toml [tool.pytest]", "pyproject.toml");
  const tox = project.ini("tox.ini").get("pytest");
  if (tox !== undefined) return fromIni(tox, "tox.ini [pytest]", "tox.ini");
  const setup = project.ini("setup.cfg").get("tool:pytest");
  return setup === undefined ? null : fromIni(setup, "setup.cfg [tool:pytest]", "setup.cfg");
}

function fromTable(table: Table, from: string, file: string): PytestConfig {
  const list = (key: string): readonly string[] => {
    const value = table[key];
    return typeof value === "string" ? words(value) : textsOf(value);
  };
  return configOf(
    (key) => list(key),
    typeof table["minversion"] === "string" ? table["minversion"] : null,
    Object.keys(table),
    from,
    file,
  );
}

function fromIni(section: ReadonlyMap<string, string>, from: string, file: string): PytestConfig {
  return configOf(
    (key) => words(iniLines(section.get(key)).join(" ")),
    section.get("minversion") ?? null,
    [...section.keys()],
    from,
    file,
  );
}

function configOf(
  list: (key: string) => readonly string[],
  minversion: string | null,
  options: readonly string[],
  from: string,
  file: string,
): PytestConfig {
  const pythonFiles = list("python_files");
  return {
    from,
    file,
    testpaths: list("testpaths").map((path) => path.replace(/^\.\//, "").replace(/\/$/, "")),
    pythonFiles: pythonFiles.length === 0 ? DEFAULT_PYTHON_FILES : pythonFiles,
    addopts: list("addopts"),
    pythonpath: list("pythonpath"),
    requiredPlugins: list("required_plugins"),
    minversion,
    options,
  };
}

function words(text: string): readonly string[] {
  return splitCommands(text.replaceAll("\n", " "))?.flat() ?? [];
}

// Plugins by the options and ini keys that they bring.
const PLUGINS_BY_INI: readonly (readonly [RegExp, string])[] = [
  [/^asyncio_/, "pytest-asyncio"],
  [/^anyio_/, "anyio"],
  [/^trio_/, "pytest-trio"],
  [/^timeout(_|$)/, "pytest-timeout"],
  [/^(django_|DJANGO_|python_django)/i, "pytest-django"],
  [/^mypy_/, "pytest-mypy-plugins"],
  [/^env$|^env_/, "pytest-env"],
  [/^(rst|doctest_plus|doctest_rst|remote_data|text_file_format)/, "pytest-doctestplus"],
  [/^qt_/, "pytest-qt"],
  [/^(bdd_)/, "pytest-bdd"],
  [/^(mock_)/, "pytest-mock"],
  [/^(httpx_mock|pytest_httpx)/, "pytest-httpx"],
  [/^(mpl-)/, "pytest-mpl"],
  [/^(run_parallel|parallel_threads|thread_unsafe_)/, "pytest-run-parallel"],
  [/^(vcr_)/, "pytest-vcr"],
  [/^(xvfb_)/, "pytest-xvfb"],
];
const PLUGINS_BY_OPTION: readonly (readonly [RegExp, string])[] = [
  [/^--(no-)?cov/, "pytest-cov"],
  [/^(-n\d*|-nauto|-nlogical|--dist|--numprocesses|--maxprocesses|--tx)(=|$)/, "pytest-xdist"],
  [/^--timeout/, "pytest-timeout"],
  [/^--benchmark/, "pytest-benchmark"],
  [/^--asyncio-mode/, "pytest-asyncio"],
  [/^--(hypothesis)/, "hypothesis"],
  [/^--mypy/, "pytest-mypy"],
  [/^--(reruns|only-rerun)/, "pytest-rerunfailures"],
  [/^--randomly/, "pytest-randomly"],
  [/^--random-order/, "pytest-random-order"],
  [/^--forked/, "pytest-forked"],
  [/^--(doctest-plus|doctest-rst|remote-data)/, "pytest-doctestplus"],
  [/^--(ds|dc|nomigrations|reuse-db|create-db|no-migrations)/, "pytest-django"],
  [/^--(disable-socket|allow-hosts|allow-unix-socket)/, "pytest-socket"],
  [/^--(snapshot)/, "syrupy"],
  [/^--(inline-snapshot)/, "inline-snapshot"],
  [/^--(sugar)/, "pytest-sugar"],
  [/^--(html|self-contained-html)/, "pytest-html"],
  [/^--(mpl)/, "pytest-mpl"],
  [/^--(flake8)/, "pytest-flake8"],
  [/^--(black)/, "pytest-black"],
  [/^--(ruff)/, "pytest-ruff"],
  [/^--(isort)/, "pytest-isort"],
  [/^--(pylint)/, "pytest-pylint"],
  [/^--(checkdocs)/, "pytest-checkdocs"],
  [/^--(enabler)/, "pytest-enabler"],
  [/^--(parallel-threads|iterations)/, "pytest-run-parallel"],
  [/^--(memray|most-allocations)/, "pytest-memray"],
  [/^--(codspeed)/, "pytest-codspeed"],
  [/^--(picked)/, "pytest-picked"],
  [/^--(docker)/, "pytest-docker"],
  [/^--(freeze)/, "pytest-freezegun"],
  [/^--(aiohttp)/, "pytest-aiohttp"],
  [/^--(nbval)/, "nbval"],
  [/^--(subprocess)/, "pytest-subprocess"],
];
const PLUGIN_MODULES: Readonly<Record<string, string>> = {
  xdist: "pytest-xdist",
  asyncio: "pytest-asyncio",
  randomly: "pytest-randomly",
};

/** Distributions without which this configuration or these arguments make pytest stop, under `filterwarnings = error` too. */
export function pluginsNeeded(
  config: PytestConfig | null,
  argv: readonly string[],
): readonly string[] {
  const needed = new Set<string>();
  const options = [...(config?.addopts ?? []), ...argv];
  for (const [pattern, plugin] of PLUGINS_BY_OPTION)
    if (options.some((option) => pattern.test(option))) needed.add(plugin);
  for (const [pattern, plugin] of PLUGINS_BY_INI)
    if ((config?.options ?? []).some((option) => pattern.test(option))) needed.add(plugin);
  for (const [index, option] of options.entries()) {
    const module = option === "-p" ? options[index + 1] : /^-p(?=\w)(.+)$/.exec(option)?.[1];
    const plugin = module === undefined ? undefined : PLUGIN_MODULES[module];
    if (plugin !== undefined) needed.add(plugin);
  }
  for (const plugin of config?.requiredPlugins ?? []) needed.add(plugin);
  return [...needed].toSorted();
}
