import type { Plan, RejectedRung } from "../discovery/plan.ts";
import { distributionForImport } from "../discovery/import-names.ts";
import { reportFromEvents } from "../model/test-report.ts";
import type { TestReport } from "../model/attempt.ts";
import { GUEST } from "./guest-environment.ts";
import type { GuestSession, StepResult } from "./guest-session.ts";
import type { Installer } from "./installer.ts";

/** Plans beyond this many are not tried: each costs a whole run of the suite. */
const MAX_PLANS = 5;
/** Rounds of installing what a collection said is missing. */
const MAX_REPAIRS = 4;
/** A run that collected less than this share of the test functions seen in its place tries the next plan. */
const ENOUGH = 0.5;
const MAX_EVENT_BYTES = 256 * 1024 * 1024;

export interface TestRun {
  readonly plan: Plan;
  /** What was really run. */
  readonly argv: readonly string[];
  readonly result: StepResult;
  readonly report: TestReport;
  /** What was changed to make it run, for the log and the evidence. */
  readonly repairs: readonly string[];
}

export interface TestsOutcome {
  readonly best: TestRun | null;
  /** The step that failed when nothing could be run: installing what the tests need. */
  readonly failedStep: StepResult | null;
  readonly rejected: readonly RejectedRung[];
}

export interface TestContext {
  readonly session: GuestSession;
  readonly installer: Installer;
  /** Root of the unpacked tree in the guest. */
  readonly treeRoot: string;
  readonly site: string;
  /** Pins that installing test requirements may not move: the release under test. */
  readonly keep: readonly string[];
  readonly topLevel: readonly string[];
  readonly installMs: number;
  readonly testMs: number;
  readonly silenceMs: number;
  /** Only these test ids; empty for all. */
  readonly only: readonly string[];
  readonly onTests: (seen: number) => void;
}

/** Tries the plans in their order and keeps the first that ran enough, else the one that ran most. */
export async function runPlans(
  plans: readonly Plan[],
  context: TestContext,
): Promise<TestsOutcome> {
  const rejected: RejectedRung[] = [];
  let best: TestRun | null = null;
  let failedStep: StepResult | null = null;
  for (const plan of plans.slice(0, MAX_PLANS)) {
    const setUp = await installDependencies(plan, context);
    if (setUp !== null) {
      failedStep ??= setUp;
      rejected.push({
        rung: plan.rung,
        why: `installing what it needs failed: ${setUp.argv.slice(5).join(" ")}`,
      });
      continue;
    }
    const run = await runWithRepairs(plan, context);
    if (best === null || run.report.counts.collected > best.report.counts.collected) best = run;
    const collected = run.report.counts.collected;
    const enough = collected > 0 && collected >= plan.expectedAtLeast * ENOUGH;
    if (
      enough ||
      run.result.limit !== null ||
      run.result.signal !== null ||
      context.only.length > 0
    )
      break;
    rejected.push({
      rung: plan.rung,
      why:
        collected === 0
          ? `ran no test (${run.result.signal ?? `exit ${run.result.code}`})`
          : `ran ${collected} tests where ${plan.expectedAtLeast} test functions were seen`,
    });
  }
  return {
    best,
    failedStep,
    rejected: rejected.filter(
      (entry) => entry.rung !== best?.plan.rung || best.report.counts.collected === 0,
    ),
  };
}

/** Installs the plan's steps in order; returns the step that failed where it was not an optional one. */
async function installDependencies(plan: Plan, context: TestContext): Promise<StepResult | null> {
  for (const step of plan.dependencies) {
    if (step.requirements.length === 0) continue;
    const result = await install(step.requirements, context, `dependencies (${step.from})`);
    if (!result.ok && !step.optional) return result;
  }
  return null;
}

function install(
  requirements: readonly string[],
  context: TestContext,
  step: string,
): Promise<StepResult> {
  return context.session.run({
    step,
    phase: "install",
    argv: context.installer.installRequirements(requirements, context.keep),
    wallMs: context.installMs,
  });
}

/** Runs a plan; what collection says is missing is installed, and options nobody knows are dropped, a few times. */
async function runWithRepairs(plan: Plan, context: TestContext): Promise<TestRun> {
  const repairs: string[] = [];
  const tried = new Set<string>();
  let extra: readonly string[] = [];
  let run = await runOnce(plan, context, extra, repairs);
  for (let round = 0; round < MAX_REPAIRS && run.result.limit === null; round++) {
    const repair = nextRepair(run, context.topLevel, tried);
    if (repair === null) break;
    tried.add(repair.key);
    if (repair.kind === "install") {
      const result = await install(repair.requirements, context, "dependencies (missing imports)");
      if (!result.ok) break;
      repairs.push(
        `installed ${repair.requirements.join(", ")}: imported by the tests, declared nowhere`,
      );
    } else {
      extra = repair.arguments;
      repairs.push("emptied pytest's addopts: it names an option that nothing installed knows");
    }
    const again = await runOnce(plan, context, extra, repairs);
    if (again.report.counts.collected < run.report.counts.collected) break;
    run = again;
  }
  return run;
}

type Repair =
  | { readonly kind: "install"; readonly key: string; readonly requirements: readonly string[] }
  | { readonly kind: "options"; readonly key: string; readonly arguments: readonly string[] };

const MISSING_MODULE =
  /ModuleNotFoundError: No module named '([A-Za-z0-9_.]+)'|ImportError: No module named '?([A-Za-z0-9_.]+)'?/g;
const MISSING_PLUGIN =
  /Missing required plugins?: ([^\n]+)|required plugins?: ([^\n]+)|Error importing plugin "([A-Za-z0-9_.]+)"/;
const UNKNOWN_OPTION = /unrecognized arguments: ([^\n]+)|unknown config option|no such option/;

