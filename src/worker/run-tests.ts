import type {
  DependencyStep,
  InstalledListing,
  Plan,
  RejectedRung,
  TreeListing,
} from "../discovery/plan.ts";
import { failingIds } from "../model/confirm.ts";
import { reportFromText } from "../model/parsed-report.ts";
import { EventReader } from "../model/test-report.ts";
import type { TestReport } from "../model/attempt.ts";
import { GUEST } from "./guest-environment.ts";
import type { GuestSession, StepResult } from "./guest-session.ts";
import type { Installer } from "./installer.ts";
import { nextRepair } from "./repairs.ts";
import { strayTests, type StrayTest } from "./stray-tests.ts";
import { testCommand } from "./test-command.ts";
import { TreeShadows } from "./tree-shadows.ts";
import { INSTALLED_NAMES, noteNamesScript } from "./unshadow.ts";

/** Plans beyond this many are not tried: each costs a whole run of the suite. */
const MAX_PLANS = 5;
/** Rounds of installing what a collection said is missing. */
const MAX_REPAIRS = 4;
/** A run that collected less than this share of the test functions seen in its place tries the next plan. */
const ENOUGH = 0.5;
/** A hint only: the report says what really failed. */
const FAILED = /"o": ?"(?:failed|error)"/;
const UNSHADOW_MS = 60_000;
const MAX_EVENT_BYTES = 256 * 1024 * 1024;
const MAX_EVENTS = 3_000_000;
/** More failures than that say enough of themselves. */
const MAX_ALONE = 1000;

export interface TestRun {
  /** As it can be run again: with all that was installed until it ran, and all that was changed to make it run. */
  readonly plan: Plan;
  /** What was really run. */
  readonly argv: readonly string[];
  readonly result: StepResult;
  readonly report: TestReport;
  /** What was changed to make it run, for the log and the evidence. */
  readonly repairs: readonly string[];
  /** Modules that the tests import from beside them and the source lacks, where that alone keeps all from being collected. */
  readonly lackingFiles: readonly string[];
}

export interface AloneRun extends Pick<TestRun, "result" | "report"> {
  /** The tests before it left no file behind: this guest is as good as a fresh one. */
  readonly clean: boolean;
}

export interface TestsOutcome {
  readonly best: TestRun | null;
  /** What failed, run once more by itself in the same guest; null where nothing failed or nothing is to be learnt. */
  readonly alone: AloneRun | null;
  /** The step that failed when nothing could be run: installing what the tests need. */
  readonly failedStep: StepResult | null;
  readonly rejected: readonly RejectedRung[];
}

export interface TestContext {
  readonly session: GuestSession;
  readonly installer: Installer;
  /** Root of the unpacked tree in the guest. */
  readonly treeRoot: string;
  /** What is in it; empty where there is no source. */
  readonly tree: TreeListing;
  readonly installed: InstalledListing;
  /** Modules that the release's own top-level modules could not import. */
  readonly lacking: readonly string[];
  readonly installMs: number;
  readonly testMs: number;
  readonly silenceMs: number;
  /** Only these test ids; empty for all. */
  readonly only: readonly string[];
  /** Whether what failed is run once more by itself. */
  readonly retest: boolean;
  readonly onTests: (seen: number) => void;
  /** The first test that fails. */
  readonly onFailing: () => void;
  readonly onInstalling: (what: string) => void;
}

/** Tries the plans in their order and keeps the first that ran enough, else the one that ran most. */
export async function runPlans(
  plans: readonly Plan[],
  context: TestContext,
): Promise<TestsOutcome> {
  return new PlanRunner(context).run(plans);
}

class PlanRunner {
  readonly #context: TestContext;
  /** All that went into the environment, in order, whichever plan asked for it. */
  readonly #installed: DependencyStep[] = [];
  readonly #shadows: TreeShadows;

  constructor(context: TestContext) {
    this.#context = context;
    this.#shadows = new TreeShadows(context);
  }

