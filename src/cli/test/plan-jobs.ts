import { join } from "node:path";

import { CreameryError } from "../../base/errors.ts";
import { limitsFor } from "../../model/config/farm-config.ts";
import { imageConfigurations } from "../../image/image-configurations.ts";
import { isAskedFor, parseConfigurations } from "../../model/configuration-name.ts";
import { newAttemptId } from "../../store/attempt-id.ts";
import type { AttemptJob, JobOverlay, ResolvedSource } from "../../worker/attempt-job.ts";
import { keepSource } from "../../worker/keep-attempt.ts";
import { resolveSource } from "../../worker/sources/resolve-source.ts";
import type { Target } from "../../worker/sources/target.ts";
import { datedIndex } from "../farm/dated-index.ts";
import type { Farm } from "../farm/open-farm.ts";
import type { MissingCell } from "../../model/missing-cell.ts";

export interface PlanOptions {
  /** As typed after `--on`. */
  readonly on: string;
  readonly from: "auto" | "sdist";
  /** The index of all of them, and of finding them, is that of this instant; null for now. */
  readonly at: Date | null;
}

export interface PlannedJobs {
  readonly jobs: readonly AttemptJob[];
  /** For each source the configurations that the image was to have, and was made without. */
  readonly missing: readonly MissingCell[];
}

/**
 * What is to be tested, found and brought to this host: an attempt for each source and configuration.
 * @throws CreameryError whatever is wrong with one of them, before anything is run.
 */
export async function planJobs(
  targets: readonly Target[],
  options: PlanOptions,
  farm: Farm,
  signal: AbortSignal,
): Promise<PlannedJobs> {
  const { image, config } = farm;
  const choice = { known: imageConfigurations(image), priority: config.priority };
  const configurations = parseConfigurations(options.on, choice);
  const context = {
    index: async () => {
      const index = await farm.index;
      return options.at === null ? index : datedIndex(index, options.at);
    },
    launcher: farm.launcher,
    cwd: farm.cwd,
    directory: join(farm.launcher.sessionDirectory, "exchange"),
    mirrors: () => farm.mirrors,
  };
  const sources = onlyOnce(
    await Promise.all(targets.map((target) => resolveSource(target, context, signal))),
  );
  const jobs: AttemptJob[] = [];
  const missing: MissingCell[] = [];
  for (const source of sources) {
    await keepSource(source, farm.bucket, signal);
    jobs.push(...(await jobsOf(source, configurations, options, farm)));
    for (const configuration of configurations) {
      const left = image.missing.find(({ name }) => name === configuration);
      if (left === undefined) continue;
      const { kind, sha256, project, version } = source;
      missing.push({
        project,
        version,
        source: { kind, sha256 },
        configuration,
        image: image.id,
        reason: left.reason,
        nextStep: left.nextStep,
        asked: isAskedFor(configuration, options.on, choice),
      });
    }
  }
  return { jobs, missing };
}

/** Two ways to name the same thing are one wish: `six six==1.17.0`. */
function onlyOnce(sources: readonly ResolvedSource[]): ResolvedSource[] {
  const keyOf = ({ kind, project, version, extras, sha256 }: ResolvedSource) =>
    JSON.stringify([kind, project, version, extras.toSorted(), sha256]);
  const keys = sources.map(keyOf);
  return sources.filter((_, index) => keys.indexOf(keys[index] ?? "") === index);
}

/** @throws CreameryError `usage`, `no-distribution` where there is nothing that could be built. */
function assertSource({ kind, label, sourceFile }: ResolvedSource, { from }: PlanOptions): void {
  if (from !== "sdist" || sourceFile !== null) return;
  const [code, reason] =
    kind === "wheel"
      ? (["usage", "is a wheel: --from sdist has nothing to build"] as const)
      : (["no-distribution", "has no sdist that --from sdist could build"] as const);
  throw new CreameryError(code, reason, { input: label, nextStep: "leave --from out" });
}

async function jobsOf(
  source: ResolvedSource,
  configurations: readonly string[],
  options: PlanOptions,
  farm: Farm,
): Promise<AttemptJob[]> {
  assertSource(source, options);
  const override = await farm.overrideOf(source.project);
  const plan = override?.plan ?? null;
  return configurations.flatMap((configuration) => {
    const interpreter = farm.image.interpreters.find(({ name }) => name === configuration);
    if (interpreter === undefined) return [];
    return {
      attemptId: newAttemptId(),
      configuration,
      interpreter,
      imageId: farm.image.id,
      source,
      buildFrom: options.from,
      limits: limitsFor(farm.config, override),
      ...(plan === null ? {} : { override: plan }),
      ...(options.at === null ? {} : { overlay: overlayAt(options.at) }),
    };
  });
}

function overlayAt(at: Date): JobOverlay {
  return { releases: [], before: at.toISOString(), env: {}, watch: [] };
}