/** What a failed collection asks for; null when it asks for nothing that we can give. */
export function nextRepair(
  run: Pick<TestRun, "result" | "report" | "plan">,
  topLevel: readonly string[],
  tried: ReadonlySet<string>,
): Repair | null {
  const { report, result } = run;
  const nothingRan = report.counts.collected === 0 && result.code !== 0;
  if (report.collectionErrors.length === 0 && !nothingRan) return null;
  const text = [
    ...report.collectionErrors.map((error) => error.message),
    nothingRan ? result.text : "",
  ].join("\n");
  const requirements = new Set<string>();
  for (const match of text.matchAll(MISSING_MODULE)) {
    const name = match[1] ?? match[2] ?? "";
    const top = name.split(".")[0] ?? "";
    // The project's own modules, and the tests' own, are not on any index.
    if (
      top === "" ||
      topLevel.includes(top) ||
      /^(tests?|testing|conftest|examples?|docs?)$/.test(top)
    )
      continue;
    const distribution = distributionForImport(name);
    if (distribution !== null) requirements.add(distribution);
  }
  const plugins = MISSING_PLUGIN.exec(text);
  for (const plugin of (plugins?.[1] ?? plugins?.[2] ?? "").split(",")) {
    const requirement = plugin.trim().replace(/[.\s]+$/, "");
    if (/^[A-Za-z0-9][A-Za-z0-9._-]*([<>=!~]=?[^;\s]*)?$/.test(requirement))
      requirements.add(requirement);
  }
  const fresh = [...requirements].filter((requirement) => !tried.has(requirement));
  if (fresh.length > 0) return { kind: "install", key: fresh[0] ?? "", requirements: fresh };
  const unknown = UNKNOWN_OPTION.exec(text);
  if (unknown !== null && run.plan.runner === "pytest") {
    const plugin = pluginOfOption(unknown[1] ?? "");
    if (plugin !== null && !tried.has(plugin))
      return { kind: "install", key: plugin, requirements: [plugin] };
    if (!tried.has("addopts"))
      return { kind: "options", key: "addopts", arguments: ["-o", "addopts="] };
  }
  return null;
}

/** Which plugin brings an option: the usual ones. */
function pluginOfOption(options: string): string | null {
  const table: readonly (readonly [RegExp, string])[] = [
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
  return table.find(([pattern]) => pattern.test(options))?.[1] ?? null;
}

async function runOnce(
  plan: Plan,
  context: TestContext,
  extra: readonly string[],
  repairs: readonly string[],
): Promise<TestRun> {
  const { session } = context;
  const lines: string[] = [];
  let bytes = 0;
  let seen = 0;
  const command = testCommand(plan, context, extra);
  if (context.only.length > 0) {
    await session.guest.put(ONLY_FILE, Buffer.from(context.only.join("\n")), {
      mode: 0o644,
      owner: "root",
    });
  }
  const result = await session.run({
    step: "test",
    phase: "test",
    ...command,
    wallMs: context.testMs,
    silenceMs: context.silenceMs,
    dumpStacks: true,
    onEvent: (line) => {
      bytes += line.length;
      if (bytes > MAX_EVENT_BYTES) return;
      lines.push(line);
      if (line.includes('"result"')) context.onTests(++seen);
    },
  });
  return {
    plan,
    argv: command.argv,
    result,
    report: reportFromEvents(lines, result.code),
    repairs: [...repairs],
  };
}

const ONLY_FILE = "/run/creamery-only-ids";

/** The command as it is executed, with the recording plugin or result class in it. */
export function testCommand(
  plan: Plan,
  context: Pick<TestContext, "treeRoot" | "site" | "only">,
  extra: readonly string[],
): { argv: readonly string[]; cwd: string; env: Record<string, string> } {
  const fill = (text: string) =>
    text.replaceAll("{python}", GUEST.venvPython).replaceAll("{site}", context.site);
  const argv = plan.argv.map(fill);
  const cwd = plan.cwd.startsWith("{site}") ? fill(plan.cwd) : joinTree(context.treeRoot, plan.cwd);
  const paths = plan.pythonPath.map((path) =>
    path.startsWith("{site}") ? fill(path) : joinTree(context.treeRoot, path),
  );
  const env: Record<string, string> = { ...plan.env };
  for (const [name, value] of Object.entries(env))
    env[name] = fill(value).replaceAll("{tree}", context.treeRoot);
  if (context.only.length > 0) env["CREAMERY_ONLY_IDS"] = ONLY_FILE;
  const inherited = env["PYTHONPATH"] === undefined ? [] : [env["PYTHONPATH"]];
  switch (plan.runner) {
    case "pytest": {
      const at = argv.findIndex(
        (word) => word === "pytest" || word === "py.test" || word.endsWith("/pytest"),
      );
      const end = at < 0 ? argv.length : at + 1;
      env["PYTHONPATH"] = [GUEST.reports, ...paths, ...inherited].join(":");
      return {
        argv: [...argv.slice(0, end), "-p", "creamery_pytest", ...argv.slice(end), ...extra],
        cwd,
        env,
      };
    }
    case "unittest": {
      env["PYTHONPATH"] = [GUEST.reports, ...paths, ...inherited].join(":");
      return {
        argv: argv.map((word) => (word === "unittest" ? "creamery_unittest" : word)),
        cwd,
        env,
      };
    }
    case "custom": {
      env["PYTHONPATH"] = [GUEST.inject, GUEST.reports, ...paths, ...inherited].join(":");
      env["CREAMERY_RECORD"] = "1";
      return { argv, cwd, env };
    }
  }
}

function joinTree(root: string, path: string): string {
  return path === "" || path === "." ? root : `${root}/${path}`;
}
