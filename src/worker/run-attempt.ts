import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";

import { CreameryError } from "../base/errors.ts";
import type { Discovery, InstalledListing, RejectedRung, TreeListing } from "../discovery/plan.ts";
import {
  faultLines,
  replacedLine,
  type AttemptRecord,
  type Endpoint,
  type IndexService,
} from "../index/index-service.ts";
import type {
  FileSystemDifference,
  Guest,
  GuestCounters,
  Machine,
  RefusedConnection,
} from "../machine/machine.ts";
import type { Phase } from "../model/attempt.ts";
import { readProjectTable } from "../model/config/project-table.ts";
import type { Limits } from "../model/config/limits.ts";
import type { AttemptJob, TestTree } from "./attempt-job.ts";
import { auditLine } from "./audit-events.ts";
import type { AttemptLog } from "./attempt-log.ts";
import { chooseTests, NO_TREE } from "./choose-tests.ts";
import { declaredMetadata, type DeclaredMetadata } from "./declared-metadata.ts";
import { cpuLimitSeconds, guestSpec } from "./guest-spec.ts";
import { GUEST, jobEnvironment } from "./guest-environment.ts";
import { lackingModules, type SmokeResult, type UnpackedTree } from "./guest-scans.ts";
import { GuestSession, type StepResult } from "./guest-session.ts";
import { readyInstall, type Installation, type ReadyInstall } from "./install-release.ts";
import { installerFor } from "./installer.ts";
import { runPlans, type TestsOutcome } from "./run-tests.ts";
import { pinRelease, setUpJob } from "./set-up-job.ts";
import { Stopwatch } from "./stopwatch.ts";
import { readInstalledNames } from "./unshadow.ts";
import { indexOverlay } from "./overlay-of.ts";
import { putWarmFiles, type WarmInstaller } from "./warm-installer.ts";

export interface AttemptDeps {
  readonly machine: Machine;
  readonly index: IndexService;
  readonly warm: WarmInstaller;
  readonly log: AttemptLog;
  readonly onPhase: (doing: string, note: string) => void;
  /** A test has failed: a second run may be wanted soon. */
  readonly onFailing?: () => void;
}

/** All that was seen while an attempt ran; what it means is for the model to say. */
export interface AttemptFacts {
  /** The phase in which it ended. */
  readonly phase: Phase;
  /** Set when the farm failed, not the package. */
  readonly farmFault: CreameryError | null;
  /** Unpacking the source failed. */
  readonly unpackFailed: StepResult | null;
  readonly tree: TreeListing | null;
  /** The repository's tree that the tests are of; null where they are the source's own. */
  readonly testsFrom: TestTree | null;
  /** What the source says of itself; null without one. */
  readonly declared: DeclaredMetadata | null;
  readonly installation: Installation | null;
  readonly installed: InstalledListing | null;
  readonly discovery: Discovery | null;
  readonly smoke: SmokeResult | null;
  readonly tests: TestsOutcome | null;
  readonly rejected: readonly RejectedRung[];
  readonly counters: GuestCounters | null;
  /** CPU time that the guest was given; null where there was no guest. */
  readonly cpuLimitSeconds: number | null;
  readonly refused: readonly RefusedConnection[];
  /** What the audit hook told of, a line each: attempted writes outside of the job's own directories. */
  readonly attempts: readonly string[];
  /** What was done to make it build or run at all, before any tests. */
  readonly notes: readonly string[];
  readonly differences: Readonly<Record<string, FileSystemDifference>>;
  /** `name==version` of all that was in the environment at the end. */
  readonly frozen: readonly string[];
  /** What the index served: the raw lock. */
  readonly record: AttemptRecord | null;
  readonly seconds: Readonly<Record<string, number>>;
  readonly agentVersion: string | null;
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
  return new AttemptRun(job, deps, signal).run();
}

const MARK = "begin";
const MAX_ATTEMPTS = 500;
const MAX_FAULTS = 20;