  async run(plans: readonly Plan[]): Promise<TestsOutcome> {
    const rejected: RejectedRung[] = [];
    let best: TestRun | null = null;
    let failedStep: StepResult | null = null;
    for (const plan of plans.slice(0, MAX_PLANS)) {
      const failed = await this.#installDependencies(plan);
      if (failed !== null) {
        failedStep ??= failed;
        rejected.push({
          rung: plan.rung,
          why: `installing what it needs failed: ${failed.argv.slice(7).join(" ")}`,
        });
        continue;
      }
      const run = await this.#runWithRepairs(plan);
      const { collected } = run.report.counts;
      const before = best;
      if (best === null || outweighs(run, best)) best = run;
      const recorded = run.report.origin === "recorded";
      const enough = recorded && collected > 0 && collected >= plan.expectedAtLeast * ENOUGH;
      // What was said outright is not replaced by what the ladder finds.
      const outright = plan.rung.endsWith("override");
      if (before !== null && best === run)
        rejected.push({ rung: before.plan.rung, why: `another plan told more: ${plan.rung}` });
      if (enough || endedBadly(run) || outright || this.#context.only.length > 0) break;
      rejected.push({
        rung: plan.rung,
        why:
          collected === 0
            ? whyNothing(run)
            : `ran ${collected} tests where ${plan.expectedAtLeast} test functions were seen`,
      });
    }
    const won = best?.report.counts.collected === 0 ? undefined : best?.plan.rung;
    const alone = best !== null && this.#context.retest ? await this.#runAlone(best) : null;
    return { best, alone, failedStep, rejected: rejected.filter(({ rung }) => rung !== won) };
  }

  /**
   * Installs the plan's steps in order, the tree's own copy of the release giving way meanwhile; returns the step that
   * failed where it was not an optional one.
   */
  async #installDependencies(plan: Plan): Promise<StepResult | null> {
    const giving = await this.#shadows.prepare(plan.replaceByInstalled);
    let beside = giving?.command;
    let failed: StepResult | null = null;
    for (const step of mergeSteps(plan.dependencies)) {
      const done = await this.#install(step, beside);
      beside = undefined;
      if (done.ok || step.optional) continue;
      failed = done;
      break;
    }
    if (giving !== null) await this.#shadows.assertGaveWay(giving);
    return failed;
  }

