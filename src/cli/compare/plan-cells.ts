import { join } from "node:path";

import { CreameryError } from "../../base/errors.ts";
import { imageConfigurations } from "../../image/image-configurations.ts";
import type { Change } from "../../judge/change.ts";
import { canonicalHash } from "../../model/axes.ts";
import { isExcluded } from "../../model/classify.ts";
import { parseConfigurations } from "../../model/configuration-name.ts";
import { limitsFor } from "../../model/config/farm-config.ts";
import { overlayHash } from "../../model/overlay.ts";
import type { AttemptJob, ResolvedSource } from "../../worker/attempt-job.ts";
import { keepSource } from "../../worker/keep-attempt.ts";
import { overlayOf } from "../../worker/overlay-of.ts";
import { sameVersion } from "../../python/versions.ts";
import { resolveSource } from "../../worker/sources/resolve-source.ts";
import { datedIndex } from "../farm/dated-index.ts";
import type { Farm } from "../farm/open-farm.ts";
import type { NamedTarget } from "./read-projects.ts";
import type { SideSetting } from "./side-jobs.ts";

/** One project on one configuration: what is compared. */
export interface Cell {
  /** Hash of all that it is made of: what was begun under it is gone on with. */
  readonly key: string;
  readonly source: ResolvedSource;
  readonly a: CellSide;
  readonly b: CellSide;
  /** Why there is nothing to be run; null where there is. */
  readonly pointless: string | null;
}

export interface CellSide {
  readonly configuration: string;
  readonly image: string;
  /** All but what an attempt has of its own. */
  readonly job: Omit<AttemptJob, "attemptId" | "buildFrom"> | null;
}

export interface PlanCellsOptions {
  readonly change: Change;
  readonly settings: { readonly a: SideSetting; readonly b: SideSetting };
  readonly targets: readonly NamedTarget[];
  /** As typed after `--on`. */
  readonly on: string;
  readonly from: "auto" | "sdist";
}

const AT_ONCE = 8;

/**
 * What is to be compared, its sources found and brought to this host.
 * @throws CreameryError whatever is wrong with one of them, before anything is run, with the line that names it.
 */
export async function planCells(
  { change, settings, targets, on, from }: PlanCellsOptions,
  farm: Farm,
  signal: AbortSignal,
): Promise<readonly Cell[]> {
  const pairs = configurationPairs(change, settings, on, farm);
  const sources = await resolveAll(targets, change, farm, signal);
  const cells: Cell[] = [];
  for (const source of sources) {
    await keepSource(source, farm.bucket, signal);
    const limitsAndPlan = await ownSettings(source, farm);
    for (const [a, b] of pairs) {
      const sideOf = (setting: SideSetting, configuration: string): CellSide => {
        const interpreter = setting.image.interpreters.find(({ name }) => name === configuration);
        const { id: image } = setting.image;
        return {
          configuration,
          image,
          job:
            interpreter === undefined
              ? null
              : {
                  configuration,
                  interpreter,
                  imageId: image,
                  source,
                  ...limitsAndPlan,
                  ...(setting.overlay === undefined ? {} : { overlay: setting.overlay }),
                  side: setting.name,
                },
        };
      };
      const [one, other] = [sideOf(settings.a, a), sideOf(settings.b, b)];
      cells.push({
        key: keyOf([source, one, other, from, farm.machine.kind, limitsAndPlan]),
        source,
        a: one,
        b: other,
        pointless:
          pointless(change, source) ??
          lacking(settings.a, one) ??
          lacking(settings.b, other) ??
          excluded(change, settings.a, one) ??
          excluded(change, settings.b, other),
      });
    }
  }
  return cells;
}

function configurationPairs(
  change: Change,
  { a, b }: PlanCellsOptions["settings"],
  on: string,
  farm: Farm,
): readonly (readonly [string, string])[] {
  const choice = (setting: SideSetting) => ({
    known: imageConfigurations(setting.image),
    priority: farm.config.priority,
  });
  if (change.kind === "interpreter") {
    const [one = ""] = parseConfigurations(change.a, choice(a));
    const [other = ""] = parseConfigurations(change.b, choice(b));
    return [[one, other]];
  }
  return parseConfigurations(on, choice(a)).map((name) => [name, name] as const);
}

