import type { MarkerEnvironment } from "../python/markers.ts";
import { markersOf } from "../python/interpreter-markers.ts";
import { parseWheelFilename } from "../python/distribution-filename.ts";
import { compatibleWheel } from "../python/wheel-tags.ts";
import type { TreeListing } from "../discovery/plan.ts";
import type { AttemptJob } from "./attempt-job.ts";
import { GUEST } from "./guest-environment.ts";
import type { GuestSession, StepResult } from "./guest-session.ts";
import type { Installer } from "./installer.ts";

/** A wheel that is built in a guest is read back for a confirmation elsewhere up to this size. */
const MAX_WHEEL_BYTES = 256 * 1024 * 1024;

/** A wheel that was built here: for a second run that must not build it again. */
export interface BuiltWheel {
  readonly filename: string;
  readonly content: Buffer;
}

export interface Installation {
  readonly ok: boolean;
  readonly installed: "wheel" | "sdist";
  readonly project: string;
  readonly version: string;
  readonly markers: MarkerEnvironment;
  /** The step that failed. */
  readonly failed: StepResult | null;
  readonly wheel: BuiltWheel | null;
}

/** What is installed, and how: known before anything is unpacked, unless it has to be built. */
export interface ReadyInstall {
  readonly installed: "wheel" | "sdist";
  readonly project: string;
  readonly version: string;
  readonly argv: readonly string[];
  /** To be put at `path` first; from the host's file or as it was built. */
  readonly upload:
    | { readonly path: string; readonly from: string }
    | { readonly path: string; readonly content: Buffer }
    | null;
  readonly wheel: BuiltWheel | null;
}

/**
 * What pip would install for this configuration: a settled wheel or a given one as it is, the published wheel where one
 * fits; null where it has to be built from the source.
 */
export function readyInstall(job: AttemptJob, installer: Installer): ReadyInstall | null {
  const { source, settled } = job;
  const given = settled?.wheel ?? null;
  if (given !== null) {
    const upload = { path: `${GUEST.wheels}/${given.filename}`, content: given.content };
    return ofWheel(job, installer, upload, { installed: "sdist", wheel: given });
  }
  if (source.wheelFile !== null && job.buildFrom === "auto") {
    const { filename, path: from } = source.wheelFile;
    const upload = { path: `${GUEST.wheels}/${filename}`, from };
    return ofWheel(job, installer, upload, { installed: "wheel", wheel: null });
  }
  const published =
    source.kind === "release" &&
    job.buildFrom === "auto" &&
    source.wheelNames.some((name) => compatibleWheel(name, job.interpreter));
  if (!published && source.sourceFile !== null) return null;
  const { project, version, extras } = source;
  return {
    installed: "wheel",
    project,
    version,
    argv: installer.installRelease(project, version, extras, published),
    upload: null,
    wheel: null,
  };
}

function ofWheel(
  job: AttemptJob,
  installer: Installer,
  upload: NonNullable<ReadyInstall["upload"]>,
  more: Pick<ReadyInstall, "installed" | "wheel">,
): ReadyInstall {
  const { project, version } = nameOfWheel(upload.path, job);
  return {
    ...more,
    project,
    version,
    argv: installer.installWheels([upload.path], job.source.extras),
    upload,
  };
}

/** A tree's name and version are its wheel's to say. */
function nameOfWheel(
  path: string,
  { source }: AttemptJob,
): { readonly project: string; readonly version: string } {
  const named = parseWheelFilename(path.slice(path.lastIndexOf("/") + 1));
  return named === null
    ? { project: source.project, version: source.version }
    : { project: named.project, version: named.version };
}

export interface BuildContext {
  readonly session: GuestSession;
  readonly installer: Installer;
  readonly job: AttemptJob;
  /** The unpacked source in the guest. */
  readonly treeRoot: string;
  readonly onAttempt: (event: string) => void;
  /** What tools that ask version control for it are told. */
  readonly version: string | null;
}

function scmVersion(version: string | null): Record<string, string> {
  return version === null
    ? {}
    : { SETUPTOOLS_SCM_PRETEND_VERSION: version, PDM_BUILD_SCM_VERSION: version };
}

export type Build =
  | { readonly kind: "failed"; readonly failed: StepResult }
  | { readonly kind: "built"; readonly ready: ReadyInstall };

/** Builds a wheel from the source, in a copy of it: a build that litters must not change what the tests see. */
export async function buildWheel(context: BuildContext): Promise<Build> {
  const { job, session, installer, treeRoot } = context;
  const copy = "/job/build";
  await session.run({
    step: "copy",
    phase: "build",
    argv: ["cp", "-a", "--", treeRoot, copy],
    wallMs: 60_000,
    quiet: true,
  });
  const built = await session.run({
    step: "build",
    phase: "build",
    argv: installer.buildWheel(copy),
    cwd: copy,
    env: { PYTHONPATH: GUEST.inject, CREAMERY_AUDIT: "1", ...scmVersion(context.version) },
    wallMs: job.limits.buildMs,
    silenceMs: job.limits.silenceMs,
    onEvent: context.onAttempt,
  });
  if (!built.ok) return { kind: "failed", failed: built };
  const listing = await session.run({
    step: "wheels",
    phase: "build",
    argv: ["ls", "-1", GUEST.wheels],
    wallMs: 10_000,
    quiet: true,
  });
  const filename = listing.text.split("\n").find((name) => name.endsWith(".whl"));
  if (filename === undefined) return { kind: "failed", failed: { ...built, ok: false } };
  const path = `${GUEST.wheels}/${filename}`;
  const bytes = await session.guest.get(path, MAX_WHEEL_BYTES + 1);
  // A larger one is built again where it is needed: a part of it would be no wheel.
  const content = bytes === null || bytes.length > MAX_WHEEL_BYTES ? null : bytes;
  return {
    kind: "built",
    ready: {
      installed: "sdist",
      ...nameOfWheel(path, job),
      argv: installer.installWheels([path], job.source.extras),
      upload: null,
      wheel: content === null ? null : { filename, content },
    },
  };
}

const READS_VERSION_CONTROL =
  /setuptools[-_]scm|setuptools[-_]git[-_]versioning|hatch[-_]vcs|versioningit|dunamai|source\s*=\s*"scm"/u;

/**
 * Trees and repositories come without their version control: tools that take the version from it are told one, the
 * ref's where it is one. What is released has its version in it. Null where nothing asks for one.
 */
export function pretendedVersion(
  { source }: AttemptJob,
  tree: Pick<TreeListing, "texts">,
): string | null {
  if (source.kind !== "tree" && source.kind !== "repository") return null;
  const texts = ["pyproject.toml", "setup.py", "setup.cfg"].map((name) => tree.texts[name] ?? "");
  if (!texts.some((text) => READS_VERSION_CONTROL.test(text))) return null;
  return /@v?(\d+(?:\.\d+)*(?:(?:a|b|rc)\d+)?)$/u.exec(source.label)?.[1] ?? "0+unknown";
}

export function failedInstallation(
  job: AttemptJob,
  failed: StepResult,
  known: Partial<Pick<Installation, "installed" | "project" | "version" | "wheel">> = {},
): Installation {
  const { project, version } = job.source;
  return {
    ok: false,
    installed: "sdist",
    project,
    version,
    wheel: null,
    ...known,
    markers: markersOf(job.interpreter),
    failed,
  };
}

export function doneInstallation(job: AttemptJob, ready: ReadyInstall): Installation {
  const { installed, project, version, wheel } = ready;
  return {
    ok: true,
    installed,
    project,
    version,
    wheel,
    markers: markersOf(job.interpreter),
    failed: null,
  };
}