  async #install(step: DependencyStep, beside?: string): Promise<StepResult> {
    const { session, installer, installMs, onInstalling } = this.#context;
    onInstalling(step.from);
    const done = await session.run({
      step: `dependencies (${step.from})`,
      phase: "install",
      argv: installer.installRequirements(step.requirements),
      wallMs: installMs,
      after: noteNamesScript(),
      ...(beside === undefined ? {} : { beside }),
    });
    if (done.ok) this.#installed.push(step);
    return done;
  }

  /** Runs a plan; what collection says is missing is installed, and options nobody knows are dropped, a few times. */
  async #runWithRepairs(plan: Plan): Promise<TestRun> {
    const repairs: string[] = [];
    const tried = new Set<string>();
    const leftOut: StrayTest[] = [];
    let current = plan;
    let run = await this.#withoutShadows(await this.#runOnce(current, repairs), repairs);
    for (let round = 0; round < MAX_REPAIRS && run.result.limit === null; round++) {
      const { installed, lacking, treeRoot } = this.#context;
      const { topLevel } = installed;
      const strays = this.#strays(run);
      const repair = nextRepair(run, { topLevel, lacking, strays, treeRoot }, tried);
      if (repair === null) break;
      tried.add(repair.key);
      if (repair.kind === "install") {
        for (const requirement of repair.requirements) tried.add(requirement);
        const { requirements } = repair;
        const done = await this.#install({
          from: "missing imports",
          requirements,
          optional: true,
        });
        if (!done.ok) break;
        repairs.push(
          `installed ${requirements.join(", ")}: the tests need it, and it is declared nowhere`,
        );
      } else {
        current = { ...current, argv: [...current.argv, ...repair.arguments] };
        repairs.push(repair.why);
        leftOut.push(...(repair.leftOut ?? []));
      }
      const again = await this.#runOnce(current, repairs);
      if (again.report.counts.collected < run.report.counts.collected) break;
      run = again;
    }
    return { ...run, lackingFiles: this.#lackingFiles(run, leftOut) };
  }

  #strays({ report }: Pick<TestRun, "report">): readonly StrayTest[] {
    const { tree, treeRoot, installed } = this.#context;
    return strayTests(report, { tree, treeRoot, topLevel: installed.topLevel });
  }

  /** What keeps all tests from being collected, when it is the source's doing alone. */
  #lackingFiles(run: Pick<TestRun, "report">, leftOut: readonly StrayTest[]): readonly string[] {
    const { counts, collectionErrors } = run.report;
    const strays = this.#strays(run);
    if (counts.collected > 0 || strays.length < collectionErrors.length) return [];
    return [...new Set([...leftOut, ...strays].map(({ lacks }) => lacks))];
  }

  /** A run that tested the tree's own copy of the release is made again with what was installed in its place. */
  async #withoutShadows(run: TestRun, repairs: string[]): Promise<TestRun> {
    const paths = await this.#shadows.overlay(run.report.imported);
    if (paths.length === 0) return run;
    repairs.push(
      `laid the installed files over ${paths.join(", ")}: the tests imported them from the tree`,
    );
    // Whatever it says: the first one did not test what was installed.
    return this.#runOnce(run.plan, repairs);
  }

  /** Whether what failed fails without the tests before it: in a process of its own, for no more than its own time. */
  async #runAlone(best: TestRun): Promise<AloneRun | null> {
    const ids = failingIds(best.report);
    if (ids.length === 0 || ids.length > MAX_ALONE || endedBadly(best)) return null;
    const clean = await this.#leftNothing();
    const run = await this.#runOnce(best.plan, best.repairs, { step: "retest", only: ids });
    return { result: run.result, report: run.report, clean };
  }

  /** Whether no file of the places that tests write to is younger than the last installation, caches of byte code aside. */
  async #leftNothing(): Promise<boolean> {
    const { session, treeRoot } = this.#context;
    const places = ["/tmp", "/var/tmp", "/dev/shm", GUEST.home, treeRoot];
    const found = await session.run({
      step: "leftovers",
      phase: "test",
      argv: [
        "find",
        ...places,
        "-type",
        "f",
        "-newer",
        INSTALLED_NAMES,
        "!",
        "-path",
        "*/__pycache__/*",
        "!",
        "-path",
        "*/.pytest_cache/*",
        "-print",
        "-quit",
      ],
      wallMs: UNSHADOW_MS,
      quiet: true,
    });
    const left = found.text.trim();
    if (left !== "") session.log.note(`-- the tests left files behind, such as ${left}`);
    return left === "";
  }

  async #runOnce(
    plan: Plan,
    repairs: readonly string[],
    { step, only } = { step: "test", only: this.#context.only },
  ): Promise<TestRun> {
    const { session, treeRoot, installed, testMs, silenceMs, onTests, onFailing } = this.#context;
    const events = new EventReader();
    let bytes = 0;
    let count = 0;
    let seen = 0;
    let failing = false;
    const command = testCommand(plan, {
      treeRoot,
      only,
      site: installed.sitePackages,
      topLevel: installed.topLevel,
    });
    if (only.length > 0) {
      await session.guest.put(GUEST.onlyIds, Buffer.from(only.join("\n")), {
        mode: 0o644,
        owner: "root",
      });
    }
    onTests(0);
    const result = await session.run({
      step,
      phase: "test",
      ...command,
      wallMs: testMs,
      silenceMs,
      dumpStacks: true,
      onEvent: (line) => {
        bytes += line.length + 1;
        if (line === "" || ++count > MAX_EVENTS || bytes > MAX_EVENT_BYTES) return;
        events.read(line);
        if (!line.includes('"result"')) return;
        onTests(++seen);
        if (!failing && FAILED.test(line)) {
          failing = true;
          onFailing();
        }
      },
    });
    return {
      plan: { ...plan, dependencies: [...this.#installed] },
      argv: command.argv,
      result,
      report: recordedOrParsed(events.report(result.code), plan, result.text),
      repairs: [...repairs],
      lackingFiles: [],
    };
  }
}

function whyNothing({ result, lackingFiles: lacking }: TestRun): string {
  if (lacking.length === 0) return `ran no test (${result.signal ?? `exit ${result.code}`})`;
  return `ran no test: they import ${lacking.join(", ")}, which the source lacks`;
}

function endedBadly({ result }: TestRun): boolean {
  return result.limit !== null || result.signal !== null;
}

/**
 * Which of two runs tells more: what was recorded before what was only read from text; a crash, a limit or a failure
 * before a run of fewer tests in which all was well, for that is not to hide it; else what ran more.
 */
function outweighs(run: TestRun, best: TestRun): boolean {
  const bad = ({ report: { counts } }: TestRun) => counts.failed + counts.errors > 0;
  if (endedBadly(run) || (bad(run) && !bad(best))) return !endedBadly(best);
  if (run.report.origin !== best.report.origin) return run.report.origin === "recorded";
  return run.report.counts.collected > best.report.counts.collected;
}

/** A runner of a project's own may use nothing that we record. */
function recordedOrParsed(report: TestReport, plan: Plan, text: string): TestReport {
  const nothing = report.results.length === 0 && report.collectionErrors.length === 0;
  return nothing && plan.runner === "custom" ? (reportFromText(text) ?? report) : report;
}

/** Steps that must succeed and follow each other are one command: each has its price. */
export function mergeSteps(steps: readonly DependencyStep[]): DependencyStep[] {
  const merged: DependencyStep[] = [];
  for (const step of steps) {
    if (step.requirements.length === 0) continue;
    const last = merged.at(-1);
    if (last !== undefined && !last.optional && !step.optional) {
      merged[merged.length - 1] = {
        from: [last.from, step.from].filter((from) => from !== "").join(", "),
        requirements: [...new Set([...last.requirements, ...step.requirements])],
        optional: false,
      };
    } else merged.push(step);
  }
  return merged;
}
