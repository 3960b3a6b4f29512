import { CreameryError } from "../base/errors.ts";
import type { InstalledListing } from "../discovery/plan.ts";
import type { Guest } from "../machine/machine.ts";
import type { Phase } from "../model/attempt.ts";
import { isExcluded } from "../model/classify.ts";
import { sameVersion } from "../python/versions.ts";
import type { AttemptJob } from "./attempt-job.ts";
import { declaredMetadata } from "./declared-metadata.ts";
import { GUEST } from "./guest-environment.ts";
import {
  readExamined,
  readUnpacked,
  scanCommand,
  smokeCommand,
  unpackAndScanCommand,
  unpackCommand,
  type SmokeResult,
  type UnpackedTree,
} from "./guest-scans.ts";
import type { GuestSession, StepResult, TogetherResult } from "./guest-session.ts";
import {
  buildWheel,
  doneInstallation,
  failedInstallation,
  pretendedVersion,
  type Installation,
  type ReadyInstall,
} from "./install-release.ts";
import { installerFor } from "./installer.ts";
import type { Stopwatch } from "./stopwatch.ts";
import type { Lane } from "./together.ts";
import { noteNamesScript } from "./unshadow.ts";

const INSTALLER = "install";
const PREPARE_MS = 180_000;
/** The smoke run has its own limits, well below. */
const EXAMINE_MS = 240_000;

export interface SetUpContext {
  readonly session: GuestSession;
  readonly job: AttemptJob;
  /** In the guest; null without a source. */
  readonly archive: string | null;
  /** Is pinned, and its wheel is in the guest; null where the release has to be built first. */
  readonly ready: ReadyInstall | null;
  readonly watch: Stopwatch;
  readonly enter: (phase: Phase, note: string) => void;
  readonly onAttempt: (event: string) => void;
  /** The first exec is on its way: nothing of a package's has run yet. */
  readonly onBegun: () => void;
}

/** What there is before tests are looked for. */
export interface SetUp {
  readonly tree: UnpackedTree | null;
  /** Unpacking the source failed: then nothing else is there. */
  readonly unpackFailed: StepResult | null;
  readonly installation: Installation | null;
  readonly installed: InstalledListing | null;
  readonly smoke: SmokeResult | null;
  /** What was done to make it build at all. */
  readonly notes: readonly string[];
}

/**
 * Environment, source and release, the smoke run included. What need not be built is installed beside the unpacking, in
 * one exec; else the source comes first.
 * @throws CreameryError `image-bad`, `agent-lost`, `channel`.
 */
export async function setUpJob(context: SetUpContext): Promise<SetUp> {
  const { job, session, archive, ready, watch, enter } = context;
  const installer = installerFor(job.interpreter);
  const venv = { name: "venv", argv: installer.createEnvironment() };
  enter("fetch", ready === null ? "source and environment" : "source, environment and wheel");
  if (ready !== null) {
    const done = began(
      context,
      session.together(
        limits(job, job.limits.installMs + PREPARE_MS),
        [[[venv], ...installStages(job, ready, archive === null)], sourceLane(archive, ready)],
        installTitle(ready),
        noteNamesScript(),
      ),
    );
    const result = await done;
    const environment = addLap(watch, "venv", result, "venv", 0);
    assertEnvironment(job, session, result);
    const { tree, failed } = await readUnpacked(session, archive, result);
    if (failed !== null) return { ...NOTHING, unpackFailed: failed };
    const finished = await finishInstall(context, ready, result, environment);
    return { tree, unpackFailed: null, ...finished };
  }

  const result = await began(
    context,
    session.together(limits(job, PREPARE_MS), [[[venv]], [[unpackCommand(archive)]]]),
  );
  addLap(watch, "venv", result, "venv", 0);
  assertEnvironment(job, session, result);
  const { tree, failed } = await readUnpacked(session, archive, result);
  if (failed !== null || tree === null) return { ...NOTHING, unpackFailed: failed };
  const declared = declaredMetadata(tree.listing);
  // Some backends build all the same what an installer would refuse.
  if (isExcluded(declared.requiresPython, job.interpreter.fullVersion)) return { ...NOTHING, tree };
  const version = pretendedVersion(job, tree.listing);
  const notes =
    version === null
      ? []
      : [`told its version control's tools that the version is ${version}: they are not here`];
  for (const note of notes) session.log.note(`-- ${note}`);
  enter("build", "wheel from source");
  const { onAttempt } = context;
  const build = await watch.lap("build", () =>
    buildWheel({ session, installer, job, treeRoot: tree.root, onAttempt, version }),
  );
  if (build.kind === "failed")
    return { ...NOTHING, notes, tree, installation: failedInstallation(job, build.failed) };
  const text = misnamed(job, declared.project, build.ready);
  if (text !== null) {
    session.log.note(`-- build: ${text}`);
    const refused = { ...result.step, ok: false, phase: "build", code: 1, text } as const;
    return { ...NOTHING, notes, tree, installation: failedInstallation(job, refused) };
  }
  enter("install", "wheel and its dependencies");
  await pinRelease(session.guest, build.ready);
  const installing = await session.together(
    limits(job, job.limits.installMs),
    [installStages(job, build.ready, true)],
    installTitle(build.ready),
    noteNamesScript(),
  );
  const finished = await finishInstall(context, build.ready, installing, 0);
  return { tree, unpackFailed: null, ...finished, notes: [...notes, ...finished.notes] };
}