/** After what was asked for first is on its way. */
function later(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Marks the system's state while the first step runs: nothing of a package's does yet. */
function markLater(guest: Guest): Promise<void> {
  const marked = later().then(() => guest.mark(MARK, "system"));
  // Whoever compares with it hears of its fault.
  marked.catch(() => undefined);
  return marked;
}

class AttemptRun {
  readonly #job: AttemptJob;
  readonly #deps: AttemptDeps;
  readonly #signal: AbortSignal;
  readonly #watch = new Stopwatch();
  /** Null where the release has to be built first. */
  readonly #ready: ReadyInstall | null;
  readonly #attempts = new Set<string>();
  readonly #differences: Record<string, FileSystemDifference> = {};
  #limits: Limits;
  #phase: Phase = "fetch";
  #farmFault: CreameryError | null = null;
  #unpackFailed: StepResult | null = null;
  #tree: UnpackedTree | null = null;
  #testsFrom: TestTree | null = null;
  #session: GuestSession | null = null;
  #endpoint: Endpoint | null = null;
  #installation: Installation | null = null;
  #installed: InstalledListing | null = null;
  #discovery: Discovery | null = null;
  #smoke: SmokeResult | null = null;
  #tests: TestsOutcome | null = null;
  #counters: GuestCounters | null = null;
  #refused: readonly RefusedConnection[] = [];
  #frozen: readonly string[] = [];
  #record: AttemptRecord | null = null;
  #notes: readonly string[] = [];
  #marked: Promise<void> = Promise.resolve();
  #differing: Promise<void> = Promise.resolve();

  constructor(job: AttemptJob, deps: AttemptDeps, signal: AbortSignal) {
    this.#job = job;
    this.#deps = deps;
    this.#signal = signal;
    this.#limits = job.limits;
    this.#ready = readyInstall(job, installerFor(job.interpreter));
  }

  async run(): Promise<AttemptFacts> {
    const job = this.#job;
    try {
      this.#deps.onPhase("start", "");
      await using guest = await this.#watch.lap("start", () =>
        this.#deps.machine.start(
          guestSpec(this.#deps.machine, job.imageId, job.limits),
          this.#signal,
        ),
      );
      await using endpoint = await this.#deps.index.openEndpoint({
        socketPath: guest.indexSocketPath,
        attemptId: job.attemptId,
        ...(job.replay === undefined ? {} : { replay: job.replay }),
        ...indexOverlay(job.overlay),
      });
      this.#endpoint = endpoint;
      const session = new GuestSession(
        guest,
        this.#deps.log,
        {
          // What the farm sets is its own to say.
          ...job.overlay?.env,
          ...jobEnvironment(job.interpreter, {
            indexUrl: `${guest.indexOrigin}${endpoint.indexPath}`,
            gitUrl: `${guest.indexOrigin}${endpoint.gitPath}`,
          }),
        },
        { outputBytes: job.limits.outputBytes, slowness: this.#deps.machine.slowness },
        this.#signal,
      );
      this.#session = session;
      try {
        await this.#bringFiles(guest, endpoint);
        await this.#phases(session);
      } finally {
        this.#record = endpoint.record();
        for (const line of faultLines(this.#record).slice(0, MAX_FAULTS))
          this.#deps.log.note(`-- the index failed: ${line}`);
        for (const replaced of this.#record.replaced.slice(0, MAX_FAULTS))
          this.#deps.log.note(`-- the index: ${replacedLine(replaced)}`);
        await this.#watch.lap("evidence", () => this.#gather(guest));
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

  /** What the installers read, put side by side: each waits for the guest. */
  async #bringFiles(guest: Guest, endpoint: Endpoint): Promise<void> {
    const { interpreter, imageId, limits } = this.#job;
    const { machine, warm } = this.#deps;
    const files = await warm.files(
      machine,
      guestSpec(machine, imageId, limits),
      interpreter,
      this.#signal,
    );
    const cargo = Buffer.from(endpoint.cargoConfig(guest.indexOrigin));
    const own = { mode: 0o644, owner: "job" } as const;
    await Promise.all([
      putWarmFiles(guest, files),
      guest.put(`${GUEST.home}/.cargo/config.toml`, cargo, own),
      ...(this.#ready === null ? [] : [pinRelease(guest, this.#ready)]),
      ...this.#uploads().map(({ path, content }) => guest.put(path, content, own)),
    ]);
  }

  /** The source, and the wheel where there is one already. */
  #uploads(): { readonly path: string; readonly content: Buffer | Readable }[] {
    const { source } = this.#job;
    const archive = this.#archive();
    const wheel = this.#ready?.upload ?? null;
    return [
      ...(source.sourceFile === null || archive === null
        ? []
        : [{ path: archive, content: createReadStream(source.sourceFile.path) }]),
      ...(wheel === null
        ? []
        : [
            {
              path: wheel.path,
              content: "content" in wheel ? wheel.content : createReadStream(wheel.from),
            },
          ]),
    ];
  }

  #archive(): string | null {
    const file = this.#job.source.sourceFile;
    return file === null ? null : `${GUEST.upload}/${file.filename}`;
  }

  async #phases(session: GuestSession): Promise<void> {
    const job = this.#job;
    const setUp = await setUpJob({
      session,
      job,
      archive: this.#archive(),
      ready: this.#ready,
      watch: this.#watch,
      enter: (phase, note) => this.#enter(phase, note),
      onAttempt: (event) => this.#hear(event),
      onBegun: () => {
        this.#marked = markLater(session.guest);
      },
    });
    this.#tree = setUp.tree;
    this.#unpackFailed = setUp.unpackFailed;
    this.#installation = setUp.installation;
    this.#installed = setUp.installed;
    this.#smoke = setUp.smoke;
    this.#notes = [...(job.source.notes ?? []), ...setUp.notes];
    for (const note of job.source.notes ?? []) this.#deps.log.note(`-- ${note}`);
    this.#readProject();
    if (setUp.installation !== null && setUp.installed !== null)
      await this.#runTests(session, setUp.installation, setUp.installed);
    this.#differing = this.#differ(session, "attempt");
  }

  /** An event of the audit hook; a build may send any number. */
  #hear(event: string): void {
    const line = auditLine(event);
    if (line !== null && this.#attempts.size < MAX_ATTEMPTS) this.#attempts.add(line);
  }

  /** What the project says of itself: it may lower limits. */
  #readProject(): void {
    const pyproject = this.#tree?.listing.texts["pyproject.toml"];
    if (pyproject === undefined) return;
    this.#limits = readProjectTable(pyproject, this.#job.limits).limits;
  }

  async #runTests(
    session: GuestSession,
    installation: Installation,
    installed: InstalledListing,
  ): Promise<void> {
    const job = this.#job;
    this.#enter("discover", "");
    const chosen = await chooseTests({
      session,
      job,
      index: this.#deps.index,
      tree: this.#tree,
      installation,
      installed,
      elsewhere: (search) => {
        this.#enter("discover", "its repository");
        return this.#watch.lap("repository", search);
      },
    });
    this.#discovery = chosen.discovery;
    this.#testsFrom = chosen.from;
    this.#notes = [...this.#notes, ...chosen.notes];
    for (const note of chosen.notes) this.#deps.log.note(`-- ${note}`);
    if (chosen.discovery.kind === "plans") {
      this.#tests = await runPlans(chosen.discovery.plans, {
        session,
        installer: installerFor(job.interpreter),
        treeRoot: chosen.tree?.root ?? GUEST.tree,
        tree: chosen.tree?.listing ?? NO_TREE,
        installed,
        lacking: this.#smoke === null ? [] : lackingModules(this.#smoke),
        installMs: this.#limits.installMs,
        testMs: this.#limits.testMs,
        silenceMs: this.#limits.silenceMs,
        only: job.settled?.only ?? [],
        retest: (job.settled?.only ?? []).length === 0,
        onFailing: () => this.#deps.onFailing?.(),
        onTests: (seen) => this.#enter("test", seen === 0 ? "" : `${seen} tests`),
        onInstalling: (from) => this.#enter("install", from),
      });
      for (const step of session.steps) {
        if (step.step === "test" || step.step === "retest")
          this.#watch.add(step.step, step.seconds);
        if (step.step.startsWith("dependencies")) this.#watch.add("dependencies", step.seconds);
      }
    }
  }

  /** What has changed until now of that which a job has no right to change. */
  async #differ(session: GuestSession, phase: string): Promise<void> {
    await this.#marked;
    this.#differences[phase] = await session.guest.difference(MARK);
  }

  /** What the guest and its cgroup can still say, whatever happened before. */
  async #gather(guest: Guest): Promise<void> {
    [this.#counters, this.#refused, this.#frozen] = await Promise.all([
      guest.counters().catch((thrown: unknown) => {
        // The machine itself says that what was seen in it can't be believed.
        if (thrown instanceof CreameryError && thrown.code === "vm-resume")
          this.#farmFault ??= thrown;
        return null;
      }),
      guest.refusedConnections().catch(() => []),
      readInstalledNames(guest).catch(() => []),
      this.#differing.catch(() => undefined),
    ]);
  }

  #enter(phase: Phase, note: string): void {
    this.#phase = phase;
    this.#endpoint?.building(phase === "build");
    this.#deps.onPhase(phase, note);
  }

  #facts(): AttemptFacts {
    const planned =
      this.#discovery?.kind === "smoke-only"
        ? this.#discovery.rejected
        : (this.#tests?.best?.plan.rejected ?? []);
    return {
      phase: this.#phase,
      farmFault: this.#farmFault,
      unpackFailed: this.#unpackFailed,
      tree: this.#tree?.listing ?? null,
      declared: this.#tree === null ? null : declaredMetadata(this.#tree.listing),
      testsFrom: this.#testsFrom,
      installation: this.#installation,
      installed: this.#installed,
      discovery: this.#discovery,
      smoke: this.#smoke,
      tests: this.#tests,
      rejected: [...planned, ...(this.#tests?.rejected ?? [])],
      counters: this.#counters,
      cpuLimitSeconds: cpuLimitSeconds(this.#deps.machine, this.#limits),
      refused: this.#refused,
      attempts: [...this.#attempts],
      notes: this.#notes,
      differences: this.#differences,
      frozen: this.#frozen,
      record: this.#record,
      seconds: this.#watch.summary(),
      agentVersion: this.#session?.guest.agentVersion ?? null,
    };
  }
}
