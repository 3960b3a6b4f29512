import { createReadStream } from "node:fs";

import { CreameryError } from "../base/errors.ts";
import { discover } from "../discovery/discover.ts";
import type {
  Discovery,
  InstalledListing,
  Plan,
  RejectedRung,
  TreeListing,
} from "../discovery/plan.ts";
import type {
  FileSystemDifference,
  Guest,
  GuestCounters,
  GuestSpec,
  Machine,
  RefusedConnection,
} from "../machine/machine.ts";
import type { Phase } from "../model/attempt.ts";
import type { AttemptIndex } from "./attempt-index.ts";
import type { AttemptJob } from "./attempt-job.ts";
import type { AttemptLog } from "./attempt-log.ts";
import { GUEST, jobEnvironment } from "./guest-environment.ts";
import { GuestSession, type StepResult } from "./guest-session.ts";
import { installerFor, type Installer } from "./installer.ts";
import { installRelease, type Installation } from "./install-release.ts";
import { readInstalled, readSmoke, unpackTree, type SmokeResult } from "./guest-scans.ts";
import { runPlans, type TestsOutcome } from "./run-tests.ts";
import { Stopwatch } from "./stopwatch.ts";

export interface AttemptDeps {
  readonly machine: Machine;
  readonly index: AttemptIndex;
  readonly log: AttemptLog;
  /** In the image: wheels of pip, setuptools and virtualenv for interpreters that uv does not serve. */
  readonly wheelDir: string;
  readonly onPhase: (doing: string, note: string) => void;
}

/** All that was seen while an attempt ran; what it means is for the model to say. */
export interface AttemptFacts {
  /** The phase in which it ended. */
  readonly phase: Phase;
  /** Set when the farm failed, not the package. */
  readonly farmFault: CreameryError | null;
  readonly steps: readonly StepResult[];
  readonly installation: Installation | null;
  readonly installed: InstalledListing | null;
  readonly discovery: Discovery | null;
  readonly smoke: SmokeResult | null;
  readonly tests: TestsOutcome | null;
  readonly rejected: readonly RejectedRung[];
  readonly counters: GuestCounters | null;
  readonly refused: readonly RefusedConnection[];
  /** Events of the audit hook: attempted writes outside of the job's own directories. */
  readonly attempts: readonly string[];
  readonly differences: Readonly<Record<string, FileSystemDifference>>;
  readonly frozen: readonly string[];
  /** What the index served: the raw lock. */
  readonly record: unknown;
  readonly indexFaults: readonly string[];
  readonly seconds: Readonly<Record<string, number>>;
  readonly agentVersion: string | null;
}

export function guestSpec(job: AttemptJob): GuestSpec {
  const { memoryBytes, cpuSeconds, pids, diskBytes } = job.limits;
  return { imageId: job.imageId, memoryBytes, cpuSeconds, pids, diskBytes };
}

/**
 * One attempt in one fresh guest: install what pip would install, find the tests, run them, gather the
 * evidence. What a package does wrong is in the facts; only an interruption is thrown.
 */
export async function runAttempt(
  job: AttemptJob,
  deps: AttemptDeps,
  signal: AbortSignal,
): Promise<AttemptFacts> {
  const run = new AttemptRun(job, deps, signal);
  return run.run();
}

class AttemptRun {
  readonly #job: AttemptJob;
  readonly #deps: AttemptDeps;
  readonly #signal: AbortSignal;
  readonly #watch = new Stopwatch();
  readonly #attempts = new Set<string>();
  readonly #differences: Record<string, FileSystemDifference> = {};
  #phase: Phase = "fetch";
  #farmFault: CreameryError | null = null;
  #session: GuestSession | null = null;
  #installation: Installation | null = null;
  #installed: InstalledListing | null = null;
  #discovery: Discovery | null = null;
  #smoke: SmokeResult | null = null;
  #tests: TestsOutcome | null = null;
  #counters: GuestCounters | null = null;
  #refused: readonly RefusedConnection[] = [];
  #frozen: readonly string[] = [];
  #record: unknown = null;
  #indexFaults: readonly string[] = [];

  constructor(job: AttemptJob, deps: AttemptDeps, signal: AbortSignal) {
    this.#job = job;
    this.#deps = deps;
    this.#signal = signal;
  }

