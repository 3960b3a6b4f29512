import { distributionForImport } from "../discovery/import-names.ts";
import type { Plan } from "../discovery/plan.ts";
import type { TestReport } from "../model/attempt.ts";
import type { StepResult } from "./guest-session.ts";
import type { StrayTest } from "./stray-tests.ts";

/** What is changed so that tests can run at all; each kind of change is made once for each of its keys. */
export type Repair =
  | { readonly kind: "install"; readonly key: string; readonly requirements: readonly string[] }
  /** Arguments added to pytest's command line, and why. */
  | {
      readonly kind: "options";
      readonly key: string;
      readonly arguments: readonly string[];
      readonly why: string;
      /** What is not collected any more. */
      readonly leftOut?: readonly StrayTest[];
    };

export interface RepairableRun {
  readonly plan: Pick<Plan, "runner">;
  readonly result: Pick<StepResult, "code" | "text">;
  readonly report: TestReport;
}

export interface ReleaseModules {
  /** What the release installs. */
  readonly topLevel: readonly string[];
  /**
   * What the release itself imports and nobody declared, as the smoke run saw: to install it would hide what breaks
   * for everybody who installs the release.
   */
  readonly lacking: readonly string[];
  /** Modules of tests that nothing could help: the source lacks what they import. */
  readonly strays: readonly StrayTest[];
  /** Absolute, in the guest. */
  readonly treeRoot: string;
}

const MISSING_MODULE =
  /ModuleNotFoundError: No module named '([A-Za-z0-9_.]+)'|ImportError: No module named '?([A-Za-z0-9_.]+)'?/g;
const MISSING_PLUGIN =
  /Missing required plugins?: ([^\n]+)|required plugins?: ([^\n]+)|Error importing plugin "([A-Za-z0-9_.]+)"/;
const UNKNOWN_OPTION = /unrecognized arguments: ([^\n]+)|unknown config option|no such option/;
/** The tests' own packages are on no index. */
const OWN_NAMES = /^(tests?|testing|conftest|examples?|docs?|tools|scripts|benchmarks?|setup)$/;

/** What a failed collection asks for; null when it asks for nothing that we can give. */
export function nextRepair(
  run: RepairableRun,
  { topLevel, lacking, strays, treeRoot }: ReleaseModules,
  tried: ReadonlySet<string>,
): Repair | null {
  const { report, result } = run;
  const nothingRan = report.counts.collected === 0 && result.code !== 0;
  if (report.collectionErrors.length === 0 && !nothingRan) return null;
  const text = [
    ...report.collectionErrors.map((error) => error.message),
    nothingRan ? result.text : "",
  ].join("\n");
  const requirements = [
    ...new Set([...missingDistributions(text, [...topLevel, ...lacking]), ...missingPlugins(text)]),
  ].filter((requirement) => !tried.has(requirement));
  if (requirements[0] !== undefined) return { kind: "install", key: requirements[0], requirements };
  if (run.plan.runner !== "pytest") return null;
  const fresh = strays.filter(({ path }) => !tried.has(path));
  if (fresh[0] !== undefined)
    return {
      kind: "options",
      key: fresh[0].path,
      arguments: fresh.map(({ path }) => `--ignore=${treeRoot}/${path}`),
      why: `left out ${fresh.map(({ path, lacks }) => `${path}, which imports ${lacks}`).join("; ")}: the source lacks that`,
      leftOut: fresh,
    };
  const warning = nothingRan ? fatalWarning(result.text) : null;
  if (warning !== null && !tried.has(warning))
    return {
      kind: "options",
      key: warning,
      arguments: ["-W", warning],
      why: `ignored a warning of pytest's plugins that the settings make an error: ${warning}`,
    };
  const unknown = UNKNOWN_OPTION.exec(text);
  if (unknown === null) return null;
  const plugin = pluginOfOption(unknown[1] ?? "");
  if (plugin !== null && !tried.has(plugin))
    return { kind: "install", key: plugin, requirements: [plugin] };
  return tried.has("addopts")
    ? null
    : {
        kind: "options",
        key: "addopts",
        arguments: ["-o", "addopts="],
        why: "emptied pytest's addopts: it names an option that nothing installed knows",
      };
}

/**
 * `filterwarnings = error` and a newer plugin's deprecation end pytest before it has a test: the filter that lets
 * this one warning pass. What the release itself warns of is its own affair, and stays an error.
 */
function fatalWarning(text: string): string | null {
  const [, category = "", message = ""] =
    [...text.matchAll(/^INTERNALERROR> ((?:\w+\.)*\w*Warning): ([^\n]+)/gmu)].at(-1) ?? [];
  // A filter's parts are divided by colons; a message is matched from its beginning.
  const [start = ""] = message.split(":");
  return category === "" || start.trim() === "" ? null : `ignore:${start.trim()}:${category}`;
}

function missingDistributions(text: string, leftOut: readonly string[]): string[] {
  return [...text.matchAll(MISSING_MODULE)].flatMap((match) => {
    const name = match[1] ?? match[2] ?? "";
    const top = name.split(".")[0] ?? "";
    if (top === "" || leftOut.includes(top) || OWN_NAMES.test(top)) return [];
    const distribution = distributionForImport(name);
    return distribution === null ? [] : [distribution];
  });
}

function missingPlugins(text: string): string[] {
  const plugins = MISSING_PLUGIN.exec(text);
  return (plugins?.[1] ?? plugins?.[2] ?? plugins?.[3] ?? "")
    .split(",")
    .map((plugin) => plugin.trim().replace(/[.\s]+$/, ""))
    .filter((requirement) => /^[A-Za-z0-9][\w.-]*([<>=!~]=?[^;\s]*)?$/.test(requirement));
}

/** Which plugin brings an option: the usual ones. */
const PLUGIN_OPTIONS: readonly (readonly [RegExp, string])[] = [
  [/--cov/, "pytest-cov"],
  [/(^|\s)(-n\b|-n\d|--dist|--numprocesses)/, "pytest-xdist"],
  [/--timeout/, "pytest-timeout"],
  [/--benchmark/, "pytest-benchmark"],
  [/--asyncio-mode/, "pytest-asyncio"],
  [/--hypothesis/, "hypothesis"],
  [/--mypy/, "pytest-mypy"],
  [/--flake8/, "pytest-flake8"],
  [/--black/, "pytest-black"],
  [/--randomly|(^|\s)-p no:randomly/, "pytest-randomly"],
  [/--reruns/, "pytest-rerunfailures"],
  [/--forked/, "pytest-forked"],
  [/--ruff/, "pytest-ruff"],
  [/--html/, "pytest-html"],
  [/--doctest-plus|--doctest-rst/, "pytest-doctestplus"],
];

function pluginOfOption(options: string): string | null {
  return PLUGIN_OPTIONS.find(([pattern]) => pattern.test(options))?.[1] ?? null;
}
