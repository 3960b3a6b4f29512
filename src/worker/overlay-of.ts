import { clip, printableLine } from "../base/bounded-text.ts";
import type { OpenEndpointOptions } from "../index/index-service.ts";
import type { Overlay, OverlayEvidence, OverlayUse } from "../model/overlay.ts";
import { parseSdistFilename, parseWheelFilename } from "../python/distribution-filename.ts";
import { normaliseName } from "../python/names.ts";
import { parseSpecifierSet, satisfiesText } from "../python/specifiers.ts";
import type { JobOverlay } from "./attempt-job.ts";
import type { AttemptFacts } from "./run-attempt.ts";

const MAX_VERSIONS = 20;

/** What is published and hashed of it: nothing of this host's paths. */
export function overlayOf({ releases, before, env }: JobOverlay): Overlay {
  return {
    releases: releases.map(({ project, version, wheel }) => ({
      project,
      version,
      file: wheel === null ? null : { filename: wheel.filename, sha256: wheel.sha256 },
    })),
    before,
    env: { ...env },
  };
}

/** How the attempt's own index is to be opened for it. */
export function indexOverlay(
  overlay: JobOverlay | undefined,
): Pick<OpenEndpointOptions, "before" | "only"> {
  if (overlay === undefined) return {};
  const { before, releases } = overlay;
  return {
    ...(before === null ? {} : { before: new Date(before) }),
    only: releases.map(({ project, version, wheel }) => ({
      project,
      version,
      wheel: wheel === null ? null : { filename: wheel.filename, sha256: wheel.sha256 },
    })),
  };
}

/** What was changed, and what became of it. */
export function overlayEvidence(overlay: JobOverlay, facts: AttemptFacts): OverlayEvidence {
  return {
    ...overlayOf(overlay),
    used: overlay.watch.map((project) => useOf(project, facts)),
    unsatisfied: unsatisfied(overlay, facts),
  };
}

function useOf(
  project: string,
  { record, frozen }: Pick<AttemptFacts, "record" | "frozen">,
): OverlayUse {
  const served = (record?.files ?? [])
    .filter((file) => file.project === project)
    .flatMap(({ filename }) => {
      const parsed = parseWheelFilename(filename) ?? parseSdistFilename(filename, project);
      return parsed === null ? [] : [parsed.version];
    });
  const installed = frozen
    .map((line) => line.split("=="))
    .find(([name = ""]) => normaliseName(name) === project)?.[1];
  return {
    project,
    installed: installed === undefined ? null : clip(printableLine(installed), 100),
    served: [...new Set(served)].slice(0, MAX_VERSIONS),
  };
}

/**
 * Who asked for another version of an overlaid project than there is, where that is what ended the attempt: a package
 * that says `setuptools<80` has no part in what setuptools 83 breaks. The words are uv's and pip's, and are believed only
 * where they name a requirement that the version can't meet.
 */
function unsatisfied(overlay: JobOverlay, facts: AttemptFacts): string | null {
  const { installation, tests } = facts;
  // What the tests need counts only where no plan could do without it.
  const needed = tests !== null && tests.best === null ? tests.failedStep : null;
  const step = installation?.failed ?? needed;
  if (step === null) return null;
  // uv folds its lines.
  const text = step.text.slice(0, MAX_TEXT_CHARS).replaceAll(/\s+/gu, " ");
  if (!UNRESOLVED.test(text)) return null;
  for (const { project, version } of overlay.releases) {
    const asked = requirementsOn(project, text).find((set) => {
      const parsed = parseSpecifierSet(set);
      return parsed !== null && parsed.length > 0 && !satisfiesText(version, parsed);
    });
    if (asked !== undefined)
      return clip(printableLine(`it needs ${project}${asked}, and there is only ${version}`), 300);
  }
  return null;
}

const MAX_TEXT_CHARS = 400_000;
const UNRESOLVED =
  /No solution found when resolving|requirements are unsatisfiable|ResolutionImpossible|No matching distribution found|Could not find a version that satisfies/u;
const CLAUSE = String.raw`(?:===|==|~=|!=|<=|>=|<|>)\s?[\w.*+!-]{1,60}`;

/** Specifiers that stand behind the project's name, however it is written. */
function requirementsOn(project: string, text: string): string[] {
  const written = project.split("-").join("[-_.]+");
  const said = new RegExp(
    String.raw`(?<![\w.-])${written}(?:\[[\w,. -]{0,100}\])?\s?\(?(${CLAUSE}(?:\s?,\s?${CLAUSE}){0,10})`,
    "giu",
  );
  return [...text.matchAll(said)].map(([, set = ""]) => set.replaceAll(/\s|[.,]+$/gu, ""));
}