async function ownSettings(
  source: ResolvedSource,
  farm: Farm,
): Promise<Pick<AttemptJob, "limits" | "override">> {
  const override = await farm.overrideOf(source.project);
  const plan = override?.plan ?? null;
  return {
    limits: limitsFor(farm.config, override),
    ...(plan === null ? {} : { override: plan }),
  };
}

async function resolveAll(
  targets: readonly NamedTarget[],
  change: Change,
  farm: Farm,
  signal: AbortSignal,
): Promise<readonly ResolvedSource[]> {
  const index = await farm.index;
  const before = earlierOf(change);
  const context = {
    index: () => (before === null ? index : datedIndex(index, before)),
    launcher: farm.launcher,
    cwd: farm.cwd,
    directory: join(farm.launcher.sessionDirectory, "exchange"),
    mirrors: () => farm.mirrors,
  };
  const resolved: (ResolvedSource | undefined)[] = targets.map(() => undefined);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < targets.length; at = next++) {
      const named = targets[at];
      if (named === undefined) return;
      resolved[at] = await resolveSource(named.target, context, signal).catch((thrown: unknown) => {
        throw withPlace(thrown, named.where);
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, targets.length) }, work));
  const found = resolved.filter((source) => source !== undefined);
  const keys = found.map(({ kind, project, version, extras, sha256 }) =>
    JSON.stringify([kind, project, version, extras.toSorted(), sha256]),
  );
  return found.filter((_, at) => keys.indexOf(keys[at] ?? "") === at);
}

/** What is wrong with a project, and where it was named. */
function withPlace(thrown: unknown, where: string): unknown {
  if (!(thrown instanceof CreameryError) || thrown.exitCode !== 2) return thrown;
  const { code, input, message, nextStep } = thrown;
  return new CreameryError(code, message, {
    input: input === undefined ? where : `${where}: ${input}`,
    ...(nextStep === undefined ? {} : { nextStep }),
    cause: thrown,
  });
}

/** With an index of two dates the newest release of the earlier one is tested: it is there on both sides. */
function earlierOf(change: Change): Date | null {
  if (change.kind !== "date") return null;
  const dates = [change.a, change.b].filter((date) => date !== null).toSorted();
  return dates[0] === undefined ? null : new Date(dates[0]);
}

type KeyParts = readonly [
  source: ResolvedSource,
  a: CellSide,
  b: CellSide,
  from: "auto" | "sdist",
  machine: string,
  own: Pick<AttemptJob, "limits" | "override">,
];

/** The same project, changed in the same way, on the same configurations, images and machine kind, within the same limits. */
function keyOf([source, a, b, from, machine, own]: KeyParts): string {
  const sideOf = ({ configuration, image, job }: CellSide) => [
    configuration,
    image,
    job?.overlay === undefined
      ? null
      : [overlayHash(overlayOf(job.overlay)), job.overlay.watch.toSorted()],
  ];
  const { kind, project, version, extras, sha256 } = source;
  return canonicalHash([
    1,
    { kind, project, version, extras: extras.toSorted(), sha256 },
    sideOf(a),
    sideOf(b),
    from,
    machine,
    own,
  ]);
}

function pointless(change: Change, { project, version }: ResolvedSource): string | null {
  if (change.kind !== "release") return null;
  if (change.project === project)
    return "is itself what changes: test its releases with ./creamery test";
  const pin = change.fixed.find((one) => one.project === project);
  return pin === undefined || sameVersion(pin.version, version)
    ? null
    : `both sides pin it to ${pin.version}, and ${version} was to be tested`;
}

function lacking({ image, name }: SideSetting, { configuration, job }: CellSide): string | null {
  return job === null ? `the image of ${name}, ${image.id}, has no ${configuration}` : null;
}

/** A release that its interpreter is left out by can't be had there, whatever it breaks elsewhere. */
function excluded(
  change: Change,
  { name, requiresPython }: SideSetting,
  { job }: CellSide,
): string | null {
  if (change.kind !== "release" || job === null) return null;
  return isExcluded(requiresPython, job.interpreter.fullVersion)
    ? `can't be had with ${name}: ${change.project} needs Python ${requiresPython ?? ""}`
    : null;
}
