import { posix } from "node:path";
import type { ProjectView } from "./project-view.ts";
import { siteForm } from "./site-form.ts";

export type PytestArguments =
  | { readonly kind: "ok"; readonly argv: readonly string[]; readonly usesTree: boolean }
  | { readonly kind: "bad"; readonly why: string };

// Stop early, write reports of their own, measure coverage, or name places of the tool that runs them.
const DROPPED =
  /^(?:-x|--exitfirst|--no-cov|--cov-append|--cov-branch|--no-cov-on-fail|--sw|--stepwise|--lf|--last-failed|--ff|--failed-first|--pdb|--cache-clear|--looponfail|--cov)$/;
const DROPPED_WITH_VALUE =
  /^(?:--maxfail|--junit-?xml|--junit-?prefix|--basetemp|--cov-report|--cov-config|--cov-fail-under|--cov-context|--html|--report-log|--result-log|--durations-path|--store-durations|--splits|--group)$/;
const DROPPED_WITH_EQUALS =
  /^(?:--maxfail|--junit-?xml|--junit-?prefix|--basetemp|--cov(?:-[a-z-]+)?|--html|--report-log|--splits|--group)=/;
const WITH_VALUE =
  /^(?:-[kmopcWrn]|--(?:dist|numprocesses|tb|rootdir|confcutdir|import-mode|ignore|ignore-glob|deselect|durations|timeout|override-ini|asyncio-mode|capture|log-level|color|hypothesis-profile|hypothesis-seed|reruns|randomly-seed|log-cli-level|durations-min|timeout-method|tx|maxprocesses|ds))$/;
const PARALLEL = /^(?:-n|--numprocesses|--dist|--tx|--maxprocesses)$/;

/**
 * pytest's arguments as the farm wants them: nothing stops the run early or forbids its report; coverage is left out;
 * paths of the uninstalled package become those of the installed one; paths that are not there are left out.
 */
export function pytestArguments(
  words: readonly string[],
  project: ProjectView,
  cwd: string,
): PytestArguments {
  const argv: string[] = [];
  let paths = 0;
  let missing: string | null = null;
  let usesTree = false;
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    if (word === "--pyargs") {
      argv.push(word);
      continue;
    }
    if (/^--cov$/.test(word) && isCoverageSource(words[index + 1], project)) index++;
    if (DROPPED.test(word) || DROPPED_WITH_EQUALS.test(word)) continue;
    if (DROPPED_WITH_VALUE.test(word)) {
      index++;
      continue;
    }
    if (PARALLEL.test(word)) {
      argv.push(word, parallelValue(word, words[++index] ?? "1"));
      continue;
    }
    const joined = /^(-n|--numprocesses=)(.+)$/.exec(word);
    if (joined !== null && word !== "--numprocesses") {
      argv.push("-n", parallelValue("-n", joined[2] ?? "1"));
      continue;
    }
    if (WITH_VALUE.test(word)) {
      const value = words[++index] ?? "";
      if (!forbidsReport(word, value)) argv.push(word, value);
      continue;
    }
    if (word.startsWith("-")) {
      // Short flags in one word, `-xvs`, with the one that stops at the first failure.
      const short =
        /^-[a-zA-Z]+$/.test(word) && !/^-[kmopcWrn]/.test(word) ? word.replaceAll("x", "") : word;
      if (short !== "-" && !/^-p=?no:junitxml$/.test(short)) argv.push(short);
      continue;
    }
    const path = pathArgument(word, project, cwd, words.includes("--pyargs"));
    if (path.kind === "missing") missing ??= word;
    else {
      argv.push(...path.argv);
      paths++;
      usesTree ||= path.kind === "tree";
    }
  }
  if (missing !== null && paths === 0) return { kind: "bad", why: `${missing} is not in the tree` };
  return { kind: "ok", argv, usesTree: usesTree || paths === 0 };
}

function parallelValue(option: string, value: string): string {
  // A guest has two processors, whatever its host has.
  return /^(?:-n|--numprocesses|--maxprocesses)$/.test(option) && value !== "0" ? "2" : value;
}

function forbidsReport(option: string, value: string): boolean {
  return (
    (option === "-p" && value === "no:junitxml") ||
    (/^(?:-o|--override-ini)$/.test(option) &&
      /^(?:junit_|addopts=$)/.test(value) &&
      value !== "addopts=")
  );
}

function isCoverageSource(word: string | undefined, project: ProjectView): boolean {
  if (word === undefined || word.startsWith("-")) return false;
  return (
    project.installed.topLevel.includes(word.split(".")[0] ?? "") ||
    word.startsWith("src") ||
    (!project.has(word) && !project.hasDirectory(word))
  );
}

type PathArgument =
  | { readonly kind: "tree" | "site"; readonly argv: readonly string[] }
  | { readonly kind: "missing" };

function pathArgument(
  word: string,
  project: ProjectView,
  cwd: string,
  pyargs: boolean,
): PathArgument {
  const [path = "", ...node] = word.split("::");
  const relative = posix.normalize(posix.join(cwd, path.replace(/\/$/, "")));
  const site = siteForm(relative, project);
  if (site !== null)
    return project.installedTests.some((file) => `{site}/${file.path}`.startsWith(site))
      ? { kind: "site", argv: [site] }
      : { kind: "missing" };
  if (
    pyargs &&
    /^[\w.]+$/.test(word) &&
    project.installed.topLevel.includes(word.split(".")[0] ?? "")
  )
    return { kind: "site", argv: [word] };
  if (path.includes("*")) {
    const prefix = relative
      .slice(0, relative.indexOf("*"))
      .replace(/[^/]*$/, "")
      .replace(/\/$/, "");
    return project.hasDirectory(prefix) && prefix !== ""
      ? { kind: "tree", argv: [prefix] }
      : { kind: "missing" };
  }
  if (relative.startsWith("..") || !(project.has(relative) || project.hasDirectory(relative)))
    return { kind: "missing" };
  return { kind: "tree", argv: [[path, ...node].join("::")] };
}

/** The arguments that name places: neither options nor their values. */
export function placesAmong(argv: readonly string[]): readonly string[] {
  return argv.filter(
    (word, index) => !word.startsWith("-") && !WITH_VALUE.test(argv[index - 1] ?? ""),
  );
}
