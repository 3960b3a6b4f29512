import { readFile } from "node:fs/promises";

import { markersOf } from "../python/interpreter-markers.ts";
import { compatibleWheel } from "../python/wheel-tags.ts";
import type { Phase } from "../model/attempt.ts";
import type { AttemptJob } from "./attempt-job.ts";
import { GUEST } from "./guest-environment.ts";
import type { GuestSession, StepResult } from "./guest-session.ts";
import type { Installer } from "./installer.ts";
import { noteNamesScript } from "./unshadow.ts";

/** A wheel that is built in a guest is read back for a confirmation elsewhere up to this size. */
const MAX_WHEEL_BYTES = 256 * 1024 * 1024;

export interface Installation {
  readonly ok: boolean;
  readonly installed: "wheel" | "sdist";
  readonly project: string;
  readonly version: string;
  readonly markers: Readonly<Record<string, string>>;
  /** The step that failed. */
  readonly failed: StepResult | null;
  /** What was built here from source. */
  readonly wheel: { readonly filename: string; readonly content: Buffer } | null;
}

export interface InstallContext {
  readonly session: GuestSession;
  readonly installer: Installer;
  readonly job: AttemptJob;
  /** The unpacked source in the guest, or null. */
  readonly treeRoot: string | null;
  readonly enter: (phase: Phase, note: string) => void;
  readonly lap: <Result>(name: string, work: () => Promise<Result>) => Promise<Result>;
  readonly onAttempt: (event: string) => void;
}

/**
 * Installs what pip would install for this configuration: the published wheel where one fits, else one
 * built from the source; a settled wheel or a given one as it is.
 */
export async function installRelease(context: InstallContext): Promise<Installation> {
  const { job, session } = context;
  const { source, settled } = job;
  const given = settled?.wheel ?? null;
  if (given !== null) {
    const path = `${GUEST.wheels}/${given.filename}`;
    await session.guest.put(path, given.content, { mode: 0o644, owner: "job" });
    return installWheelFile(context, path, "sdist", given);
  }
  if (source.wheelFile !== null && job.buildFrom === "auto") {
    const path = `${GUEST.wheels}/${source.wheelFile.filename}`;
    await session.guest.put(path, await readFile(source.wheelFile.path), {
      mode: 0o644,
      owner: "job",
    });
    return installWheelFile(context, path, "wheel", null);
  }
  const published =
    source.kind === "release" &&
    job.buildFrom === "auto" &&
    source.wheelNames.some((name) => compatibleWheel(name, job.interpreter));
  if (published || context.treeRoot === null) {
    context.enter("install", "wheel");
    const wheelOnly = published;
    const installed = await context.lap("install", () =>
      session.run({
        step: "install",
        phase: "install",
        argv: context.installer.installRelease(
          source.project,
          source.version,
          source.extras,
          wheelOnly,
        ),
        wallMs: job.limits.installMs,
        silenceMs: job.limits.silenceMs,
        after: noteNamesScript(),
      }),
    );
    return finish(context, installed, "wheel", null);
  }
  return buildAndInstall(context, context.treeRoot);
}

async function buildAndInstall(context: InstallContext, treeRoot: string): Promise<Installation> {
  const { job, session } = context;
  context.enter("build", "wheel from source");
  // Built in a copy: a build that litters its tree must not change what the tests see.
  const copy = "/job/build";
  await session.run({
    step: "copy",
    phase: "build",
    argv: ["cp", "-a", "--", treeRoot, copy],
    wallMs: 60_000,
    quiet: true,
  });
  const built = await context.lap("build", () =>
    session.run({
      step: "build",
      phase: "build",
      argv: context.installer.buildWheel(copy),
      cwd: copy,
      env: { PYTHONPATH: GUEST.inject, CREAMERY_AUDIT: "1" },
      wallMs: job.limits.buildMs,
      silenceMs: job.limits.silenceMs,
      onEvent: context.onAttempt,
    }),
  );
  if (!built.ok) return failure(context, built, "sdist");
  const listing = await session.run({
    step: "wheels",
    phase: "build",
    argv: ["ls", "-1", GUEST.wheels],
    wallMs: 10_000,
    quiet: true,
  });
  const filename = listing.text.split("\n").find((name) => name.endsWith(".whl"));
  if (filename === undefined) return failure(context, { ...built, ok: false }, "sdist");
  const path = `${GUEST.wheels}/${filename}`;
  const content = await session.guest.get(path, MAX_WHEEL_BYTES);
  return installWheelFile(context, path, "sdist", content === null ? null : { filename, content });
}

async function installWheelFile(
  context: InstallContext,
  path: string,
  installed: "wheel" | "sdist",
  wheel: Installation["wheel"],
): Promise<Installation> {
  context.enter("install", "wheel and its dependencies");
  const step = await context.lap("install", () =>
    context.session.run({
      step: "install",
      phase: "install",
      argv: context.installer.installWheels([path], context.job.source.extras),
      wallMs: context.job.limits.installMs,
      silenceMs: context.job.limits.silenceMs,
      after: noteNamesScript(),
    }),
  );
  return finish(context, step, installed, wheel, path);
}

function failure(
  context: InstallContext,
  failed: StepResult,
  installed: "wheel" | "sdist",
): Installation {
  const { project, version } = context.job.source;
  return { ok: false, installed, project, version, markers: {}, failed, wheel: null };
}

function finish(
  context: InstallContext,
  step: StepResult,
  installed: "wheel" | "sdist",
  wheel: Installation["wheel"],
  path?: string,
): Installation {
  if (!step.ok) return { ...failure(context, step, installed), wheel };
  const { source } = context.job;
  const named =
    path === undefined
      ? null
      : /([^/]+?)-([^-/]+)(?:-\d[^-/]*)?-[^-/]+-[^-/]+-[^-/]+\.whl$/.exec(path);
  return {
    ok: true,
    installed,
    project: named?.[1]?.replaceAll(/[-_.]+/g, "-").toLowerCase() ?? source.project,
    version: named?.[2] ?? source.version,
    markers: markersOf(context.job.interpreter),
    failed: null,
    wheel,
  };
}