  async run(): Promise<AttemptFacts> {
    try {
      this.#deps.onPhase("start", "");
      await using guest = await this.#watch.lap("start", () =>
        this.#deps.machine.start(guestSpec(this.#job), this.#signal),
      );
      const { limits } = this.#job;
      await using endpoint = await this.#deps.index.open({
        socketPath: guest.indexSocketPath,
        attemptId: this.#job.attemptId,
      });
      const indexUrl = `${guest.indexOrigin}${endpoint.indexPath}`;
      const env = jobEnvironment(this.#job.interpreter, indexUrl);
      const session = new GuestSession(
        guest,
        this.#deps.log,
        env,
        { outputBytes: limits.outputBytes, slowness: this.#deps.machine.slowness },
        this.#signal,
      );
      this.#session = session;
      try {
        const cargo = endpoint.cargoConfig(guest.indexOrigin);
        if (cargo !== null) {
          await guest.put(`${GUEST.home}/.cargo/config.toml`, Buffer.from(cargo), {
            mode: 0o644,
            owner: "job",
          });
        }
        await this.#phases(session);
        if (session.steps.some((step) => step.phase === "test" || step.phase === "install")) {
          this.#frozen = await this.#freeze(session);
        }
      } finally {
        this.#record = endpoint.record();
        this.#indexFaults = endpoint.faults();
        await this.#gather(guest);
      }
    } catch (thrown) {
      this.#signal.throwIfAborted();
      this.#farmFault =
        thrown instanceof CreameryError
          ? thrown
          : new CreameryError("internal", String(thrown), { cause: thrown });
      this.#deps.log.note(`-- the farm failed: ${this.#farmFault.line}`);
    }
    return this.#facts();
  }

  async #phases(session: GuestSession): Promise<void> {
    const job = this.#job;
    const installer = installerFor(job.interpreter, this.#deps.wheelDir);

    let tree: { listing: TreeListing; root: string } | null = null;
    if (job.source.sourceFile !== null) {
      this.#enter("fetch", "unpack");
      const file = job.source.sourceFile;
      tree = await this.#watch.lap("unpack", async () => {
        const upload = `${GUEST.upload}/${file.filename}`;
        await session.guest.put(upload, createReadStream(file.path), { mode: 0o644, owner: "job" });
        return unpackTree(session, upload);
      });
      if (tree === null) return;
    }

    this.#enter("install", "environment");
    const venv = await this.#watch.lap("venv", () =>
      session.run({
        step: "venv",
        phase: "install",
        argv: installer.createEnvironment(),
        wallMs: job.limits.installMs,
        quiet: true,
      }),
    );
    if (!venv.ok)
      throw new CreameryError(
        "image-bad",
        `no environment could be made with ${job.interpreter.executable}`,
        { input: job.imageId },
      );

    await session.guest.mark("before-install");
    this.#installation = await installRelease({
      session,
      installer,
      job,
      treeRoot: tree?.root ?? null,
      enter: (phase, note) => this.#enter(phase, note),
      lap: (name, work) => this.#watch.lap(name, work),
      onAttempt: (event) => this.#attempts.add(event),
    });
    this.#differences["install"] = await session.guest.difference("before-install");
    if (!this.#installation.ok) return;

    this.#enter("import", "smoke");
    const project = this.#installation.project;
    this.#installed = await this.#watch.lap("scan", () => readInstalled(session, project));
    if (this.#installed === null)
      throw new CreameryError("image-bad", `the installed files of ${project} could not be listed`);
    if (job.settled === undefined) {
      this.#smoke = await this.#watch.lap("smoke", () =>
        readSmoke(session, project, installer.check()),
      );
    }

    await this.#runTests(session, installer, tree, this.#installed);
  }

  async #runTests(
    session: GuestSession,
    installer: Installer,
    tree: { listing: TreeListing; root: string } | null,
    installed: InstalledListing,
  ): Promise<void> {
    const job = this.#job;
    const installation = this.#installation;
    if (installation === null) return;
    this.#enter("discover", "");
    this.#discovery =
      job.settled === undefined
        ? discover(tree?.listing ?? { files: [], texts: {}, truncated: false }, installed, {
            project: installation.project,
            version: installation.version,
            markers: installation.markers,
            interpreter: job.interpreter.name,
            ...(job.override === undefined ? {} : { override: job.override }),
          })
        : { kind: "plans", plans: [job.settled.plan] };
    if (this.#discovery.kind === "smoke-only") return;
    const plans = this.#discovery.plans;
    if (tree !== null)
      await this.#watch.lap("unpack", () => this.#unshadow(session, tree.root, installed, plans));
    const root = tree?.root ?? GUEST.tree;
    if (tree === null)
      await session.run({
        step: "unpack",
        phase: "discover",
        argv: ["mkdir", "-p", root],
        wallMs: 10_000,
        quiet: true,
      });

    this.#enter("test", "");
    await session.guest.mark("before-tests");
    this.#tests = await runPlans(plans, {
      session,
      installer,
      treeRoot: root,
      site: installed.sitePackages,
      keep: [`${installation.project}==${installation.version}`],
      topLevel: installed.topLevel,
      installMs: job.limits.installMs,
      testMs: job.limits.testMs,
      silenceMs: job.limits.silenceMs,
      only: job.settled?.only ?? [],
      onTests: (seen) => this.#deps.onPhase("test", `${seen} tests`),
    });
    this.#differences["test"] = await session.guest.difference("before-tests");
    for (const step of session.steps) {
      if (step.step === "test") this.#watch.add("test", step.seconds);
      if (step.step.startsWith("dependencies")) this.#watch.add("dependencies", step.seconds);
    }
  }

  /**
   * Puts copies of the installed packages in the place of the tree's own, so that what is imported is what was
   * installed whatever the working directory, and suites that read their source by path still work.
   */
  async #unshadow(
    session: GuestSession,
    root: string,
    installed: InstalledListing,
    plans: readonly Plan[],
  ): Promise<void> {
    const names = [...new Set(plans.flatMap((plan) => plan.replaceByInstalled))].filter(
      (name) => !name.includes("..") && !name.startsWith("/"),
    );
    const script = [
      "set -e",
      'root=$1 site=$2; shift 2; cd "$root"',
      // Metadata of an uninstalled project on the path would answer importlib.metadata before the installed one.
      "rm -rf -- ./*.egg-info",
      'for name do if [ -e "$site/$name" ]; then rm -rf -- "./$name"; mkdir -p -- "$(dirname -- "./$name")"; cp -a -- "$site/$name" "./$name"; fi; done',
    ].join("\n");
    await session.run({
      step: "unshadow",
      phase: "discover",
      argv: ["sh", "-c", script, "sh", root, installed.sitePackages, ...names],
      wallMs: 60_000,
      quiet: true,
    });
  }

  async #freeze(session: GuestSession): Promise<readonly string[]> {
    const installer = installerFor(this.#job.interpreter, this.#deps.wheelDir);
    const frozen = await session.run({
      step: "freeze",
      phase: "test",
      argv: installer.freeze(),
      wallMs: 60_000,
      quiet: true,
    });
    return frozen.text
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line.includes("==") || line.includes(" @ "));
  }

  /** What the guest and its cgroup can still say, whatever happened before. */
  async #gather(guest: Guest): Promise<void> {
    this.#counters = await guest.counters().catch(() => null);
    this.#refused = await guest.refusedConnections().catch(() => []);
  }

  #enter(phase: Phase, note: string): void {
    this.#phase = phase;
    this.#deps.onPhase(phase, note);
  }

  #facts(): AttemptFacts {
    const laps = this.#watch.laps;
    const own = ["venv", "install", "build", "dependencies", "test"].reduce(
      (sum, name) => sum + (laps[name] ?? 0),
      0,
    );
    const total = this.#watch.totalSeconds;
    const round = (seconds: number) => Math.round(seconds * 1000) / 1000;
    const rejected = [
      ...(this.#discovery?.kind === "smoke-only"
        ? this.#discovery.rejected
        : (this.#tests?.best?.plan.rejected ?? [])),
      ...(this.#tests?.rejected ?? []),
    ];
    return {
      phase: this.#phase,
      farmFault: this.#farmFault,
      steps: this.#session?.steps ?? [],
      installation: this.#installation,
      installed: this.#installed,
      discovery: this.#discovery,
      smoke: this.#smoke,
      tests: this.#tests,
      rejected,
      counters: this.#counters,
      refused: this.#refused,
      attempts: [...this.#attempts],
      differences: this.#differences,
      frozen: this.#frozen,
      record: this.#record,
      indexFaults: this.#indexFaults,
      seconds: { ...laps, farm: round(Math.max(0, total - own)), total: round(total) },
      agentVersion: this.#session?.guest.agentVersion ?? null,
    };
  }
}