const NOTHING: SetUp = {
  tree: null,
  unpackFailed: null,
  installation: null,
  installed: null,
  smoke: null,
  notes: [],
};

function limits(job: AttemptJob, installMs: number) {
  return {
    step: "set-up",
    phase: "install",
    // Away from the tree: what is imported is what was installed.
    cwd: GUEST.home,
    wallMs: installMs + EXAMINE_MS,
    silenceMs: job.limits.silenceMs,
  } as const;
}

/** @param listing whether this lane lists what was installed, rather than the one that unpacks. */
function installStages(job: AttemptJob, ready: ReadyInstall, listing: boolean): Lane {
  const smoke = job.settled?.smoke ?? true;
  return [
    [
      { name: INSTALLER, argv: ready.argv, shown: true },
      // Both start beside it and wait for its end.
      ...(listing ? [scanCommand(INSTALLER, ready.project)] : []),
      ...(smoke ? [smokeCommand(INSTALLER, ready.project)] : []),
    ],
  ];
}

function sourceLane(archive: string | null, ready: ReadyInstall): Lane {
  return [
    [
      archive === null
        ? unpackCommand(null)
        : unpackAndScanCommand(archive, INSTALLER, ready.project),
    ],
  ];
}

function installTitle({ argv }: ReadyInstall): string {
  return `install: ${argv.join(" ")}`;
}

async function began<Result>({ onBegun }: SetUpContext, running: Promise<Result>): Promise<Result> {
  onBegun();
  return running;
}

/** Installing what the tests need must not move the release under test. */
export async function pinRelease(
  guest: Pick<Guest, "put">,
  { project, version }: ReadyInstall,
): Promise<void> {
  const content = Buffer.from(`${project}==${version}\n`);
  await guest.put(GUEST.keep, content, { mode: 0o644, owner: "root" });
}

/** What pip refuses too: a wheel of another name, or of a release another version. It would be taken for that one's. */
function misnamed(
  { source }: AttemptJob,
  declared: string | null,
  { project, version }: ReadyInstall,
): string | null {
  const made = `the build made a wheel of ${project}`;
  if (source.kind === "release")
    return project === source.project && sameVersion(version, source.version)
      ? null
      : `${made} ${version}, where the release is ${source.project} ${source.version}`;
  return declared === null || declared === project
    ? null
    : `${made}, where the source says ${declared}`;
}

function assertEnvironment(job: AttemptJob, session: GuestSession, result: TogetherResult): void {
  const { ok, text } = result.endOf("venv");
  if (ok) return;
  session.log.note(text);
  throw new CreameryError(
    "image-bad",
    `no environment could be made with ${job.interpreter.executable}`,
    { input: job.imageId },
  );
}

async function finishInstall(
  { job, session, watch }: SetUpContext,
  ready: ReadyInstall,
  result: TogetherResult,
  from: number,
): Promise<Pick<SetUp, "installation" | "installed" | "smoke" | "notes">> {
  const { step } = result;
  const install = result.endOf(INSTALLER);
  const installedAt = addLap(watch, "install", result, INSTALLER, from);
  session.log.note(
    install.endedAt === null
      ? "-- install: did not end"
      : `-- install: exit ${install.code} after ${(installedAt - from).toFixed(2)} s`,
  );
  const failed = (code: number | null, text: string, phase: Phase = "install") => ({
    installation: failedInstallation(job, { ...step, ok: false, phase, code, text }, ready),
    installed: null,
    smoke: null,
    notes: [],
  });
  if (!install.ok) return failed(install.code, install.text);
  const examining = ["scan", "smoke", "unpack"];
  const end = Math.max(...examining.map((name) => result.endOf(name).endedAt ?? installedAt));
  watch.add("examine", Math.max(0, end - installedAt));
  // Scanning could not end: a limit, or an installer that was made to say that it had succeeded.
  if (!result.endOf("scan").ok && !result.endOf("unpack").ok)
    return failed(step.code, step.text, "import");
  const installation = doneInstallation(job, ready);
  const examined = await readExamined(session, installation.markers, result).catch(spoilt);
  // The release's own code ran beside what listed it, with the same rights: what is missing now it took away.
  if (examined === null || examined.installed === null)
    return failed(1, `what was listed of ${ready.project} was removed or changed`, "import");
  return { installation, ...examined, notes: unknownExtras(install.text) };
}

/** Extras that were asked for and that nothing has: an installer warns of them, and goes on. */
function unknownExtras(text: string): string[] {
  const said =
    /([\w.-]{1,100})(?:==| )[^\s`]{1,100}`? does not (?:have an extra named|provide the extra) [`']([\w.-]{1,100})[`']/gu;
  return [...text.matchAll(said)].map(([, project, extra]) => `${project} has no extra ${extra}`);
}

/** A listing that can't be read: a package had a hand in it. */
function spoilt(thrown: unknown): null {
  if (thrown instanceof CreameryError && thrown.code === "channel") return null;
  throw thrown;
}

/** @returns when it ended; where it did not, when the exec did. */
function addLap(
  watch: Stopwatch,
  lap: string,
  { step, endOf }: TogetherResult,
  name: string,
  from: number,
): number {
  const endedAt = endOf(name).endedAt ?? step.seconds;
  watch.add(lap, Math.max(0, endedAt - from));
  return endedAt;
}
